package suite

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
)

// Names change hands: a username, a channel's handle, an e-mail address. What the settings meant when they were saved counts.

// takes has somebody else take a username that nobody has at the moment.
func (s *scene) takes(username string) *mattermost.User {
	s.Helper()
	user := s.newcomer("impostor")
	s.must(user.Rename(s.ctx, username))
	return user
}

// mayNot clicks both buttons, which must decide nothing.
func (s *scene) mayNot(user *mattermost.User, id, what string) {
	s.Helper()
	for _, button := range []string{stage.Approve, stage.Deny} {
		answer, err := user.Decide(s.ctx, s.post(id), button, "mine")
		s.must(err)
		s.Logf("%s, %s: %s", what, button, answer)
		s.undecided(what+", "+button, id)
	}
	s.noted(user, what)
}

func TestWhoeverTakesAnApproversOldUsernameDoesNotDecide(t *testing.T) {
	onBoth(t, func(s *scene) {
		approver := s.newcomer("vera")
		name := approver.Username
		s.connect(s.settings().With("Approvers", "* = "+name+", "+set.Approver.Username))
		before := s.file("because")
		s.post(before)
		s.must(approver.Rename(s.ctx, name+"-married"))
		impostor := s.takes(name)
		for _, id := range []string{before, s.file("because of that")} {
			s.mayNot(impostor, id, "somebody with an approver's old username")
			// Neither does the approver, until an admin has seen the new name: name and account must agree.
			s.mayNot(approver, id, "an approver with a new username")
		}
		_, err := set.WaitForStatus(s.ctx, s.channel.Id, func(status string) bool { return complains(status, name) })
		s.must(err)
	})
}

// complains tells whether a line of the status that is not good names something.
func complains(status, name string) bool {
	for part := range strings.SplitSeq(status, "\n- ") {
		if !strings.Contains(part, "✅ **") && containsFold(part, name) {
			return true
		}
	}
	return false
}

func TestAUsernameThatNobodyHasYetIsNobodysLater(t *testing.T) {
	onDouble(t, func(s *scene) {
		newcomers++
		name := fmt.Sprintf("future-%d", newcomers)
		settings := s.settings().With("Approvers", "* = "+name+", "+set.Approver.Username)
		if err := set.Configure(s.ctx, settings); err != nil {
			// So much the better: nobody can rely on a name that means nobody.
			s.holds(err.Error(), name)
			return
		}
		s.connect(settings)
		s.mayNot(s.takes(name), s.file("because"), "somebody whose username nobody had when the settings were saved")
	})
}

func TestAUsernameOfTheUserTableMeansTheAccountThatItMeant(t *testing.T) {
	onModern(t, onBehalf+reviewers, func(s *scene) {
		reviewer := s.newcomer("rita")
		name := reviewer.Username
		s.connect(s.byTeleport(name, "rita", "bob", "rob"))
		id := s.file("because")
		s.post(id)
		s.must(reviewer.Rename(s.ctx, name+"-married"))
		impostor := s.takes(name)
		s.mayNot(impostor, id, "somebody with a reviewer's old username")
		s.unreviewed(id)
	})
}

func TestAChannelThatAMemberRenamesGoesOnGettingRequests(t *testing.T) {
	onBoth(t, func(s *scene) {
		handle := s.channel.Name
		s.connect(s.settings())
		s.post(s.file("before"))
		// A plain member renames the channel, and gives its handle to another one, where the approvers are not.
		renamed := handle + "-old"
		_, _, err := set.Bystander.Client.PatchChannel(s.ctx, s.channel.Id, &model.ChannelPatch{Name: &renamed})
		s.must(err)
		other, _, err := set.Bystander.Client.CreateChannel(s.ctx, &model.Channel{TeamId: set.Team.Id, Name: handle, DisplayName: handle, Type: model.ChannelTypeOpen})
		s.must(err)
		check := func(what string) {
			s.Helper()
			id := s.file(what)
			s.post(id)
			posts, err := set.PostsOf(s.ctx, other.Id, id)
			s.must(err)
			if len(posts) != 0 {
				s.Errorf("%s: the request stands in the channel that took the handle", what)
			}
		}
		check("after the channel was renamed")
		// A new start looks every name up anew.
		s.must(set.Mattermost.RestartPlugin(s.ctx, set.PluginID))
		s.must(set.WaitForWatch(s.ctx, s.channel.Id))
		check("after a restart")
		_, err = set.WaitForStatus(s.ctx, s.channel.Id, func(status string) bool { return complains(status, handle) })
		s.must(err)
	})
}

func TestAnAddressThatNobodyHasVerifiedGetsNoRequests(t *testing.T) {
	onDouble(t, func(s *scene) {
		// Whoever may choose their own address chooses the one that the settings name.
		eve := s.newcomer("eve")
		address := "oncall-" + s.channel.Name + "@example.com"
		settings := s.settings().With("Recipients", s.recipient+", "+address)
		s.must(eve.ChangeEmail(s.ctx, address))
		if err := set.Configure(s.ctx, settings); err != nil {
			// So much the better: it is not even saved.
			s.holds(err.Error(), address)
			return
		}
		s.connect(settings)
		s.notTold(eve)
	})
}

func TestAnAddressThatSomebodyTakesLaterGetsNoRequests(t *testing.T) {
	onDouble(t, func(s *scene) {
		colleague := s.newcomer("oncall")
		address := colleague.Email
		s.must(set.Mattermost.VerifyEmail(s.ctx, colleague))
		s.connect(s.settings().With("Recipients", s.recipient+", "+address))
		s.post(s.file("before"))
		s.must(colleague.ChangeEmail(s.ctx, "moved-"+address))
		eve := s.newcomer("eve")
		s.must(eve.ChangeEmail(s.ctx, address))
		s.must(set.Mattermost.RestartPlugin(s.ctx, set.PluginID))
		s.must(set.WaitForWatch(s.ctx, s.channel.Id))
		s.notTold(eve)
	})
}

// notTold files a request and fails the test where its post reaches somebody in a direct message.
func (s *scene) notTold(user *mattermost.User) {
	s.Helper()
	id := s.file("a secret reason")
	bot := bot(s.post(id))
	// Long enough for a post in the direct channel, which is made right after the one in the channel.
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		posts, err := user.DirectPosts(s.ctx, bot)
		s.must(err)
		if slices.ContainsFunc(posts, func(post *model.Post) bool { return post.GetProp(stage.RequestProp) == id }) {
			s.Fatalf("%s, whose address nobody has verified, was sent the request", user.Username)
		}
	}
}
