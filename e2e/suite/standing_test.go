package suite

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

// Posts go on to be true: where their channel is archived or renamed, when the request is over, and whoever edits or deletes
// them.

// posts waits for the line about posts in the status.
func (s *scene) posts(sign string, words ...string) {
	s.Helper()
	s.line("Posts", sign, words...)
}

// line waits for a line of the status.
func (s *scene) line(name, sign string, words ...string) {
	s.Helper()
	_, err := set.WaitForStatus(s.ctx, s.channel.Id, func(status string) bool {
		line := stage.Line(status, name)
		for _, word := range words {
			if !strings.Contains(line, word) {
				return false
			}
		}
		return strings.Contains(line, sign)
	})
	s.must(err)
}

func TestAPostInAnArchivedChannelRestsDecidesNothingAndIsRenewedWhenTheChannelIsBack(t *testing.T) {
	onDouble(t, func(s *scene) {
		second, recipient, err := set.Channel(s.ctx, s.channel.Name+"-archived")
		s.must(err)
		s.connect(s.settings().With("AskReason", "never").With("Recipients", s.recipient+", "+recipient))
		id := s.file("because")
		s.post(id)
		resting, err := set.WaitForPost(s.ctx, second.Id, id, stage.IsDecidable)
		s.must(err)
		_, err = set.Mattermost.Admin.Client.DeleteChannel(s.ctx, second.Id)
		s.must(err)
		reaction, err := set.Approver.Click(s.ctx, resting, stage.Approve)
		s.must(err)
		s.holds(reaction.Text, "this channel is archived")
		s.undecided("in the archived channel", id)
		after := s.file("filed afterwards")
		s.post(after)
		s.must(s.admin.SetState(s.ctx, id, types.RequestState_APPROVED, "fine by me"))
		s.settled(id, "Approved")
		s.posts("✅", "posts rest in", "archived")
		_, _, err = set.Mattermost.Admin.Client.RestoreChannel(s.ctx, second.Id)
		s.must(err)
		_, err = set.WaitForPost(s.ctx, second.Id, id, func(post *model.Post) bool {
			return len(stage.Buttons(post)) == 0 && strings.Contains(stage.Text(post), "Approved")
		})
		s.must(err)
		posted, err := set.WaitForPost(s.ctx, second.Id, after, stage.IsDecidable)
		s.must(err)
		s.posts("✅")
		s.holds(s.clickOnce(set.Approver, posted, stage.Approve), "You approved")
	})
}

func TestAPostThatIsSentBackWithoutItsButtonsIsWrittenAgain(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		id := s.file("because")
		post := s.post(id)
		before := s.attachments(post.Id)
		for _, round := range []string{"without buttons", "without props"} {
			props := model.StringInterface{}
			if round == "without buttons" {
				props = s.sentBack(post)
			}
			message := "fine"
			_, _, err := set.Mattermost.Admin.Client.PatchPost(s.ctx, post.Id, &model.PostPatch{Message: &message, Props: &props})
			s.must(err)
			s.repaired(post, before)
			s.Logf("%s: written again", round)
		}
		s.honest(id)
	})
}

// sentBack are a post's props as clients send them back: with attachments, and without the buttons in them.
func (s *scene) sentBack(post *model.Post) model.StringInterface {
	s.Helper()
	content, err := json.Marshal(post.GetProps())
	s.must(err)
	props := model.StringInterface{}
	s.must(json.Unmarshal(content, &props))
	attachments, _ := props["attachments"].([]any)
	for _, attachment := range attachments {
		if fields, isObject := attachment.(map[string]any); isObject {
			delete(fields, "actions")
		}
	}
	return props
}

func TestADeletedPostOfAPendingRequestIsInTheStatusAndPostedAgainIfTheSettingsSaySo(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		id := s.file("because")
		_, err := set.Mattermost.Admin.Client.DeletePost(s.ctx, s.post(id).Id)
		s.must(err)
		s.posts("⚠️", "Somebody deleted posts", id)
		s.connect(s.settings().With("AskReason", "never").With("RepostDeleted", true))
		another := s.file("another one")
		first := s.post(another)
		_, err = set.Mattermost.Admin.Client.DeletePost(s.ctx, first.Id)
		s.must(err)
		again, err := set.WaitForPost(s.ctx, s.channel.Id, another, func(post *model.Post) bool {
			return post.Id != first.Id && len(stage.Buttons(post)) == 2
		})
		s.must(err)
		s.holds(s.clickOnce(set.Approver, again, stage.Approve), "You approved")
	})
}

func TestARequestThatTeleportStillListsAfterItsExpiryHasExpired(t *testing.T) {
	s := newScene(t, newDouble(t, double.Options{Cluster: "lingering.example", Lingers: time.Hour}))
	settings := s.settings().With("AskReason", "never").With("NotifyRequesters", true)
	s.connect(settings.With("UserMapping", mapping("alice", teleport.Requester, "bob", teleport.Admin)))
	id, err := s.requester.File(s.ctx, teleport.Wish{Roles: []string{teleport.RequestedRole}, Lasts: 5 * time.Second})
	s.must(err)
	post := s.post(id)
	body := clickBody(s, post, id, "approve")
	for request, err := s.admin.Get(s.ctx, id); err == nil && request.Expiry().After(time.Now()); {
		time.Sleep(50 * time.Millisecond)
	}
	// A click that was on its way.
	_, answer := s.forge(set.Approver, body)
	s.Logf("after its expiry: %s", answer)
	s.holds(answer, "expired")
	s.undecided("after its expiry", id)
	s.settled(id, "Expired")
	s.holds(s.waitTold(bot(post), id, 1)[0], "expired", "nobody decided in time")
	s.undecided("in the end", id)
}

func TestRequestsArePostedOnWhenAChannelOrTeamIsRenamedAndTheSettingsPageSaysTheNewName(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings())
		// Names are looked at once a minute: the new settings have pinned them by now.
		s.post(s.file("before"))
		old, now := s.channel.Name, s.channel.Name+"-renamed"
		_, _, err := set.Mattermost.Admin.Client.PatchChannel(s.ctx, s.channel.Id, &model.ChannelPatch{Name: &now})
		s.must(err)
		s.post(s.file("after the channel got another name"))
		s.line("Names", "⚠️", "`"+s.recipient+"` is called `"+set.Team.Name+"/"+now+"` now")
		team := set.Team.Name
		s.must(set.Mattermost.RenameTeam(s.ctx, set.Team.Id, "sre-team"))
		s.Cleanup(func() {
			if err := set.Mattermost.RenameTeam(s.ctx, set.Team.Id, team); err != nil {
				s.Error(err)
			}
		})
		s.post(s.file("after the team got another name"))
		s.line("Names", "⚠️", "`sre-team/"+now+"`")
		// Saving begins everything anew: names are looked at at once.
		s.connect(s.settings().With("Reminders", "2m"))
		s.post(s.file("after a restart"))
		s.toldOfNames(old, "`sre-team/"+now+"` now")
	})
}

// toldOfNames waits until the admin has exactly one message with these words.
func (s *scene) toldOfNames(words ...string) {
	s.Helper()
	bot := bot(s.post(s.file("whose bot")))
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		posts, err := set.Mattermost.Admin.DirectPosts(s.ctx, bot)
		s.must(err)
		count := 0
		for _, post := range posts {
			holds := true
			for _, word := range words {
				holds = holds && strings.Contains(post.Message, word)
			}
			if holds {
				count++
			}
		}
		if count == 1 {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("the admin has %d messages with %q", count, words)
		}
	}
}
