package suite

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

// waitReply waits until a reply in the post's thread holds the words.
func (s *scene) waitReply(post *model.Post, words ...string) {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var replies []string
		for _, part := range s.thread(set.Approver, post) {
			lacks := func(word string) bool { return !strings.Contains(part.text, word) }
			if part.post.Id == post.Id {
				continue
			}
			if !slices.ContainsFunc(words, lacks) {
				return
			}
			replies = append(replies, part.text)
		}
		if time.Now().After(deadline) {
			s.Fatalf("no reply holds %q: %q", words, replies)
		}
	}
}

// dialog clicks a button that opens a dialog.
func (s *scene) dialog(user *mattermost.User, post *model.Post, button string) *model.OpenDialogRequest {
	s.Helper()
	reaction, err := user.Click(s.ctx, post, button)
	s.must(err)
	if reaction.Dialog == nil {
		s.Fatalf("no dialog opens, but: %s", reaction.Text)
	}
	return reaction.Dialog
}

// submits submits the approver's dialog, and answers what they read then.
func (s *scene) submits(post *model.Post, dialog *model.OpenDialogRequest, values map[string]any) mattermost.Reaction {
	s.Helper()
	answer, err := set.Approver.Submit(s.ctx, post.ChannelId, dialog, values)
	s.must(err)
	if answer != nil && (answer.Error != "" || len(answer.Errors) > 0) {
		s.Fatalf("the dialog stays open: %+v", answer)
	}
	reaction, err := set.Approver.Next(s.ctx)
	s.must(err)
	return reaction
}

// outcome is the audit trail's entry of what a request came to.
func (s *scene) outcome(id string) attempt {
	s.Helper()
	trail := s.trail()
	place := slices.IndexFunc(trail, func(one attempt) bool { return one.RequestID == id && one.Result == "settled" })
	if place < 0 {
		s.Fatalf("the audit trail does not say what %s came to", id)
	}
	return trail[place]
}

func TestADenialTakesADialogOnlyWhereAReasonIsWanted(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings())
		plain := s.file("because")
		reaction, err := set.Approver.Click(s.ctx, s.post(plain), stage.Deny)
		s.must(err)
		if reaction.Dialog != nil || s.state(plain) != types.RequestState_DENIED {
			s.Errorf("Deny opens a dialog: %t, and the request is %s", reaction.Dialog != nil, s.state(plain))
		}
		s.holds(reaction.Text, "You denied")
		reasoned := s.file("because")
		s.dialog(set.Approver, s.post(reasoned), stage.DenyWithReason)
		s.untouched(reasoned)

		// Where a reason must be given, there is one button, which asks for it. The post that stands is written anew.
		s.connect(s.settings().With("RequireReason", true))
		post, err := set.WaitForPost(s.ctx, s.channel.Id, reasoned, func(post *model.Post) bool {
			return slices.Equal(stage.Buttons(post), []string{stage.Approve, stage.Deny})
		})
		s.must(err)
		dialog := s.dialog(set.Approver, post, stage.Deny)
		s.holds(s.submits(post, dialog, map[string]any{"reason": "not on a Friday"}).Text, "You denied")
		s.settled(reasoned, "Denied", "not on a Friday")
	})
}

func TestPrivateAnswersAreInTheChannelAndInNoThread(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings())
		one, two, three := s.post(s.file("one")), s.post(s.file("two")), s.post(s.file("three"))
		before := len(set.Approver.InThreads()) + len(set.Bystander.InThreads())
		for what, act := range map[string]func() (mattermost.Reaction, error){
			"a refusal":  func() (mattermost.Reaction, error) { return set.Bystander.Click(s.ctx, three, stage.Approve) },
			"a decision": func() (mattermost.Reaction, error) { return set.Approver.Click(s.ctx, one, stage.Approve) },
			"a submission": func() (mattermost.Reaction, error) {
				return s.submits(two, s.dialog(set.Approver, two, stage.DenyWithReason), map[string]any{"reason": "because"}), nil
			},
		} {
			reaction, err := act()
			if err != nil || reaction.Root != "" || reaction.Text == "" {
				s.Errorf("%s: %+v, %v", what, reaction, err)
			}
		}
		if after := len(set.Approver.InThreads()) + len(set.Bystander.InThreads()); after != before {
			s.Errorf("%d answers are in threads", after-before)
		}
	})
}

func TestWhoeverCannotSubmitADialogFromTheThreadsViewIsToldTheWayThatWorks(t *testing.T) {
	onDouble(t, func(s *scene) {
		threader := s.newcomer("threader")
		s.connect(s.settings().With("Approvers", "* = "+threader.Username))
		id := s.file("because")
		post := s.post(id)
		dialog := s.dialog(threader, post, stage.DenyWithReason)
		// As the web clients do it from there.
		_, _, err := threader.Client.SubmitInteractiveDialog(s.ctx, model.SubmitDialogRequest{
			URL: dialog.URL, CallbackId: dialog.Dialog.CallbackId, State: dialog.Dialog.State, Submission: map[string]any{"reason": "not on a Friday"},
		})
		if err == nil {
			s.Fatal("Mattermost takes dialogs without a channel now")
		}
		s.holds(err.Error(), "Unable to find the existing channel")
		var told []mattermost.Reaction
		for deadline := time.Now().Add(100 * time.Second); len(told) == 0 && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
			told = threader.InThreads()
		}
		if len(told) != 1 || told[0].Root != post.Id {
			s.Fatalf("they were told %+v, want one message in the thread of %s", told, post.Id)
		}
		s.holds(told[0].Text, "Open the post in its channel", "/_redirect/pl/"+post.Id, "**Deny** button")
		s.untouched(id)
		// The button that needs no dialog works from everywhere.
		s.holds(s.clickOnce(threader, post, stage.Deny), "You denied")
		s.settled(id, "Denied", threader.Username)
	})
}

