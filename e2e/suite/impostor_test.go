package suite

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
)

// impostorID is the id of the plugin in e2e/impostor.
const impostorID = "com.example.impostor"

// impersonates has the other plugin ask for something in somebody's name, and answers what came of it.
func (s *scene) impersonates(wish map[string]string) (int, string) {
	s.Helper()
	body, err := json.Marshal(wish)
	s.must(err)
	status, answer, err := set.Bystander.Do(s.ctx, http.MethodPost, "/plugins/"+impostorID+"/", "application/json", bytes.NewReader(body))
	s.must(err)
	return status, answer
}

// Mattermost 9.9 lets a plugin name any user in the header of its request to another one.
func TestAnotherPluginAsksForNothingInSomebodysName(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		id := s.file("because")
		post := s.post(id)
		admin := set.Mattermost.Admin
		_, _, err := admin.Client.UploadPluginForced(s.ctx, bytes.NewReader(s.bundled("impostor")))
		s.must(err)
		s.Cleanup(func() {
			if _, err := admin.Client.RemovePlugin(s.ctx, impostorID); err != nil {
				s.Errorf("the impostor is not removed: %v", err)
			}
		})
		_, err = admin.Client.EnablePlugin(s.ctx, impostorID)
		s.must(err)
		s.must(set.Mattermost.WaitForPlugin(s.ctx, impostorID))
		for path, body := range map[string]string{
			"click": string(clickBody(s, post, id, "approve")), "dialog": `{"state":"x"}`, "panel.Panel/State": "",
		} {
			user := set.Approver.ID
			if path == "panel.Panel/State" {
				user = admin.ID
			}
			status, answer := s.impersonates(map[string]string{"path": "/" + set.PluginID + "/" + path, "user": user, "body": body})
			if status != http.StatusForbidden {
				s.Errorf("%s: the answer is %d: %s", path, status, answer)
			}
			s.holds(answer, "Other plugins cannot use this")
		}
		status, answer := s.impersonates(map[string]string{"command": "/teleport status", "channel": s.channel.Id, "user": admin.ID})
		if status != http.StatusOK {
			s.Errorf("the command: %d: %s", status, answer)
		}
		s.holds(answer, "Other plugins cannot use this command")
		s.untouched(id)
		// A person still may.
		s.holds(s.clickOnce(set.Approver, post, "Approve"), "You approved")
	})
}
