package suite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
)

// Nobody decides their own request, whatever they are called at the moment: everybody may change their username, and on
// default servers their address.

// containsFold tells whether a text holds another; case does not count.
func containsFold(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// asks gives somebody a Teleport user of that name, who files the scene's requests from now on.
func (s *scene) asks(user string) {
	s.Helper()
	s.must(s.cluster.CreateResources(s.ctx, fmt.Sprintf("kind: user\nversion: v2\nmetadata: {name: '%s'}\nspec: {roles: [engineer]}\n", user)))
	s.requester = s.dial(user)
}

// disguise is what a requester changes about their account so that nothing points to them any more.
type disguise struct {
	name string
	// user is the Teleport user's name, made from the account as it was.
	user func(account *mattermost.User) string
	put  func(s *scene, account *mattermost.User)
}

func byAddress(account *mattermost.User) string  { return account.Email }
func byUsername(account *mattermost.User) string { return account.Username }

// disguises are the ways to slip out of one's name.
var disguises = []disguise{
	{"another address", byAddress, func(s *scene, account *mattermost.User) {
		s.must(account.ChangeEmail(s.ctx, "somebody-else-"+account.Email))
	}},
	{"another username", byUsername, func(s *scene, account *mattermost.User) {
		s.must(account.Rename(s.ctx, "other-"+account.Username))
	}},
	{"another address and username", byAddress, func(s *scene, account *mattermost.User) {
		s.must(account.ChangeEmail(s.ctx, "somebody-else-"+account.Email))
		s.must(account.Rename(s.ctx, "other-"+account.Username))
	}},
	{"the same address with a tag", byAddress, func(s *scene, account *mattermost.User) {
		s.must(account.ChangeEmail(s.ctx, strings.Replace(account.Email, "@", "+work@", 1)))
	}},
	{"the same mailbox at another domain", byAddress, func(s *scene, account *mattermost.User) {
		s.must(account.ChangeEmail(s.ctx, strings.Replace(account.Email, "@example.com", "@example.org", 1)))
	}},
}

// remembered waits until the plugin has written down what an account is called.
func (s *scene) remembered(account *mattermost.User) {
	s.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		value, err := set.Mattermost.StoredValue(s.ctx, set.PluginID, "links:"+account.ID)
		s.must(err)
		if strings.Contains(string(value), account.Username) {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("the plugin remembers nothing of %s", account.Username)
		}
	}
}

func TestARequesterInDisguiseDoesNotDecideTheirOwnRequest(t *testing.T) {
	for _, disguise := range disguises {
		for _, when := range []string{"between filing and clicking", "before filing"} {
			t.Run(disguise.name+" "+when, func(t *testing.T) {
				onBoth(t, func(s *scene) {
					account := s.newcomer("rachel")
					s.asks(disguise.user(account))
					// Whoever is in the channel may decide, so a new username takes nothing from them.
					s.connect(s.settings().With("AskReason", "never").With("Approvers", "* = channel-members"))
					if when == "before filing" {
						// The plugin has started with the account as it was.
						s.must(set.Mattermost.RestartPlugin(s.ctx, set.PluginID))
						s.must(set.WaitForWatch(s.ctx, s.channel.Id))
						s.remembered(account)
						disguise.put(s, account)
					}
					id := s.file("because")
					s.post(id)
					if when != "before filing" {
						disguise.put(s, account)
					}
					for _, button := range []string{stage.Approve, stage.Deny} {
						answer, err := account.Decide(s.ctx, s.post(id), button, "mine")
						s.must(err)
						s.Logf("%s %s, %s: %s", disguise.name, when, button, answer)
						s.undecided(disguise.name+" "+when+", "+button, id)
						s.holds(answer, "own request")
					}
					// Somebody else still may.
					s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved")
				})
			})
		}
	}
}
