package suite

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

// What is decided is what was shown: neither another request under the same id, nor a post that somebody has edited.

// onOld runs a test with servers that keep the ids that clients choose: a double and the real one, both 13.3.8.
func onOld(t *testing.T, test func(s *scene)) {
	t.Run("double", func(t *testing.T) {
		test(newScene(t, newDouble(t, double.Options{Version: "13.3.8", Cluster: "old-" + strings.ToLower(uuid.NewString()[:8]) + ".example"})))
	})
	t.Run("real", func(t *testing.T) { test(newScene(t, slow)) })
}

// fileAs files a request with an id of its own choice.
func (s *scene) fileAs(id, role string) {
	s.Helper()
	filed, err := s.requester.File(s.ctx, teleport.Wish{ID: id, Roles: []string{role}, Reason: "because"})
	s.must(err)
	if filed != id {
		s.Fatalf("the server calls the request %s, want %s", filed, id)
	}
}

// replace takes a request away and has the requester file another one under its id.
func (s *scene) replace(id, role string) {
	s.Helper()
	s.must(s.admin.Delete(s.ctx, id))
	s.fileAs(id, role)
}

func TestADialogOpenedForOneRequestDoesNotDecideAnotherOfTheSameID(t *testing.T) {
	onOld(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "both"))
		for _, button := range []string{stage.Approve, stage.DenyWithReason} {
			id := uuid.NewString()
			s.fileAs(id, "prod-read")
			post := s.waitForText(id, "prod-read")
			reaction, err := set.Approver.Click(s.ctx, post, button)
			s.must(err)
			if reaction.Dialog == nil {
				s.Fatalf("no dialog opens, but: %s", reaction.Text)
			}
			s.replace(id, "dba")
			answer, err := set.Approver.Submit(s.ctx, post.ChannelId, reaction.Dialog, map[string]any{"reason": "reading is fine"})
			s.must(err)
			s.Logf("%s: %+v", button, answer)
			s.undecided("a dialog for the request before, "+button, id)
			s.noted(set.Approver, "a dialog for the request before")
			// Whoever has seen what is asked for now may decide it.
			s.honestly(id)
		}
	})
}

// honestly decides the request of the role dba after its post shows it.
func (s *scene) honestly(id string) {
	s.Helper()
	post, err := set.WaitForPost(s.ctx, s.channel.Id, id, func(post *model.Post) bool {
		text := stage.Text(post)
		return stage.IsDecidable(post) && strings.Contains(text, "dba") && !strings.Contains(text, "prod-read")
	})
	s.must(err)
	s.holds(s.clickOnce(set.Approver, post, stage.Approve), "You approved")
	request, err := s.admin.Get(s.ctx, id)
	s.must(err)
	if !request.GetState().IsApproved() || !slices.Equal(request.GetRoles(), []string{"dba"}) {
		s.Errorf("Teleport has %s for %v", request.GetState(), request.GetRoles())
	}
}

func TestAClickOnThePostOfARequestThatWasReplacedDecidesNothing(t *testing.T) {
	onOld(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		for _, button := range []string{stage.Approve, stage.Deny} {
			id := uuid.NewString()
			s.fileAs(id, "prod-read")
			post := s.waitForText(id, "prod-read")
			// The plugin has had no time yet to show what is asked for now.
			release, err := set.Mattermost.HoldPost(s.ctx, post.Id)
			s.must(err)
			s.Cleanup(release)
			s.replace(id, "dba")
			if _, err := set.Approver.Client.DoPostAction(s.ctx, post.Id, action(post, button)); err != nil {
				s.Logf("%s: %v", button, err)
			}
			s.undecided("a click on the request before, "+button, id)
			release()
			s.noted(set.Approver, "a click on the request before")
			s.honestly(id)
		}
	})
}

func TestNothingIsApprovedInTheLastSecondsOfARequestWhoseIDCanBeUsedAgain(t *testing.T) {
	onOld(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		id, err := s.requester.File(s.ctx, teleport.Wish{Roles: []string{teleport.RequestedRole}, Lasts: 8 * time.Second})
		s.must(err)
		post := s.post(id)
		reaction, err := set.Approver.Click(s.ctx, post, stage.Approve)
		s.must(err)
		s.Logf("the click: %s", reaction.Text)
		// It may have expired by now, but nobody has decided it.
		if decisions := s.decisions(id); len(decisions) != 0 {
			s.Errorf("Teleport's audit log has decisions: %+v", decisions)
		}
	})
}

// action is the id of the post's button.
func action(post *model.Post, button string) string {
	for _, attachment := range post.Attachments() {
		for _, action := range attachment.Actions {
			if action.Name == button {
				return action.Id
			}
		}
	}
	return ""
}
