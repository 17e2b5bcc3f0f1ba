package suite

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/upgrade"
)

// upgraded sets the scene with what an earlier version has left behind, and installs the bundle on top of it. Until the test is
// over all plays on a server of its own.
func upgraded(t *testing.T, fixture *upgrade.Fixture) *scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	s := &scene{T: t, ctx: ctx}
	dir := t.TempDir()
	s.must(fixture.PutTeleport(dir))
	cluster, err := double.New(ctx, double.Options{Cluster: upgrade.Cluster, Dir: dir})
	s.must(err)
	t.Cleanup(cluster.Close)
	s.cluster = cluster
	made, err := stage.SetOver(ctx, fixture.PutRows)
	s.must(err)
	shared := set
	set = made
	t.Cleanup(func() {
		set = shared
		made.Close()
	})
	s.channel, _, err = made.Mattermost.Admin.Client.GetChannelByName(ctx, "requests", made.Team.Id, "")
	s.must(err)
	s.requester, s.admin = s.dial(teleport.Requester), s.dial(teleport.Admin)
	// The settings stand there before the new version comes; only where the cluster is has changed.
	settings := maps.Clone(fixture.Settings)
	settings["TeleportAddress"] = cluster.AuthAddress()
	s.must(made.Mattermost.ConfigurePlugin(ctx, made.PluginID, settings))
	s.must(made.Install(ctx))
	t.Cleanup(func() {
		if status, err := made.Status(ctx, s.channel.Id); t.Failed() && err == nil {
			t.Logf("the status in the end:\n%s", status)
		}
	})
	s.must(made.WaitForWatch(ctx, s.channel.Id))
	return s
}

// granted fails the test where the newest decision in Teleport is not the user's approval.
func (s *scene) granted(id string, user *mattermost.User) {
	s.Helper()
	decisions := s.decisions(id)
	if state := s.state(id); !state.IsApproved() || len(decisions) == 0 {
		s.Fatalf("the request is %s with decisions %+v", state, decisions)
	}
	newest := decisions[len(decisions)-1]
	// By address or by username.
	if newest.State != types.RequestState_APPROVED.String() || !strings.HasPrefix(newest.Delegator, "mattermost:"+user.Username) {
		s.Errorf("the decision is %+v, want one of %s", newest, user.Username)
	}
}

func TestWhatVersion010LeftBehindGoesOnWorking(t *testing.T) {
	fixture, err := upgrade.Read("testdata/upgrade-0.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	s := upgraded(t, fixture)
	s.Logf("from %s", fixture.Version)
	// The credentials that were sealed have been opened, else there were no watch. The trail is there.
	approved := fixture.Requests["approved"]
	var trail []attempt
	// What an earlier version wrote is put in order in the background, a minute after the start.
	for deadline := time.Now().Add(100 * time.Second); len(trail) < 2 && time.Now().Before(deadline); time.Sleep(time.Second) {
		trail = slices.DeleteFunc(s.trail(), func(one attempt) bool { return one.RequestID != approved })
	}
	for _, want := range []struct{ username, result, cause string }{{"alice", "refused", "own request"}, {"bob", "decided", ""}} {
		if !slices.ContainsFunc(trail, func(one attempt) bool {
			return one.Username == want.username && one.Result == want.result && strings.Contains(one.Cause, want.cause)
		}) {
			s.Errorf("the audit trail of before lacks %+v: %+v", want, trail)
		}
	}
	s.once(approved)
	// What was pending can be decided in its old post, by those whom the old settings name and by nobody else.
	for name, approver := range map[string]*mattermost.User{"pending": set.Approver, "pending by blanks": set.Bystander} {
		id := fixture.Requests[name]
		before, err := set.WaitForPost(s.ctx, s.channel.Id, id, nil)
		s.must(err)
		answer := s.clickOnce(set.Requester, s.post(id), stage.Approve)
		s.holds(answer, "own request")
		if state := s.state(id); !state.IsPending() {
			s.Fatalf("%s: the request is %s", name, state)
		}
		s.holds(s.clickOnce(approver, s.post(id), stage.Approve), "You approved")
		s.granted(id, approver)
		settled := s.settled(id, approver.Username)
		if settled.Id != before.Id {
			s.Errorf("%s: the post was %s and is %s", name, before.Id, settled.Id)
		}
		// The requester wanted no messages.
		if messages := s.told(bot(settled), id); len(messages) != 0 {
			s.Errorf("%s: the requester was told %q", name, messages)
		}
	}
	s.goesOn()
}

// goesOn files a new request after an upgrade: it is posted by the same bot, also to the address in the old settings, and decided.
func (s *scene) goesOn() {
	s.Helper()
	id := s.file("after the upgrade")
	post := s.post(id)
	posts, err := set.Mattermost.Posts(s.ctx, s.channel.Id)
	s.must(err)
	for _, earlier := range posts {
		if earlier.GetProp(stage.RequestProp) != nil && earlier.UserId != post.UserId {
			s.Errorf("the bot was %s and is %s", earlier.UserId, post.UserId)
		}
	}
	direct, err := set.Bystander.DirectChannel(s.ctx, bot(post))
	s.must(err)
	_, err = set.WaitForPost(s.ctx, direct.Id, id, stage.IsDecidable)
	if err != nil {
		s.Errorf("whom the old settings name by address gets no requests any more: %v", err)
	}
	s.holds(s.clickOnce(set.Approver, post, stage.Approve), "You approved")
	s.granted(id, set.Approver)
}
