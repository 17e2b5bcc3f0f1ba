package hooks

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/plugin"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
)

// ServeMetrics answers what asks for the plugin's metrics, at /plugins/<id>/metrics of the address that Mattermost's
// own metrics have.
func (p *Plugin) ServeMetrics(_ *plugin.Context, w http.ResponseWriter, _ *http.Request) {
	answer := &answerWriter{ResponseWriter: w}
	// A panic would end the whole plugin.
	defer func() {
		if problem := recover(); problem != nil {
			p.API.LogError("The metrics failed.", "panic", fmt.Sprint(problem), "stack", string(debug.Stack()))
			if !answer.began {
				plain(answer, http.StatusInternalServerError, "text/plain; charset=utf-8", textNoMetrics)
			}
		}
	}()
	metrics, err := p.metrics()
	if err != nil {
		p.API.LogWarn("There are no metrics now.", "error", err.Error())
		plain(answer, http.StatusServiceUnavailable, "text/plain; charset=utf-8", textNoMetrics)
		return
	}
	plain(answer, http.StatusOK, metrics.GetContentType(), metrics.GetText())
}

// textNoMetrics is what is said in place of metrics.
const textNoMetrics = "The plugin is restarting and cannot tell its metrics now. Ask again.\n"

// metrics asks the core for its metrics.
func (p *Plugin) metrics() (*pb.MetricsResponse, error) {
	if !p.ready.Load() {
		return nil, errNotActive
	}
	ctx, cancel := context.WithTimeout(context.Background(), noticeTimeout)
	defer cancel()
	answer, err := client(p.actor.Own()).Metrics(ctx, connect.NewRequest(p.figures()))
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}

// figures is what the host counts.
func (p *Plugin) figures() *pb.MetricsRequest {
	stats := p.actor.Stats()
	return &pb.MetricsRequest{
		WasmMemoryBytes:   stats.MemoryBytes,
		WasmRestarts:      stats.Lost,
		AnonymousRequests: p.door.anonymous.Load(),
		ThrottledRequests: p.door.throttled.Load(),
		PluginRequests:    p.door.plugins.Load(),
	}
}

// plain answers with a text.
func plain(w http.ResponseWriter, status int, contentType, text string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// Whoever went away needs no answer.
	_, _ = w.Write([]byte(text))
}
