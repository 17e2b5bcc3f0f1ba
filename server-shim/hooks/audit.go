package hooks

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"connectrpc.com/connect"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/panel"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/panel/panelconnect"
)

// auditPaths are the addresses of the audit trail, and how it is written there.
var auditPaths = map[string]pb.AuditFormat{
	"/audit.csv":   pb.AuditFormat_AUDIT_FORMAT_CSV,
	"/audit.jsonl": pb.AuditFormat_AUDIT_FORMAT_JSON_LINES,
}

// brokenOff is what a file ends with that could not be written to its end: it must not pass for a whole one.
var brokenOff = map[pb.AuditFormat]string{
	pb.AuditFormat_AUDIT_FORMAT_CSV:        "\"INCOMPLETE: the audit trail could not be read further. Export it again, or a shorter period.\"\r\n",
	pb.AuditFormat_AUDIT_FORMAT_JSON_LINES: "{\"error\":\"INCOMPLETE: the audit trail could not be read further. Export it again, or a shorter period.\"}\n",
}

// audit answers with the audit trail of a period as a file, piece by piece. Who may have it is the core's to say.
func (p *Plugin) audit(w http.ResponseWriter, request *http.Request, format pb.AuditFormat) {
	from, to, err := period(request.URL.RawQuery)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	// The whole may take long. Each piece may not.
	ctx, cancel := context.WithCancel(request.Context())
	defer cancel()
	patience := time.AfterFunc(callTimeout, cancel)
	defer patience.Stop()
	call := connect.NewRequest(&pb.ExportAuditRequest{Format: format, From: from, To: to})
	if id := userID(request); id != "" {
		call.Header().Set(userHeader, id)
	}
	panel := panelconnect.NewPanelClient(&http.Client{Transport: p.actor}, "http://core", connect.WithGRPCWeb())
	answer, err := panel.ExportAudit(ctx, call)
	if err != nil {
		refuse(w, auditStatus(err), err.Error())
		return
	}
	defer func() { _ = answer.Close() }()
	if !answer.Receive() {
		message := "The audit trail cannot be read."
		if err := answer.Err(); err != nil {
			message = err.Error()
		}
		refuse(w, auditStatus(answer.Err()), message)
		return
	}
	w.Header().Set("Content-Type", answer.Msg().GetContentType())
	w.Header().Set("Content-Disposition",
		mime.FormatMediaType("attachment", map[string]string{"filename": answer.Msg().GetFileName()}))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	flusher := http.NewResponseController(w)
	// The client sees at once that it begins. A server that cannot flush sends it all at the end.
	_ = flusher.Flush()
	for {
		if content := answer.Msg().GetContent(); len(content) > 0 {
			patience.Stop()
			if _, err := w.Write(content); err != nil {
				// The client went away, and needs no answer.
				return
			}
			_ = flusher.Flush()
		}
		patience.Reset(callTimeout)
		if !answer.Receive() {
			break
		}
	}
	if err := answer.Err(); err != nil {
		p.API.LogError("The export of the audit trail broke off.", "error", err.Error())
		_, _ = w.Write([]byte(brokenOff[format]))
	}
}

// auditStatus is the HTTP status that says what the core said.
func auditStatus(err error) int {
	switch connect.CodeOf(err) {
	case connect.CodeUnauthenticated:
		return http.StatusUnauthorized
	case connect.CodePermissionDenied:
		return http.StatusForbidden
	case connect.CodeInvalidArgument:
		return http.StatusBadRequest
	default:
		return http.StatusServiceUnavailable
	}
}

// period reads the bounds of an export in milliseconds since 1970 (UTC); 0 is no bound. Nothing that is misspelt may widen
// it.
func period(query string) (from, to int64, err error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return 0, 0, errors.New("The address cannot be read. " + periodHelp)
	}
	for name, given := range values {
		if name != "from" && name != "to" {
			return 0, 0, fmt.Errorf("There is no parameter %.40q. %s", name, periodHelp)
		}
		if len(given) != 1 {
			return 0, 0, fmt.Errorf("The parameter %q must be there once. %s", name, periodHelp)
		}
	}
	if from, err = moment(values, "from", 0); err != nil {
		return 0, 0, err
	}
	// A last day is meant as a whole.
	if to, err = moment(values, "to", 24*time.Hour); err != nil {
		return 0, 0, err
	}
	if to != 0 && to <= from {
		return 0, 0, errors.New("The period must end after it begins. " + periodHelp)
	}
	return from, to, nil
}

const periodHelp = "Write dates (UTC) such as ?from=2026-01-01&to=2026-01-31, which includes the last day, or milliseconds since 1970."

// moment reads a date, whose moment is so long after its midnight, or milliseconds.
func moment(values url.Values, name string, after time.Duration) (int64, error) {
	if !values.Has(name) {
		return 0, nil
	}
	text := values.Get(name)
	// Neither a sign nor anything else may stand before a number.
	if number, err := strconv.ParseUint(text, 10, 63); err == nil && number > 0 {
		return int64(number), nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil && day.Year() >= 1970 {
		if moment := day.Add(after).UnixMilli(); moment > 0 {
			return moment, nil
		}
		// The first day of all.
		return 1, nil
	}
	return 0, fmt.Errorf("%.40q is not a date or time for %q. %s", text, name, periodHelp)
}
