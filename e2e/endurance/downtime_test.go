package endurance

import (
	"fmt"
	"testing"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

// downtime is something that keeps the plugin from hearing of requests.
type downtime struct {
	name       string
	begin, end func(s *scene)
}

// downtimes are the ways to be down; Teleport goes on in all of them.
func downtimes(cluster *double.Double) []downtime {
	return []downtime{
		{
			name: "the plugin is disabled",
			begin: func(s *scene) {
				_, err := s.set.Mattermost.Admin.Client.DisablePlugin(s.ctx, s.set.PluginID)
				s.must(err)
			},
			end: func(s *scene) {
				_, err := s.set.Mattermost.Admin.Client.EnablePlugin(s.ctx, s.set.PluginID)
				s.must(err)
			},
		},
		{
			name:  "Mattermost is stopped",
			begin: func(s *scene) { s.set.Mattermost.Stop() },
			end:   func(s *scene) { s.must(s.set.Mattermost.Restart(s.ctx)) },
		},
		{
			name: "the watch does not stand",
			begin: func(s *scene) {
				cluster.Faults.Add(double.Fault{Method: "WatchEvents", Code: codes.Unavailable, Message: "the cache is not ready"})
				cluster.Cut()
				s.eventually(soon, "the plugin notices", func() error {
					if err := s.watches(); err == nil {
						return fmt.Errorf("it still watches")
					}
					return nil
				})
			},
			end: func(*scene) { cluster.Faults.Clear() },
		},
	}
}

// Teleport's own Mattermost plugin watches without listing, so what is filed while it is down is never posted.
func TestRequestsFiledDuringDowntimeArePosted(t *testing.T) {
	t.Parallel()
	cluster := newDouble(t, double.Options{})
	s := newScene(t, newStage(t), cluster)
	s.connect(s.settings())
	for _, down := range downtimes(cluster) {
		approved, denied, deleted, untouched := s.file(teleport.Wish{}), s.file(teleport.Wish{}), s.file(teleport.Wish{}), s.file(teleport.Wish{})
		for _, id := range []string{approved, denied, deleted, untouched} {
			s.pending(id)
		}
		s.Log("down: ", down.name)
		down.begin(s)
		var filed []string
		for range 3 {
			filed = append(filed, s.file(teleport.Wish{Reason: "filed while " + down.name}))
		}
		s.must(s.tctl.SetState(s.ctx, approved, types.RequestState_APPROVED, "approved while "+down.name))
		s.must(s.tctl.SetState(s.ctx, denied, types.RequestState_DENIED, "denied while "+down.name))
		s.must(s.tctl.Delete(s.ctx, deleted))
		if down.name != "Mattermost is stopped" {
			for _, id := range filed {
				s.none(id)
			}
		}
		down.end(s)
		for _, id := range filed {
			post := s.pending(id)
			s.must(holds(stage.Text(post), "filed while "+down.name))
		}
		s.settled(approved, "✅ Approved", "approved while "+down.name)
		s.settled(denied, "❌ Denied", "denied while "+down.name)
		s.settled(deleted, "Deleted")
		s.pending(untouched)
	}
}

// Teleport's own Mattermost plugin tries a post once.
func TestAFailedPostIsRetried(t *testing.T) {
	t.Parallel()
	s := newScene(t, newStage(t), newDouble(t, double.Options{}))
	s.connect(s.settings())
	first := s.file(teleport.Wish{})
	s.pending(first)
	// The status is asked in another channel: commands do not work in one that is archived.
	elsewhere, _, err := s.set.Channel(s.ctx, "elsewhere")
	s.must(err)
	archived := s.channel
	s.channel = elsewhere
	admin := s.set.Mattermost.Admin.Client
	_, err = admin.DeleteChannel(s.ctx, archived.Id)
	s.must(err)
	second := s.file(teleport.Wish{Reason: "filed while the channel was archived"})
	s.Log(s.statusSays(soon, "Posts", "❌", second, "archived", "tried again"))
	s.Log(s.statusSays(soon, "Recipients", "❌", s.recipient, "archived"))
	// A post that cannot be changed rests until it can be.
	s.must(s.tctl.SetState(s.ctx, first, types.RequestState_DENIED, "denied while the channel was archived"))
	s.Log(s.statusSays(soon, "Posts", "❌", second, "2 posts rest in"))
	_, _, err = admin.RestoreChannel(s.ctx, archived.Id)
	s.must(err)
	s.channel = archived
	s.pending(second)
	s.settled(first, "denied while the channel was archived")
	s.statusSays(soon, "Posts", "✅")
}
