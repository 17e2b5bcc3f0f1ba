package hooks

import (
	"context"
	"mime"
	"net/http"

	"connectrpc.com/connect"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/panel"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/panel/panelconnect"
)

// auditPaths are the addresses of the audit trail, and how it is written there.
var auditPaths = map[string]pb.AuditFormat{
	"/audit.csv":   pb.AuditFormat_AUDIT_FORMAT_CSV,
	"/audit.jsonl": pb.AuditFormat_AUDIT_FORMAT_JSON_LINES,
}

// audit answers with the audit trail as a file. Who may have it is the core's to say.
func (p *Plugin) audit(w http.ResponseWriter, request *http.Request, format pb.AuditFormat) {
	ctx, cancel := context.WithTimeout(request.Context(), callTimeout)
	defer cancel()
	call := connect.NewRequest(&pb.ExportAuditRequest{Format: format})
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
		refuse(w, auditStatus(answer.Err()), "The audit trail cannot be read.")
		return
	}
	w.Header().Set("Content-Type", answer.Msg().GetContentType())
	w.Header().Set("Content-Disposition",
		mime.FormatMediaType("attachment", map[string]string{"filename": answer.Msg().GetFileName()}))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	// Whoever went away needs no answer.
	_, _ = w.Write(answer.Msg().GetContent())
}

// auditStatus is the HTTP status that says what the core said.
func auditStatus(err error) int {
	switch connect.CodeOf(err) {
	case connect.CodeUnauthenticated:
		return http.StatusUnauthorized
	case connect.CodePermissionDenied:
		return http.StatusForbidden
	default:
		return http.StatusServiceUnavailable
	}
}
