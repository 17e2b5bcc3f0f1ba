package hooks

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/plugin"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin/pluginconnect"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/wasm"
)

// teller is a core that tells what it was asked with.
type teller struct {
	pluginconnect.UnimplementedPluginHandler
	host *pb.MetricsRequest
}

func (c *teller) Metrics(
	_ context.Context, request *connect.Request[pb.MetricsRequest],
) (*connect.Response[pb.MetricsResponse], error) {
	c.host = request.Msg
	return connect.NewResponse(&pb.MetricsResponse{Text: "a 1\n", ContentType: "text/x-test"}), nil
}

func (c *teller) SupportData(
	_ context.Context, request *connect.Request[pb.SupportDataRequest],
) (*connect.Response[pb.SupportDataResponse], error) {
	c.host = request.Msg.GetHost()
	return connect.NewResponse(&pb.SupportDataResponse{Files: []*pb.SupportFile{
		{Name: "one.json", Content: []byte("{}")}, {Name: "empty.txt"},
	}}), nil
}

func metrics(t testing.TB, p *Plugin) *once {
	t.Helper()
	w := &once{ResponseRecorder: httptest.NewRecorder()}
	p.ServeMetrics(&plugin.Context{}, w, httptest.NewRequest("GET", "/", nil))
	if w.writes != 1 {
		t.Errorf("the metrics come in %d pieces", w.writes)
	}
	return w
}

func TestTheCoreTellsItsMetricsWithTheHostsFigures(t *testing.T) {
	p := activate(t, newServer(t))
	real := metrics(t, p)
	if real.Code != 200 || !strings.Contains(real.Header().Get("Content-Type"), "text") ||
		!strings.Contains(real.Body.String(), "teleport_access_wasm_memory_bytes ") {
		t.Errorf("%d %s %s", real.Code, real.Header(), real.Body)
	}
	if stats := p.actor.Stats(); stats.MemoryBytes == 0 || stats.Lost != 0 {
		t.Errorf("the host's figures are %+v", stats)
	}

	core := &teller{}
	fake := startFake(t, core, nil)
	fake.stats = wasm.Stats{MemoryBytes: 5 << 30, Lost: 7}
	replaceCore(t, p, fake)
	told := metrics(t, p)
	if told.Code != 200 || told.Body.String() != "a 1\n" || told.Header().Get("Content-Type") != "text/x-test" {
		t.Errorf("%d %s %s", told.Code, told.Header(), told.Body)
	}
	if core.host.GetWasmMemoryBytes() != 5<<30 || core.host.GetWasmRestarts() != 7 {
		t.Errorf("the core was told %v", core.host)
	}
}

func TestWithoutTheCoreThereAreNoMetricsAndTheAnswerSaysSo(t *testing.T) {
	s := newServer(t)
	inactive := New("")
	inactive.SetAPI(s)
	away := activate(t, s)
	replaceCore(t, away, startFake(t, nil, nil))
	broken := New("")
	broken.SetAPI(s)
	broken.ready.Store(true)
	for name, test := range map[string]struct {
		plugin *Plugin
		status int
	}{
		"while the plugin is not active": {inactive, 503},
		"while the core is away":         {away, 503},
		"after a panic":                  {broken, 500},
	} {
		t.Run(name, func(t *testing.T) {
			answer := metrics(t, test.plugin)
			if answer.Code != test.status || !strings.Contains(answer.Body.String(), "Ask again") {
				t.Errorf("%d %s", answer.Code, answer.Body)
			}
		})
	}
}
