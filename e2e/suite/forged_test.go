package suite

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
)

// clickContext is what the post's button for the verdict sends along, which an attacker may have seen in the database; where
// there is no button any more, what is known of it without.
func clickContext(s *scene, post *model.Post, requestID, verdict string) map[string]any {
	s.Helper()
	button := stage.Deny
	if verdict == "approve" {
		button = stage.Approve
	}
	context, err := set.Mattermost.StoredContext(s.ctx, post.Id, button)
	s.must(err)
	if context == nil {
		context = map[string]any{}
	}
	context["request"], context["cluster"], context["verdict"] = requestID, s.cluster.Name(), verdict
	return context
}

// clickBody is what Mattermost would send for a click on the request's button, as if by the approver.
func clickBody(s *scene, post *model.Post, requestID, verdict string) []byte {
	s.Helper()
	body, err := json.Marshal(model.PostActionIntegrationRequest{
		UserId: set.Approver.ID, UserName: set.Approver.Username, ChannelId: post.ChannelId, PostId: post.Id, TeamId: set.Team.Id,
		TriggerId: "forged", Type: "button", Context: clickContext(s, post, requestID, verdict),
	})
	s.must(err)
	return body
}

// forge posts a body to the plugin's click route with somebody's session, or without one, and answers what they read: where the
// plugin does not say it in its answer, it is a message that only they see.
func (s *scene) forge(user *mattermost.User, body []byte) (int, string) {
	s.Helper()
	send := set.Mattermost.Do
	if user != nil {
		user.Forget()
		send = user.Do
	}
	status, answer, err := send(s.ctx, http.MethodPost, "/plugins/"+set.PluginID+"/click", "application/json", bytes.NewReader(body))
	s.must(err)
	var said struct {
		Text  string `json:"ephemeral_text"`
		Error string `json:"error"`
	}
	if user == nil || !user.Hears() || status != http.StatusOK || json.Unmarshal([]byte(answer), &said) != nil || said.Text+said.Error != "" {
		return status, answer
	}
	reaction, err := user.Next(s.ctx)
	s.must(err)
	return status, reaction.Text
}

func TestAForgedClickOfSomebodyWhoMayNotDecideChangesNothing(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		id := s.file("because")
		post := s.post(id)
		for _, verdict := range []string{"approve", "deny"} {
			_, answer := s.forge(set.Bystander, clickBody(s, post, id, verdict))
			s.holds(answer, "cannot decide")
			_, answer = s.forge(nil, clickBody(s, post, id, verdict))
			s.holds(answer, "sign in")
		}
		s.untouched(id)
	})
}

func TestAUserIDInAHeaderIsNotBelieved(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		id := s.file("because")
		post := s.post(id)
		request, err := http.NewRequestWithContext(s.ctx, http.MethodPost, set.Mattermost.URL+"/plugins/"+set.PluginID+"/click", bytes.NewReader(clickBody(s, post, id, "approve")))
		s.must(err)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Mattermost-User-Id", set.Approver.ID)
		request.Header.Set("mattermost-user-id", set.Approver.ID)
		response, err := http.DefaultClient.Do(request)
		s.must(err)
		s.must(response.Body.Close())
		s.untouched(id)
	})
}

func TestADialogIsOnlyTakenFromWhomItWasOpenedFor(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("Approvers", "* = bob, carol"))
		id := s.file("because")
		post := s.post(id)
		reaction, err := set.Approver.Click(s.ctx, post, stage.DenyWithReason)
		s.must(err)
		if reaction.Dialog == nil {
			s.Fatalf("no dialog opens, but: %s", reaction.Text)
		}
		stolen, err := set.Bystander.Submit(s.ctx, post.ChannelId, reaction.Dialog, map[string]any{"reason": "stolen"})
		s.must(err)
		s.holds(stolen.Error, "not valid")
		s.noted(set.Bystander, "a stolen dialog", "not valid any more")
		made := *reaction.Dialog
		made.Dialog.State = "0123456789abcdef0123456789abcdef"
		forged, err := set.Approver.Submit(s.ctx, post.ChannelId, &made, map[string]any{"reason": "made up"})
		s.must(err)
		s.holds(forged.Error, "not valid")
		s.noted(set.Approver, "a dialog that was never opened", "not valid any more")
		s.untouched(id)
		_, err = set.Approver.Submit(s.ctx, post.ChannelId, reaction.Dialog, map[string]any{"reason": "mine"})
		s.must(err)
		s.settled(id, "mine")
		again, err := set.Approver.Submit(s.ctx, post.ChannelId, reaction.Dialog, map[string]any{"reason": "again"})
		s.must(err)
		s.holds(again.Error, "not valid")
		s.noted(set.Approver, "a dialog that was used up", "not valid any more")
		if len(s.decisions(id)) != 1 {
			s.Errorf("got decisions %+v, want one", s.decisions(id))
		}
	})
}
