package hooks

import (
	"context"
	"maps"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin/pluginconnect"
)

// hearing is a core that keeps what it is told of posts.
type hearing struct {
	pluginconnect.UnimplementedPluginHandler
	mu    sync.Mutex
	heard []*pb.PostChangedRequest
	// wait, where there is one, keeps every answer back.
	wait chan struct{}
}

func (h *hearing) PostChanged(
	_ context.Context, request *connect.Request[pb.PostChangedRequest],
) (*connect.Response[pb.PostChangedResponse], error) {
	h.mu.Lock()
	h.heard = append(h.heard, request.Msg)
	h.mu.Unlock()
	if h.wait != nil {
		<-h.wait
	}
	return connect.NewResponse(&pb.PostChangedResponse{}), nil
}

func (h *hearing) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.heard)
}

func TestTheCoreHearsOfChangesToTheBotsOwnPostsOnly(t *testing.T) {
	p := activate(t, newServer(t))
	core := &hearing{}
	replaceCore(t, p, startFake(t, core, nil))
	post := func(author string, props model.StringInterface) *model.Post {
		post := &model.Post{Id: "post", UserId: author, UpdateAt: 7}
		post.SetProps(props)
		return post
	}
	written := model.StringInterface{"teleport_access_request": "r", "attachments": []any{}, "number": 1.5}
	p.MessageHasBeenUpdated(nil, post(member, written), post(member, written))
	p.MessageHasBeenDeleted(nil, post(member, written))
	p.MessageHasBeenUpdated(nil, nil, nil)
	if core.count() != 0 {
		t.Fatalf("the core heard of %v", core.heard)
	}
	// Whoever edited it took the props away, and added one.
	p.MessageHasBeenUpdated(nil, post(botID, model.StringInterface{"added": "x"}), post(botID, written))
	p.MessageHasBeenDeleted(nil, post(botID, written))
	if core.count() != 2 {
		t.Fatalf("the core heard of %v", core.heard)
	}
	for n, want := range []map[string]string{
		{"teleport_access_request": "r", "added": "x"}, {"teleport_access_request": "r"},
	} {
		heard := core.heard[n]
		if heard.GetPostId() != "post" || heard.GetUpdateAt() != 7 || heard.GetDeleted() != (n == 1) || !maps.Equal(heard.GetProps(), want) {
			t.Errorf("change %d: %v", n, heard)
		}
	}
}

func TestAFloodOfChangesToPostsIsDroppedAndNobodyWaits(t *testing.T) {
	p := activate(t, newServer(t))
	core := &hearing{wait: make(chan struct{})}
	replaceCore(t, p, startFake(t, core, nil))
	post := &model.Post{Id: "post", UserId: botID}
	var told sync.WaitGroup
	for range mostChanges {
		told.Go(func() { p.MessageHasBeenUpdated(nil, post, post) })
	}
	eventually(t, "the core hears of as many as it may", func() bool { return core.count() == mostChanges })
	// These come back although the core answers nothing.
	for range 100 {
		p.MessageHasBeenUpdated(nil, post, post)
	}
	close(core.wait)
	told.Wait()
	if core.count() != mostChanges {
		t.Errorf("the core heard of %d", core.count())
	}
	p.MessageHasBeenUpdated(nil, post, post)
	if core.count() != mostChanges+1 {
		t.Error("after the flood the core hears of nothing")
	}
}

func TestChangedPostsAreNoTroubleToTheCoreItselfNorBeforeItIsThere(t *testing.T) {
	s := newServer(t)
	p := New("")
	p.SetAPI(s)
	post := &model.Post{Id: "post", UserId: botID}
	p.MessageHasBeenUpdated(nil, post, nil)
	p = activate(t, s)
	post.SetProps(model.StringInterface{"teleport_access_request": "r", "teleport_cluster": "tp"})
	p.MessageHasBeenUpdated(nil, post, post)
	p.MessageHasBeenDeleted(nil, post)
	if lines := s.logged("changed post"); len(lines) != 0 {
		t.Errorf("the log says %v", lines)
	}
}
