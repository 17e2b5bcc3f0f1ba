package suite

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// told are the direct messages about a request that the requester has got from the plugin.
func (s *scene) told(bot, id string) []string {
	s.Helper()
	posts, err := set.Requester.DirectPosts(s.ctx, bot)
	s.must(err)
	var messages []string
	for _, post := range posts {
		if post.GetProp(stage.RequestProp) == id {
			messages = append(messages, stage.Text(post))
		}
	}
	return messages
}

// waitTold waits until the requester has got so many messages about the request, and answers them.
func (s *scene) waitTold(bot, id string, count int) []string {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		messages := s.told(bot, id)
		if len(messages) >= count {
			return messages
		}
		if time.Now().After(deadline) {
			s.Fatalf("the requester was told %q, want %d messages", messages, count)
		}
	}
}

func TestTheRequesterIsToldOfEachReviewAndOfTheDecision(t *testing.T) {
	onModern(t, onBehalf+reviewers+careful, func(s *scene) {
		s.connect(s.byTeleport("bob", "rita", "carol", "rob", "alice", teleport.Requester).With("NotifyRequesters", true))
		id := s.file("because")
		bot := bot(s.post(id))
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "1 of 2")
		messages := s.waitTold(bot, id, 1)
		s.holds(messages[0], "Your access request for `dba` was reviewed", "rita")
		s.holds(s.clickOnce(set.Bystander, s.post(id), stage.Approve), "You approved")
		messages = s.waitTold(bot, id, 3)
		s.holds(messages[1], "was reviewed", "rob")
		s.holds(messages[2], "Approved", "tsh login --request-id="+id, "/teleport notifications off")
		s.settled(id, "rob")
		if again := s.told(bot, id); len(again) != 3 {
			s.Errorf("the requester was told %q, want three messages", again)
		}
	})
}

func TestTheRequesterIsToldOfADecisionOutright(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never").With("UserMapping", mapping("alice", teleport.Requester, "bob", "rita")).With("NotifyRequesters", true))
		approved, denied := s.file("one"), s.file("two")
		bot := bot(s.post(approved))
		s.post(denied)
		s.holds(s.clickOnce(set.Approver, s.post(approved), stage.Approve), "You approved")
		// And of what happens in Teleport.
		s.must(s.admin.SetState(s.ctx, denied, types.RequestState_DENIED, "not today"))
		s.holds(s.waitTold(bot, approved, 1)[0], "Approved", "tsh login --request-id="+approved, "@bob")
		denial := s.waitTold(bot, denied, 1)[0]
		s.holds(denial, "Denied", "not today")
		if strings.Contains(denial, "tsh login") {
			s.Errorf("a denial tells how to use it: %s", denial)
		}
		for _, id := range []string{approved, denied} {
			if messages := s.told(bot, id); len(messages) != 1 {
				s.Errorf("the requester was told %q, want one message", messages)
			}
		}
	})
}

func TestWhoeverTurnsMessagesOffHearsNothingUntilTheyTurnThemOn(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never").With("UserMapping", mapping("alice", teleport.Requester, "bob", "rita")).With("NotifyRequesters", true))
		turn := func(to, words string) {
			answer, err := set.Requester.Command(s.ctx, s.channel.Id, "/teleport notifications "+to)
			s.must(err)
			s.holds(answer, words)
		}
		turn("off", "no more direct messages")
		s.Cleanup(func() { turn("on", "You get a direct message") })
		// What would be told of the first has been told when the second is done.
		first, second := s.file("quiet"), s.file("quiet, too")
		bot := bot(s.post(first))
		for _, id := range []string{first, second} {
			s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved")
			s.settled(id, "Approved")
		}
		if messages := s.told(bot, first); len(messages) != 0 {
			s.Errorf("while the messages were off came %q", messages)
		}
		turn("sideways", "`/teleport notifications on` or `/teleport notifications off`")
		turn("on", "You get a direct message")
		loud := s.file("loud")
		s.holds(s.clickOnce(set.Approver, s.post(loud), stage.Approve), "You approved")
		s.waitTold(bot, loud, 1)
	})
}

