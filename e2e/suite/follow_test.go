package suite

import (
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

func TestAPostFollowsWhatHappensInTeleport(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings())
		approved, denied, deleted := s.file("one"), s.file("two"), s.file("three")
		for _, id := range []string{approved, denied, deleted} {
			s.post(id)
		}
		s.must(s.admin.SetState(s.ctx, approved, types.RequestState_APPROVED, "fine by me"))
		s.must(s.admin.SetState(s.ctx, denied, types.RequestState_DENIED, "not today"))
		s.must(s.admin.Delete(s.ctx, deleted))
		s.settled(approved, "Approved", "fine by me")
		s.settled(denied, "Denied", "not today")
		s.settled(deleted, "Deleted")
	})
}

func TestARequestThatExpiresIsShownAsExpiredAndTheRequesterIsTold(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings().With("UserMapping", mapping("alice", teleport.Requester)).With("NotifyRequesters", true))
		id, err := s.requester.File(s.ctx, teleport.Wish{Roles: []string{teleport.RequestedRole}, Lasts: 5 * time.Second})
		s.must(err)
		bot := bot(s.post(id))
		s.settled(id, "Expired")
		s.holds(s.waitTold(bot, id, 1)[0], "expired", "nobody decided in time")
	})
}

func TestWhatHappenedWhileThePluginWasAwayIsCaughtUp(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings())
		known := s.file("known")
		s.post(known)
		_, err := set.Mattermost.Admin.Client.DisablePlugin(s.ctx, set.PluginID)
		s.must(err)
		s.must(s.admin.SetState(s.ctx, known, types.RequestState_APPROVED, "meanwhile"))
		missed := s.file("missed")
		_, err = set.Mattermost.Admin.Client.EnablePlugin(s.ctx, set.PluginID)
		s.must(err)
		s.must(set.Mattermost.WaitForPlugin(s.ctx, set.PluginID))
		s.post(missed)
		s.settled(known, "Approved", "meanwhile")
	})
}

func TestWhatHappenedWhileTeleportWasAwayOrRestartedIsCaughtUp(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings())
		before := s.file("before")
		s.post(before)
		s.cluster.Stop()
		_, err := set.WaitForStatus(s.ctx, s.channel.Id, func(status string) bool { return stage.Line(status, "Watch") != "" && !isUp(status) })
		s.must(err)
		s.must(s.cluster.Start(s.ctx))
		after := s.file("after")
		s.post(after)
		_, err = set.Approver.Decide(s.ctx, s.post(before), stage.Approve, "")
		s.must(err)
		s.settled(before, "bob")
	})
}
