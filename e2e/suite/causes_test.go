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

// noticePatience bounds the wait for a message to the system admins, who get it within a minute on an idle machine.
const noticePatience = 100 * time.Second

// notices are the messages about causes that the system admin has and that have the words, oldest first.
func (s *scene) notices(bot string, words ...string) []string {
	s.Helper()
	posts, err := set.Mattermost.Admin.DirectPosts(s.ctx, bot)
	s.must(err)
	var messages []string
	for _, post := range posts {
		lacks := func(word string) bool { return !strings.Contains(post.Message, word) }
		if post.GetProp("teleport_access_notice") != nil && !slices.ContainsFunc(words, lacks) {
			messages = append(messages, post.Message)
		}
	}
	return messages
}

// waitNotices waits until so many of these messages are as wanted.
func (s *scene) waitNotices(bot string, words []string, wanted func(messages []string) bool) []string {
	s.Helper()
	for deadline := time.Now().Add(noticePatience); ; time.Sleep(500 * time.Millisecond) {
		messages := s.notices(bot, words...)
		if wanted(messages) {
			return messages
		}
		if time.Now().After(deadline) {
			s.Fatalf("the admin's messages with %q are not as wanted: %q", words, messages)
		}
	}
}

// begun is a message about something that has begun and is not over, with these words.
func begun(words ...string) func(messages []string) bool {
	return func(messages []string) bool {
		if len(messages) != 1 || !strings.HasPrefix(messages[0], "⚠️") {
			return false
		}
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(messages[0], word) })
	}
}

// over are a message and its end.
func over(messages []string) bool {
	return len(messages) == 2 && strings.HasPrefix(messages[0], "✅ Over") && strings.HasPrefix(messages[1], "✅ This is over")
}

// elsewhere lets the status be asked in another channel: commands do not work in one that is archived.
func (s *scene) elsewhere() {
	s.Helper()
	channels++
	channel, _, err := set.Channel(s.ctx, fmt.Sprintf("elsewhere-%d", channels))
	s.must(err)
	s.channel = channel
}

func TestABurstOfRequestsForAnArchivedChannelIsOneMessageToTheAdmins(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings())
		id := s.file("before")
		bot := bot(s.post(id))
		archived := s.channel
		s.elsewhere()
		admin := set.Mattermost.Admin.Client
		_, err := admin.DeleteChannel(s.ctx, archived.Id)
		s.must(err)
		for number := range 12 {
			s.file(fmt.Sprint("in the burst ", number))
		}
		of := []string{s.recipient}
		messages := s.waitNotices(bot, of, begun("archived", "and 3 more"))
		if count := strings.Count(messages[0], "\n- `"); count != 10 {
			s.Errorf("it lists %d requests, want ten: %s", count, messages[0])
		}
		s.Log(messages[0])
		s.shows(trouble{"requests that nobody sees", nil, "Posts", []string{"archived"}})
		s.file("one more")
		s.waitNotices(bot, of, begun("archived", "and 4 more"))
		_, _, err = admin.RestoreChannel(s.ctx, archived.Id)
		s.must(err)
		s.waitNotices(bot, of, over)
	})
}

func TestARecipientWhoWasDeactivatedAfterTheFirstPostDoesNotCount(t *testing.T) {
	onDouble(t, func(s *scene) {
		dan, err := set.Mattermost.CreateUser(s.ctx, "dan-who-leaves")
		s.must(err)
		s.connect(s.settings().With("Recipients", "@"+dan.Username))
		id := s.file("for dan")
		direct := s.directPost(dan, id)
		s.must(set.Mattermost.Deactivate(s.ctx, dan))
		s.Log(s.waitNotices(direct.UserId, []string{dan.Username}, begun("deactivated", id))[0])
		s.shows(trouble{"a request that nobody sees", nil, "Posts", []string{id, "deactivated"}})
		_, err = set.Mattermost.Admin.Client.UpdateUserActive(s.ctx, dan.ID, true)
		s.must(err)
		s.waitNotices(direct.UserId, []string{dan.Username}, over)
	})
}

// directPost waits for the request's post in a user's direct channel with the bot.
func (s *scene) directPost(user *mattermost.User, id string) *model.Post {
	s.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		bots, _, err := set.Mattermost.Admin.Client.GetBots(s.ctx, 0, 100, "")
		s.must(err)
		for _, bot := range bots {
			posts, err := user.DirectPosts(s.ctx, bot.UserId)
			s.must(err)
			for _, post := range posts {
				if post.GetProp(stage.RequestProp) == id {
					return post
				}
			}
		}
	}
	s.Fatalf("%s got no post of %s", user.Username, id)
	return nil
}