func TestFewerRolesThanAskedForAreSaidEverywhere(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "both").With("UserMapping", mapping("alice", teleport.Requester, "bob", "rita")).With("NotifyRequesters", true))
		wish := teleport.Wish{Roles: []string{"dba", "prod-read"}}
		here, err := s.requester.File(s.ctx, wish)
		s.must(err)
		there, err := s.requester.File(s.ctx, wish)
		s.must(err)
		post, other := s.post(here), s.post(there)
		dialog := s.dialog(set.Approver, post, stage.Approve)
		s.holds(dialog.Dialog.IntroductionText, "1. `dba`", "2. `prod-read`")
		told := s.submits(post, dialog, map[string]any{"reason": "reading is enough", "role:dba": false, "role:prod-read": true})
		s.holds(told.Text, "for `prod-read`, without `dba`")
		// Whoever decides in Teleport may grant fewer, too.
		_, err = s.admin.Auth().SetAccessRequestState(s.ctx, &proto.RequestStateSetter{
			ID: there, State: types.RequestState_APPROVED, Roles: []string{"prod-read"},
		})
		s.must(err)
		for id, decided := range map[string]*model.Post{here: post, there: other} {
			s.settled(id, "Roles granted", "`prod-read`", "Roles not granted", "`dba`", "without `dba`")
			s.waitReply(decided, "granted `prod-read`, not granted `dba`")
			s.holds(s.waitTold(bot(decided), id, 1)[0], "Your access request for `dba`, `prod-read`", "granted `prod-read`, not granted `dba`")
			outcome := s.outcome(id)
			if !slices.Equal(outcome.GrantedRoles, []string{"prod-read"}) || !slices.Equal(outcome.RefusedRoles, []string{"dba"}) {
				s.Errorf("the audit trail has %+v", outcome)
			}
		}
	})
}

func TestWhoeverDecidesIsNotCalledByTheirOwnDecision(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never").With("Approvers", "* = 2 of bob, carol"))
		id := s.file("because")
		post := s.post(id)
		calls := func(user *mattermost.User) int64 {
			member, _, err := user.Client.GetChannelMember(s.ctx, s.channel.Id, user.ID, "")
			s.must(err)
			return member.MentionCount + member.MentionCountRoot
		}
		before := map[*mattermost.User]int64{set.Approver: calls(set.Approver), set.Bystander: calls(set.Bystander)}
		for user := range before {
			s.clickOnce(user, post, stage.Approve)
			s.waitReply(post, "`@"+user.Username+"` voted")
			post = s.waitForText(id, "`@"+user.Username+"`")
		}
		s.settled(id, "`@bob`", "`@carol`")
		s.waitReply(post, "Approved", "`@bob`", "`@carol`")
		for user, count := range before {
			if now := calls(user); now != count {
				s.Errorf("%s is called %d times by what they did themselves", user.Username, now-count)
			}
		}
	})
}

func TestTheCommandIsUnderstoodInCapitalsAndAnswersNoLongerThanAPost(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings())
		answer, err := set.Mattermost.Admin.Command(s.ctx, s.channel.Id, "/teleport STATUS")
		s.must(err)
		s.holds(stage.Line(answer, "Watch"), "✅")
		for _, word := range []string{"nothing", strings.Repeat("w", 15_000), "`@all`\u202e", strings.Repeat("é", 8_000)} {
			answer, err := set.Mattermost.Admin.Command(s.ctx, s.channel.Id, "/teleport "+word)
			s.must(err)
			if len(answer) > 2_000 || strings.Contains(answer, "\u202e") || !strings.HasPrefix(answer, "There is no command `") {
				s.Errorf("%d bytes come back: %.200s", len(answer), answer)
			}
		}
	})
}

func TestWhatAServerDoesNotKeepOfADecisionThePluginKeeps(t *testing.T) {
	for _, version := range []string{"4.3.10", "5.1.0", "14.3.1"} {
		t.Run(version, func(t *testing.T) {
			s := newScene(t, newDouble(t, double.Options{Version: version, Cluster: "keeps" + version + ".example"}))
			s.connect(s.settings().With("AskReason", "both").With("UserMapping", mapping("alice", teleport.Requester, "bob", "rita")).With("NotifyRequesters", true))
			for button, verdict := range map[string]string{stage.DenyWithReason: "Denied", stage.Approve: "Approved"} {
				id, err := s.requester.File(s.ctx, teleport.Wish{Roles: []string{"dba", "prod-read"}})
				s.must(err)
				post := s.post(id)
				dialog := s.dialog(set.Approver, post, button)
				// What the server drops is not offered.
				var names []string
				values := map[string]any{}
				for _, element := range dialog.Dialog.Elements {
					names, values[element.Name] = append(names, element.Name), true
				}
				want := []string{"reason"}
				if button == stage.Approve && version != "4.3.10" {
					want = append(want, "role:dba", "role:prod-read")
				}
				if !slices.Equal(names, want) {
					s.Errorf("%s asks for %q, want %q", button, names, want)
				}
				values["reason"] = "seen and judged"
				s.submits(post, dialog, values)
				s.settled(id, verdict+" by `@bob`", "seen and judged")
				s.waitReply(post, verdict+"** by `@bob`", "seen and judged")
				s.holds(s.waitTold(bot(post), id, 1)[0], fmt.Sprintf("%s** by `@bob`", verdict), "seen and judged")
				outcome := s.outcome(id)
				if outcome.Reason != "seen and judged" || len(outcome.Voters) != 1 || outcome.Voters[0].Username != "bob" {
					s.Errorf("the audit trail has %+v", outcome)
				}
			}
		})
	}
}
