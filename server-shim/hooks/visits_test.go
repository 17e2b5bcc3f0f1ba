package hooks

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin/pluginconnect"
)

// slowDecision is a core that decides when it is let.
type slowDecision struct {
	pluginconnect.UnimplementedPluginHandler
	begun, release chan struct{}
	note           func(string)
}

func (s *slowDecision) Click(context.Context, *connect.Request[pb.ClickRequest]) (*connect.Response[pb.ClickResponse], error) {
	close(s.begun)
	<-s.release
	s.note("decided")
	return connect.NewResponse(&pb.ClickResponse{EphemeralText: "You approved it."}), nil
}

// notedClose is an actor that tells when it is closed.
type notedClose struct {
	*fakeCore
	note func(string)
}

func (n *notedClose) Close() { n.note("closed") }

func TestADecisionThatWasBegunIsAnsweredBeforeThePluginStops(t *testing.T) {
	p := activate(t, newServer(t))
	var mu sync.Mutex
	var events []string
	note := func(event string) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, event)
	}
	noted := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(events)
	}
	decision := &slowDecision{begun: make(chan struct{}), release: make(chan struct{}), note: note}
	replaceCore(t, p, &notedClose{startFake(t, decision, nil), note})
	clicked := make(chan string, 1)
	go func() {
		response := request(t, p, "POST", "/click", `{"post_id":"post","context":{}}`, member)
		var answer model.PostActionIntegrationResponse
		_ = json.Unmarshal(response.Body.Bytes(), &answer)
		clicked <- answer.EphemeralText
	}()
	<-decision.begun
	stopped := make(chan error, 1)
	go func() { stopped <- p.OnDeactivate() }()
	eventually(t, "the plugin waits, or is closed", func() bool { return p.visits.isAwaited() || noted() > 0 })
	// Nothing new is begun meanwhile.
	if response := request(t, p, "POST", "/click", "{}", admin); response.Code != 503 {
		t.Errorf("a new click gets %d", response.Code)
	}
	if text := run(t, p, admin, "/teleport status"); text != textRestarting {
		t.Errorf("a new command says %q", text)
	}
	close(decision.release)
	if answer := <-clicked; answer != "You approved it." {
		t.Errorf("the clicker reads %q", answer)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(events) != 2 || events[0] != "decided" || events[1] != "closed" {
		t.Errorf("it happened in this order: %q", events)
	}
}