func TestWhoeverTurnsMessagesOffInTheMiddleOfARequestHearsNoMoreOfIt(t *testing.T) {
	onModern(t, onBehalf+reviewers+careful, func(s *scene) {
		s.connect(s.byTeleport("bob", "rita", "carol", "rob", "alice", teleport.Requester).With("NotifyRequesters", true))
		turn := func(to string) {
			_, err := set.Requester.Command(s.ctx, s.channel.Id, "/teleport notifications "+to)
			s.must(err)
		}
		id := s.file("because")
		bot := bot(s.post(id))
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "1 of 2")
		s.waitTold(bot, id, 1)
		turn("off")
		s.Cleanup(func() { turn("on") })
		s.holds(s.clickOnce(set.Bystander, s.post(id), stage.Approve), "You approved")
		s.settled(id, "rob")
		turn("on")
		loud := s.file("loud")
		s.holds(s.clickOnce(set.Approver, s.post(loud), stage.Deny), "You denied")
		s.waitTold(bot, loud, 2)
		if messages := s.told(bot, id); len(messages) != 1 {
			s.Errorf("the requester was told %q, want one message", messages)
		}
	})
}

func TestARequesterWhoIsNotKnownHereIsNotGuessed(t *testing.T) {
	onDouble(t, func(s *scene) {
		// Alice's address is the requester's name, but nobody has verified it, and only bob is mapped.
		s.connect(s.settings().With("AskReason", "never").With("MatchEmail", true).With("UserMapping", mapping("bob", "rita")).With("NotifyRequesters", true))
		id := s.file("because")
		bot := bot(s.post(id))
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved")
		s.settled(id, "Approved")
		posts, err := set.Requester.DirectPosts(s.ctx, bot)
		s.must(err)
		if slices.ContainsFunc(posts, func(post *model.Post) bool { return post.GetProp(stage.RequestProp) == id }) {
			s.Error("somebody was told whose address nobody has verified")
		}
	})
}

func TestARequestForLastingAccessCanOnlyBeDeniedAndSaysWhyWithALink(t *testing.T) {
	onModern(t, onBehalf+reviewers, func(s *scene) {
		s.connect(s.byTeleport("bob", "rita"))
		id := s.file("because")
		s.post(id)
		s.must(modern.MakeLongTerm(id))
		page := "https://" + s.cluster.ProxyAddress() + "/web/requests/" + id
		post := s.onlyDeniable(id, "Pending", "Decide in Teleport", "lasting access", "access list", page)
		// An approval that is forged from what the Deny button sends decides nothing either.
		forged := clickContext(s, post, id, "deny")
		forged["verdict"] = "approve"
		body, err := json.Marshal(model.PostActionIntegrationRequest{
			UserId: set.Approver.ID, UserName: set.Approver.Username, ChannelId: post.ChannelId, PostId: post.Id,
			TeamId: set.Team.Id, TriggerId: "forged", Type: "button", Context: forged,
		})
		s.must(err)
		_, answer := s.forge(set.Approver, body)
		s.holds(answer, "Nothing was changed", "lasting access")
		s.noted(set.Approver, "a click on a request for lasting access", "lasting access")
		if reviews := s.reviews(id); len(reviews) != 0 || !s.state(id).IsPending() {
			s.Errorf("the request is %s with reviews %+v", s.state(id), reviews)
		}
		s.must(modern.Promote(id, "dbas"))
		s.settled(id, "Promoted to access list", "dbas")

		another := s.file("because")
		s.post(another)
		s.must(modern.MakeLongTerm(another))
		s.holds(s.clickOnce(set.Approver, s.onlyDeniable(another, "lasting access"), stage.Deny), "You denied")
		s.settled(another, "Denied")
	})
}

// onlyDeniable waits for the request's post to hold the words, and Deny for its only button.
func (s *scene) onlyDeniable(id string, words ...string) *model.Post {
	s.Helper()
	post, err := set.WaitForPost(s.ctx, s.channel.Id, id, func(post *model.Post) bool {
		lacks := func(word string) bool { return !strings.Contains(stage.Text(post), word) }
		return slices.Contains(stage.Buttons(post), stage.Deny) && !slices.Contains(stage.Buttons(post), stage.Approve) && !slices.ContainsFunc(words, lacks)
	})
	s.must(err)
	return post
}
