package suite

import (
	"context"
	"strings"
	"testing"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
)

// isUp tells whether a status says that the plugin watches.
func isUp(status string) bool { return strings.Contains(stage.Line(status, "Watch"), "✅") }

// once fails the test where a request has not exactly one post.
func (s *scene) once(ids ...string) {
	s.Helper()
	for _, id := range ids {
		posts, err := set.PostsOf(s.ctx, s.channel.Id, id)
		s.must(err)
		if len(posts) != 1 {
			s.Errorf("request %s has %d posts, want one", id, len(posts))
		}
	}
}

func TestRestartsLoseAndDoubleNothing(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings())
		ids := []string{s.file("at first")}
		s.post(ids[0])
		for name, restart := range map[string]func(){
			"the plugin is disabled and enabled": func() { s.must(set.Mattermost.RestartPlugin(s.ctx, set.PluginID)) },
			"the plugin is killed": func() {
				s.must(set.Mattermost.KillPlugin(set.PluginID))
				// Mattermost itself would notice within half a minute.
				s.must(set.Mattermost.RestartPlugin(s.ctx, set.PluginID))
			},
			"Mattermost is stopped and started": func() { s.must(set.Mattermost.Restart(s.ctx)) },
			"Mattermost is killed and started": func() {
				set.Mattermost.Kill()
				s.must(set.Mattermost.Restart(s.ctx))
			},
		} {
			s.Log(name)
			during := s.file("just before " + name)
			restart()
			s.must(set.Mattermost.WaitForPlugin(s.ctx, set.PluginID))
			after := s.file("after " + name)
			ids = append(ids, during, after)
			s.post(during)
			s.post(after)
			s.must(set.WaitForWatch(s.ctx, s.channel.Id))
			s.once(ids...)
		}
		for _, id := range ids {
			_, err := set.Approver.Decide(s.ctx, s.post(id), stage.Approve, "")
			s.must(err)
			s.settled(id, "bob")
		}
		s.once(ids...)
	})
}

func TestAnUpgradeOfMattermostLosesAndDoublesNothing(t *testing.T) {
	if !mattermost.OnOldest() {
		t.Skip("the newest server is upgraded to nothing")
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	made, err := stage.Set(ctx, progress)
	if err != nil {
		t.Fatal(err)
	}
	shared := set
	set = made
	t.Cleanup(func() {
		set = shared
		made.Close()
	})
	s := newScene(t, fast)
	s.connect(s.settings())
	s.sealed()
	pending, decided := s.file("pending"), s.file("decided")
	before := s.post(pending)
	_, err = set.Approver.Decide(s.ctx, s.post(decided), stage.Approve, "")
	s.must(err)
	s.settled(decided, "bob")
	s.must(set.Mattermost.Upgrade(s.ctx))
	s.must(set.Mattermost.WaitForPlugin(s.ctx, set.PluginID))
	s.must(set.WaitForWatch(s.ctx, s.channel.Id))
	after := s.file("after the upgrade")
	s.post(after)
	s.once(pending, decided, after)
	if post := s.post(pending); post.Id != before.Id || post.UserId != before.UserId {
		s.Errorf("the post was %s by %s and is %s by %s", before.Id, before.UserId, post.Id, post.UserId)
	}
	for _, id := range []string{pending, after} {
		_, err := set.Approver.Decide(s.ctx, s.post(id), stage.Approve, "")
		s.must(err)
		s.settled(id, "bob")
	}
	s.once(pending, decided, after)
}
