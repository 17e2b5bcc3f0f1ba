package real

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// Audit reads the events about a request in the audit log on disk.
func (s *Server) Audit(_ context.Context, requestID string) ([]teleport.AuditEvent, error) {
	paths, err := filepath.Glob(filepath.Join(s.dir, "data", "log", "*", "*.log"))
	if err != nil {
		return nil, err
	}
	var events []teleport.AuditEvent
	for _, path := range paths {
		found, err := auditIn(path, requestID)
		if err != nil {
			return nil, err
		}
		events = append(events, found...)
	}
	slices.SortStableFunc(events, func(one, other teleport.AuditEvent) int { return one.Time.Compare(other.Time) })
	return events, nil
}

func auditIn(path, requestID string) ([]teleport.AuditEvent, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var events []teleport.AuditEvent
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event teleport.AuditEvent
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", path, err)
		}
		if strings.HasPrefix(event.Event, "access_request.") && event.RequestID == requestID {
			events = append(events, event)
		}
	}
	return events, lines.Err()
}
