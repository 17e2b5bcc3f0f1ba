package hooks

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/panel/panelconnect"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin/pluginconnect"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/wasm"
)

// fakeCore stands for the core where a test is about what the core is asked and what becomes of its answer. What a test
// does not give it answers UNIMPLEMENTED.
type fakeCore struct {
	http.RoundTripper
	base  string
	stats wasm.Stats
}

// startFake serves the core's services in its place.
func startFake(t testing.TB, plugin pluginconnect.PluginHandler, panel panelconnect.PanelHandler) *fakeCore {
	t.Helper()
	mux := http.NewServeMux()
	if plugin != nil {
		mux.Handle(pluginconnect.NewPluginHandler(plugin))
	}
	if panel != nil {
		mux.Handle(panelconnect.NewPanelHandler(panel))
	}
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return &fakeCore{RoundTripper: server.Client().Transport, base: server.Listener.Addr().String()}
}

// RoundTrip sends a request to the fake, whatever host it names.
func (f *fakeCore) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.URL.Host = f.base
	return f.RoundTripper.RoundTrip(request)
}

// Own is the same way.
func (f *fakeCore) Own() http.RoundTripper { return f }

// Stats are those that the test has set.
func (f *fakeCore) Stats() wasm.Stats { return f.stats }

// Close does nothing: the test ends it.
func (f *fakeCore) Close() {}

// replaceCore lets the plugin ask another core, for the time of the test.
func replaceCore(t testing.TB, p *Plugin, with actor) {
	t.Helper()
	before := p.actor
	p.actor = with
	t.Cleanup(func() { p.actor = before })
}