func TestAnArchivedTeamIsACauseOfItsOwn(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings())
		bot := bot(s.post(s.file("to know the bot")))
		team, err := set.Mattermost.CreateTeam(s.ctx, "former-team")
		s.must(err)
		_, err = set.Mattermost.CreateChannel(s.ctx, team, "requests")
		s.must(err)
		s.connect(s.settings().With("Recipients", "former-team/requests"))
		_, err = set.Mattermost.Admin.Client.SoftDeleteTeam(s.ctx, team.Id)
		s.must(err)
		id := s.file("for a team that is gone")
		s.Log(s.waitNotices(bot, []string{"former-team/requests"}, begun("team is archived", id))[0])
		_, _, err = set.Mattermost.Admin.Client.RestoreTeam(s.ctx, team.Id)
		s.must(err)
		s.waitNotices(bot, []string{"former-team/requests"}, over)
	})
}

func TestApproversThatNobodyCanBeAreRedAndTold(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.isRefused(trouble{"a group that is not there", s.settings().With("Approvers", "dba = group:no-such-group\n* = bob"), onSave, []string{"no-such-group", "Nobody can decide requests for `dba`"}})
		s.isRefused(trouble{"roles of channels in direct messages", s.settings().With("Recipients", "@bob").With("Approvers", "dba = channel-admins\n* = bob"), onSave, []string{"Nobody can decide requests for `dba`", "direct messages"}})
		eve, err := set.Mattermost.CreateUser(s.ctx, "eve-who-leaves")
		s.must(err)
		s.connect(s.settings().With("Approvers", "dba = "+eve.Username+"\n* = bob"))
		bot := bot(s.post(s.file("for eve")))
		s.must(set.Mattermost.Deactivate(s.ctx, eve))
		s.shows(trouble{"an approver who left", nil, "Deciders", []string{"Nobody can decide requests for `dba`", "@eve-who-leaves", "deactivated"}})
		for deadline := time.Now().Add(noticePatience); len(s.notices(bot, "eve-who-leaves")) == 0; time.Sleep(time.Second) {
			if time.Now().After(deadline) {
				s.Fatal("the admin is not told")
			}
		}
		if messages := s.notices(bot, "eve-who-leaves"); !begun("nobody can decide requests for `dba`", "deactivated")(messages) {
			s.Errorf("the admin was told %q", messages)
		}
	})
}

func TestWhereTheServerHasNoMFANobodyCanDecideAndThatIsRed(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.isRefused(trouble{"MFA on a server without", s.settings().With("RequireMFA", true), onSave, []string{"RequireMFA", "switched off"}})
		s.switchMFA(true)
		s.Cleanup(func() { s.switchMFA(false) })
		s.connect(s.settings().With("RequireMFA", true))
		id := s.file("with MFA")
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "set it up in your Mattermost profile")
		s.switchMFA(false)
		s.shows(trouble{"MFA was switched off", nil, "Multi-factor authentication", []string{"Nobody can decide", "switched off"}})
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "switched off on this Mattermost server", "System Console")
		s.untouched(id)
		// What was so before keeps nobody from saving the rest.
		s.must(set.Configure(s.ctx, s.settings().With("RequireMFA", true).With("LogLevel", "debug")))
		s.must(set.Configure(s.ctx, s.settings().With("RequireMFA", true).With("SSOCountsAsMFA", true)))
	})
}

// switchMFA switches the server's multi-factor authentication.
func (s *scene) switchMFA(on bool) {
	s.Helper()
	patch := &model.Config{}
	patch.ServiceSettings.EnableMultifactorAuthentication = &on
	_, _, err := set.Mattermost.Admin.Client.PatchConfig(s.ctx, patch)
	s.must(err)
}

func TestADisabledBotAndRequestersWhoHearNothingAreInTheStatus(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings())
		status, err := set.Status(s.ctx, s.channel.Id)
		s.must(err)
		s.holds(stage.Line(status, "Requesters"), "⚠️", "no direct messages", "suggest")
		bot := bot(s.post(s.file("to know the bot")))
		_, _, err = set.Mattermost.Admin.Client.DisableBot(s.ctx, bot)
		s.must(err)
		s.Cleanup(func() {
			_, _, err := set.Mattermost.Admin.Client.EnableBot(s.ctx, bot)
			s.must(err)
		})
		s.shows(trouble{"a disabled bot", nil, "Bot account", []string{"disabled", "mmctl bot enable"}})
	})
}
