package double

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gravitational/teleport/api/types"
	"gopkg.in/yaml.v3"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// journal is the state on disk: one line of JSON for each change. A nil journal keeps nothing.
type journal struct{ file *os.File }

// entry is one change. Requests are kept as Teleport's own bytes.
type entry struct {
	Resource string                 `json:"resource,omitempty"`
	Put      *types.AccessRequestV3 `json:"-"`
	PutBytes []byte                 `json:"put,omitempty"`
	Delete   string                 `json:"delete,omitempty"`
	// NoUser is the name of a user that was deleted.
	NoUser string               `json:"no_user,omitempty"`
	Audit  *teleport.AuditEvent `json:"audit,omitempty"`
}

func openJournal(path string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &journal{file}, nil
}

func (j *journal) close() {
	if j != nil {
		_ = j.file.Close()
	}
}

func (j *journal) write(change entry) error {
	if j == nil {
		return nil
	}
	if change.Put != nil {
		content, err := change.Put.Marshal()
		if err != nil {
			return err
		}
		change.PutBytes = content
	}
	line, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, err = j.file.Write(append(line, '\n'))
	return err
}

// replay takes all changes to the state. A last line that is cut off, as a kill leaves it, is dropped.
func (j *journal) replay(s *state) error {
	if j == nil {
		return nil
	}
	reader := bufio.NewReader(j.file)
	var good int64
	for {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return j.file.Truncate(good)
		}
		if err != nil {
			return err
		}
		good += int64(len(line))
		var change entry
		if err := json.Unmarshal(line, &change); err != nil {
			return fmt.Errorf("cannot read %s: %w", j.file.Name(), err)
		}
		if err := s.apply(change); err != nil {
			return fmt.Errorf("cannot read %s: %w", j.file.Name(), err)
		}
	}
}

// apply takes a change that was written before.
func (s *state) apply(change entry) error {
	if change.Resource != "" {
		var one resource
		if err := yaml.Unmarshal([]byte(change.Resource), &one); err != nil {
			return err
		}
		if one.Kind == "role" {
			s.roles[one.Metadata.Name] = &one
		} else {
			s.users[one.Metadata.Name] = &one
		}
	}
	if len(change.PutBytes) > 0 {
		var request types.AccessRequestV3
		if err := request.Unmarshal(change.PutBytes); err != nil {
			return err
		}
		s.requests[request.GetName()] = &request
	}
	delete(s.requests, change.Delete)
	delete(s.users, change.NoUser)
	if change.Audit != nil {
		s.audit = append(s.audit, *change.Audit)
	}
	return nil
}
