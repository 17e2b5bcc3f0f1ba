package hooks

import (
	"context"
	"net/http"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
)

// figures are what the host counts of itself.
func (p *Plugin) figures() *pb.MetricsRequest {
	figures := p.actor.Figures()
	return &pb.MetricsRequest{WasmMemoryBytes: figures.MemoryBytes, WasmRestarts: figures.Lost}
}

// ServeMetrics answers Prometheus, by way of Mattermost's own metrics.
func (p *Plugin) ServeMetrics(_ *plugin.Context, w http.ResponseWriter, _ *http.Request) {
	if !p.ready.Load() {
		http.Error(w, textRestarting, http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	answer, err := client(p.actor).Metrics(ctx, connect.NewRequest(p.figures()))
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", answer.Msg.GetContentType())
	// Whoever went away needs no answer.
	_, _ = w.Write([]byte(answer.Msg.GetText()))
}

// GenerateSupportData gives the plugin's part of a support packet.
func (p *Plugin) GenerateSupportData(_ *plugin.Context) ([]*model.FileData, error) {
	sorry := func(why string) []*model.FileData {
		return []*model.FileData{{Filename: "teleport-access/status.md", Body: []byte(why + "\n")}}
	}
	if !p.ready.Load() {
		return sorry(textRestarting), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	answer, err := client(p.actor).SupportData(ctx, connect.NewRequest(&pb.SupportDataRequest{Host: p.figures()}))
	if err != nil {
		return sorry("The core does not answer: " + err.Error()), nil
	}
	var files []*model.FileData
	for _, file := range answer.Msg.GetFiles() {
		files = append(files, &model.FileData{Filename: file.GetName(), Body: file.GetContent()})
	}
	return files, nil
}
