package suite

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
)

// newcomers counts the people that tests have made.
var newcomers int

// newcomer makes somebody with an account of their own, in the team and in the scene's channel.
func (s *scene) newcomer(name string) *mattermost.User {
	s.Helper()
	newcomers++
	user, err := set.Mattermost.CreateUser(s.ctx, fmt.Sprintf("%s-%d", name, newcomers))
	s.must(err)
	s.Cleanup(user.Close)
	s.must(set.Mattermost.Join(s.ctx, set.Team, user))
	s.must(set.Mattermost.Invite(s.ctx, s.channel, user))
	return user
}

// attempt is an entry of the plugin's audit trail.
type attempt struct {
	ID           string `json:"id"`
	UserID       string `json:"user_id"`
	Username     string `json:"username"`
	TeleportUser string `json:"teleport_user"`
	Authority    string `json:"authority"`
	Cluster      string `json:"cluster"`
	RequestID    string `json:"request_id"`
	Verdict      string `json:"verdict"`
	Reason       string `json:"reason"`
	Result       string `json:"result"`
	Cause        string `json:"cause"`

	GrantedRoles []string `json:"granted_roles"`
	RefusedRoles []string `json:"refused_roles"`
	Voters       []struct {
		Username string `json:"username"`
	} `json:"voters"`
}

// trail is the plugin's audit trail, newest first.
func (s *scene) trail() []attempt {
	s.Helper()
	status, content, err := set.Mattermost.Admin.Do(s.ctx, http.MethodGet, "/plugins/"+set.PluginID+"/audit.jsonl", "", nil)
	s.must(err)
	if status != http.StatusOK {
		s.Fatalf("the audit trail answers %d: %s", status, content)
	}
	var all []attempt
	places := map[string]int{}
	for line := range strings.Lines(content) {
		var one attempt
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			s.Fatalf("cannot read %q: %v", line, err)
		}
		if one.Result == "started" || one.Result == "checkpoint" {
			continue
		}
		// What came of an attempt follows its beginning.
		if place, begun := places[one.ID]; begun && one.ID != "" {
			all[place] = one
			continue
		}
		places[one.ID] = len(all)
		all = append(all, one)
	}
	// The export begins with the oldest.
	slices.Reverse(all)
	return all
}

// attempts are the entries of the audit trail that somebody has made, newest first.
func (s *scene) attempts(user *mattermost.User) []attempt {
	s.Helper()
	return slices.DeleteFunc(s.trail(), func(one attempt) bool { return one.UserID != user.ID || one.Result == "noted" })
}

// noted fails the test where the newest entry of the audit trail that somebody has made is not a refusal that says why.
func (s *scene) noted(user *mattermost.User, what string, words ...string) {
	s.Helper()
	found := s.attempts(user)
	if len(found) == 0 {
		s.Errorf("%s: nothing stands in the audit trail", what)
		return
	}
	if newest := found[0]; newest.Result != "refused" || newest.Username != user.Username {
		s.Errorf("%s: the audit trail has %+v", what, newest)
	} else {
		s.holds(newest.Cause, words...)
	}
}

// logged fails the test where the server's log has no refused attempt about the request with these words.
func (s *scene) logged(requestID string, words ...string) {
	s.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		content, err := os.ReadFile(set.Mattermost.LogPath())
		s.must(err)
		for line := range strings.Lines(string(content)) {
			holds := strings.Contains(line, "Attempt to decide") && strings.Contains(line, "refused") && strings.Contains(line, requestID)
			for _, word := range words {
				holds = holds && strings.Contains(line, word)
			}
			if holds {
				return
			}
		}
		if time.Now().After(deadline) {
			s.Errorf("the server's log has no refused attempt about %s with %q", requestID, words)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// bot is the plugin's own account: whoever posted the request's post.
func bot(post *model.Post) string { return post.UserId }

// clickOnce clicks the button and answers what the clicker reads.
func (s *scene) clickOnce(user *mattermost.User, post *model.Post, button string) string {
	s.Helper()
	answer, err := user.Decide(s.ctx, post, button, "")
	if err != nil {
		s.Fatalf("%s clicks %s: %v", user.Username, button, err)
	}
	return answer
}

// mapping is the setting UserMapping: pairs of a Mattermost account and a Teleport user.
func mapping(pairs ...string) string {
	var lines strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&lines, "%s = %s\n", pairs[i], pairs[i+1])
	}
	return lines.String()
}

// waitForText waits until the request's post holds the words, whether it has buttons or not.
func (s *scene) waitForText(id string, words ...string) *model.Post {
	s.Helper()
	post, err := set.WaitForPost(s.ctx, s.channel.Id, id, func(post *model.Post) bool {
		for _, word := range words {
			if !strings.Contains(stage.Text(post), word) {
				return false
			}
		}
		return true
	})
	s.must(err)
	return post
}
