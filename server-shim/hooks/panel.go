package hooks

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/wasm"
)

const panelPath = "/panel.Panel/"

// panelTimeout bounds how long a call of the browser's may last. Mattermost does not say when the browser goes away:
// only writing to it fails then, and a quiet stream does not write. A browser that is still there calls again.
const panelTimeout = 10 * time.Minute

// panelHeaders are what the browser may say to the core. Who it is is not among them.
var panelHeaders = []string{"Content-Type", "Accept", "Grpc-Timeout", "X-Grpc-Web", "X-User-Agent"}

// panel passes gRPC-web from the browser through to the core.
func (p *Plugin) panel(w http.ResponseWriter, request *http.Request, who visitor, body []byte) {
	if !strings.HasPrefix(request.Header.Get("Content-Type"), "application/grpc-web") {
		refuse(w, http.StatusUnsupportedMediaType, "Only gRPC-web is understood here.")
		return
	}
	ctx, cancel := context.WithTimeout(wasm.InLane(request.Context(), who.userID), panelTimeout)
	defer cancel()
	call, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://core"+request.URL.EscapedPath(), bytes.NewReader(body))
	if err != nil {
		refuse(w, http.StatusBadRequest, "The address makes no sense.")
		return
	}
	for _, name := range panelHeaders {
		if values := request.Header.Values(name); len(values) > 0 {
			call.Header[name] = values
		}
	}
	call.Header.Set(userHeader, who.userID)
	answer, err := p.actor.RoundTrip(call)
	if err != nil {
		refuse(w, http.StatusBadGateway, p.apology("panel", err))
		return
	}
	defer func() { _ = answer.Body.Close() }()
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(answer.StatusCode)
	p.stream(w, answer.Body)
}

// stream passes a body on, each piece as soon as it is there, until its end or until nobody listens any more.
func (p *Plugin) stream(w http.ResponseWriter, body io.Reader) {
	control := http.NewResponseController(w)
	buffer := make([]byte, 32<<10)
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return
			}
			// Where flushing is not possible, the answer comes in one piece.
			_ = control.Flush()
		}
		if err != nil {
			// The browser sees from the missing trailers when this is not the proper end.
			return
		}
	}
}
