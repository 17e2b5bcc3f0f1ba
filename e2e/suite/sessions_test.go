package suite

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
)

// Only a person's own login decides: whatever else may speak for an account is software.

// personalToken is the approver's personal access token.
func personalToken(s *scene) *mattermost.User {
	s.Helper()
	token, _, err := set.Mattermost.Admin.Client.CreateUserAccessToken(s.ctx, set.Approver.ID, "for the test", 0)
	s.must(err)
	return set.Approver.WithToken(token.Token)
}

// app is an OAuth app that the approver has allowed to act for them.
func app(s *scene) *mattermost.User {
	s.Helper()
	s.Helper()
	// Since 11 nobody may make apps unless a role says so.
	role, _, err := set.Mattermost.Admin.Client.GetRoleByName(s.ctx, model.SystemAdminRoleId)
	s.must(err)
	permissions := append(role.Permissions, model.PermissionManageOAuth.Id)
	_, _, err = set.Mattermost.Admin.Client.PatchRole(s.ctx, role.Id, &model.RolePatch{Permissions: &permissions})
	s.must(err)
	callback := "https://app.example.com/callback"
	made, _, err := set.Mattermost.Admin.Client.CreateOAuthApp(s.ctx, &model.OAuthApp{
		Name: "Helper of " + s.channel.Name, Description: "for the test", Homepage: "https://app.example.com", CallbackUrls: []string{callback},
	})
	s.must(err)
	redirect, _, err := set.Approver.Client.AuthorizeOAuthApp(s.ctx, &model.AuthorizeRequest{
		ResponseType: model.AuthCodeResponseType, ClientId: made.Id, RedirectURI: callback, Scope: "user", State: "state",
	})
	s.must(err)
	back, err := url.Parse(redirect)
	s.must(err)
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {made.Id}, "client_secret": {made.ClientSecret},
		"redirect_uri": {callback}, "code": {back.Query().Get("code")},
	}
	status, answer, err := set.Mattermost.Do(s.ctx, http.MethodPost, "/oauth/access_token", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	s.must(err)
	var token model.AccessResponse
	if err := json.Unmarshal([]byte(answer), &token); err != nil || status != http.StatusOK || token.AccessToken == "" {
		s.Fatalf("there is no token for the app: %d %s", status, answer)
	}
	return set.Approver.WithToken(token.AccessToken)
}

// ways are the ways in which a session reaches the plugin: as Mattermost passes a button's click on, and by hand.
var ways = map[string]func(s *scene, user *mattermost.User, post *model.Post, id string){
	"a click on the button": func(s *scene, user *mattermost.User, post *model.Post, _ string) {
		_, err := user.Client.DoPostAction(s.ctx, post.Id, action(post, stage.Approve))
		s.Logf("the click: %v", err)
	},
	"a request with the token in the header": func(s *scene, user *mattermost.User, post *model.Post, id string) {
		status, answer := s.forge(user, s.clickOf(user, post, id))
		s.Logf("the request: %d %s", status, answer)
	},
	"a request with the token in the address": func(s *scene, user *mattermost.User, post *model.Post, id string) {
		path := "/plugins/" + set.PluginID + "/click?access_token=" + url.QueryEscape(user.Client.AuthToken)
		status, answer, err := set.Mattermost.Do(s.ctx, http.MethodPost, path, "application/json", bytes.NewReader(s.clickOf(user, post, id)))
		s.must(err)
		s.Logf("the request: %d %s", status, answer)
	},
}

// clickOf is the body of the user's click on Approve.
func (s *scene) clickOf(user *mattermost.User, post *model.Post, id string) []byte {
	s.Helper()
	var body model.PostActionIntegrationRequest
	s.must(json.Unmarshal(clickBody(s, post, id, "approve"), &body))
	body.UserId, body.UserName = user.ID, user.Username
	content, err := json.Marshal(body)
	s.must(err)
	return content
}

func TestATokenDoesNotDecide(t *testing.T) {
	for name, make := range map[string]func(s *scene) *mattermost.User{
		"a personal access token": personalToken,
		"an OAuth app":            app,
		"a bot's token":           func(s *scene) *mattermost.User { return s.robot("decider") },
	} {
		t.Run(name, func(t *testing.T) {
			onDouble(t, func(s *scene) {
				holder := make(s)
				// The bot is among the approvers, too, who are whoever is in the channel.
				s.connect(s.settings().With("AskReason", "never").With("Approvers", "* = channel-members"))
				for way, click := range ways {
					id := s.file("because")
					click(s, holder, s.post(id), id)
					s.undecided(name+", "+way, id)
					s.noted(holder, name+", "+way)
				}
			})
		})
	}
}

func TestATokenDoesNotSubmitADialogThatAPersonOpened(t *testing.T) {
	onDouble(t, func(s *scene) {
		holder := personalToken(s)
		s.connect(s.settings().With("AskReason", "both"))
		id := s.file("because")
		post := s.post(id)
		reaction, err := set.Approver.Click(s.ctx, post, stage.Approve)
		s.must(err)
		if reaction.Dialog == nil {
			s.Fatalf("no dialog opens, but: %s", reaction.Text)
		}
		answer, err := holder.Submit(s.ctx, post.ChannelId, reaction.Dialog, map[string]any{"reason": "by software"})
		s.Logf("the submission: %+v %v", answer, err)
		s.undecided("a dialog submitted with a token", id)
		// The person may still submit it.
		answer, err = set.Approver.Submit(s.ctx, post.ChannelId, reaction.Dialog, map[string]any{"reason": "by myself"})
		s.must(err)
		s.Logf("by the person: %+v", answer)
		s.settled(id, "by myself")
	})
}

func TestAPersonsLoginDecidesInEveryWay(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		for way, click := range ways {
			id := s.file("because")
			click(s, set.Approver, s.post(id), id)
			if state := s.state(id); !state.IsApproved() {
				s.Errorf("%s: the request is %s, want APPROVED", way, state)
			}
			s.settled(id, "bob")
		}
	})
}
