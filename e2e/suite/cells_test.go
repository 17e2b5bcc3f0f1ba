package suite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

// Who clicks, and with what: every cell of that table but one decides nothing, says why, and stands in the audit trail.
// Further cells are in decide_test.go and forged_test.go.

// forgeInto posts a forged click that differs from a good one as told.
func (s *scene) forgeInto(user *mattermost.User, post *model.Post, id string, change func(*model.PostActionIntegrationRequest)) string {
	s.Helper()
	var body model.PostActionIntegrationRequest
	s.must(json.Unmarshal(clickBody(s, post, id, "approve"), &body))
	change(&body)
	content, err := json.Marshal(body)
	s.must(err)
	status, answer := s.forge(user, content)
	if status >= http.StatusInternalServerError {
		s.Errorf("got status %d: %s", status, answer)
	}
	return answer
}

func TestAClickWithoutASessionIsRefused(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		id := s.file("because")
		_, answer := s.forge(nil, clickBody(s, s.post(id), id, "approve"))
		s.holds(answer, "Sign in to Mattermost")
		s.untouched(id)
	})
}

func TestARefusedAttemptIsInTheServersLogWhateverIsLoggedBesides(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never").With("LogLevel", "error"))
		id := s.file("because")
		s.holds(s.clickOnce(set.Bystander, s.post(id), stage.Approve), "not among the approvers")
		s.logged(id, "not among the approvers", set.Bystander.ID)
		s.untouched(id)
	})
}

func TestSomebodyOutsideAPrivateChannelDecidesNothingThere(t *testing.T) {
	onDouble(t, func(s *scene) {
		name := s.channel.Name + "-private"
		private, err := set.Mattermost.CreatePrivateChannel(s.ctx, set.Team, name, set.Approver)
		s.must(err)
		outsider := s.newcomer("outsider")
		s.channel = private
		s.connect(s.settings().With("Recipients", set.Team.Name+"/"+name).With("AskReason", "never").With("Approvers", "* = channel-members"))
		id := s.file("because")
		post := s.post(id)
		// Mattermost lets nobody click what they cannot see.
		if reaction, err := outsider.Click(s.ctx, post, stage.Approve); err == nil {
			s.Errorf("the click was taken: %s", reaction.Text)
		}
		_, answer := s.forge(outsider, clickBody(s, post, id, "approve"))
		s.holds(answer, "not among the approvers")
		s.noted(outsider, "a forged click from outside", "not among the approvers")
		s.untouched(id)
		s.holds(s.clickOnce(set.Approver, post, stage.Approve), "You approved")
	})
}

func TestAGuestDecidesNothingUnlessGuestsMay(t *testing.T) {
	onDouble(t, func(s *scene) {
		guest := s.newcomer("guest")
		s.must(set.Mattermost.MakeGuest(s.ctx, guest))
		// Not alone: rules that nobody can meet are not saved.
		settings := s.settings().With("AskReason", "never").With("Approvers", "* = "+guest.Username+", "+set.Approver.Username)
		s.connect(settings)
		id := s.file("because")
		post := s.post(id)
		s.holds(s.clickOnce(guest, post, stage.Approve), "guests cannot decide")
		s.noted(guest, "a guest's click", "guests cannot decide")
		s.untouched(id)
		s.connect(settings.With("AllowGuests", true))
		s.holds(s.clickOnce(guest, post, stage.Approve), "You approved")
	})
}

func TestAnotherAccountOfTheRequesterDecidesNothing(t *testing.T) {
	onDouble(t, func(s *scene) {
		second := s.newcomer("second")
		settings := s.settings().With("AskReason", "never").With("Approvers", "* = "+second.Username)
		s.connect(settings.With("UserMapping", mapping(second.Username, teleport.Requester)))
		id := s.file("because")
		post := s.post(id)
		for _, button := range []string{stage.Approve, stage.Deny} {
			s.holds(s.clickOnce(second, post, button), "own request")
			s.noted(second, "a click of the second account", "own request")
		}
		s.untouched(id)
	})
}

func TestADeactivatedAccountDecidesNothingWithAnOldSession(t *testing.T) {
	onDouble(t, func(s *scene) {
		leaver := s.newcomer("leaver")
		s.connect(s.settings().With("AskReason", "never").With("Approvers", "* = "+leaver.Username))
		id := s.file("because")
		post := s.post(id)
		s.must(set.Mattermost.Deactivate(s.ctx, leaver))
		if reaction, err := leaver.Click(s.ctx, post, stage.Approve); err == nil {
			s.Errorf("the click was taken: %s", reaction.Text)
		}
		_, answer := s.forge(leaver, clickBody(s, post, id, "approve"))
		s.holds(answer, "Sign in to Mattermost")
		s.untouched(id)
	})
}

func TestTheUserInABodyIsNotBelieved(t *testing.T) {
	onDouble(t, func(s *scene) {
		impostor := s.newcomer("impostor")
		s.connect(s.settings().With("AskReason", "never"))
		id := s.file("because")
		// The body says that it is the approver's.
		_, answer := s.forge(impostor, clickBody(s, s.post(id), id, "approve"))
		s.holds(answer, "cannot decide", "not among the approvers")
		s.noted(impostor, "another's user id", "not among the approvers")
		s.untouched(id)
	})
}

func TestAForgedContextDecidesNothingEvenForAnApprover(t *testing.T) {
	onDouble(t, func(s *scene) {
		// One who may decide everything, so that only what the click says can stand against it.
		approver := s.newcomer("approver")
		s.connect(s.settings().With("AskReason", "never").With("Approvers", "* = "+approver.Username))
		id, other := s.file("because"), s.file("another")
		post, otherPost := s.post(id), s.post(other)
		forgeries := 0
		claim := func(name, value string) func(*model.PostActionIntegrationRequest) {
			return func(body *model.PostActionIntegrationRequest) { body.Context[name] = value }
		}
		for name, forged := range map[string]struct {
			change func(*model.PostActionIntegrationRequest)
			words  string
		}{
			"another request's id":     {claim("request", other), "does not belong to that access request"},
			"an id that nobody knows":  {claim("request", "00000000-0000-4000-8000-000000000000"), "does not belong to that access request"},
			"an id that is none":       {claim("request", "../../x"), "does not belong to that access request"},
			"a made-up verdict":        {claim("verdict", "promote"), "not a button"},
			"another cluster's name":   {claim("cluster", slow.Name()), "does not belong to that access request"},
			"a cluster nobody knows":   {claim("cluster", "nowhere.example"), "does not belong to that access request"},
			"an endless cluster":       {claim("cluster", string(make([]byte, 5000))), "not a button"},
			"another request's post":   {func(body *model.PostActionIntegrationRequest) { body.PostId = otherPost.Id }, "does not belong to that access request"},
			"a post that is not there": {func(body *model.PostActionIntegrationRequest) { body.PostId = model.NewId() }, "does not belong to that access request"},
			"no post":                  {func(body *model.PostActionIntegrationRequest) { body.PostId = "" }, "does not belong to that access request"},
			"no context":               {func(body *model.PostActionIntegrationRequest) { body.Context = nil }, "not a button"},
			"numbers for texts": {func(body *model.PostActionIntegrationRequest) {
				body.Context = map[string]any{"request": 1, "cluster": 2, "verdict": 3}
			}, "not a button"},
		} {
			s.holds(s.forgeInto(approver, post, id, forged.change), forged.words)
			forgeries++
			tried := s.attempts(approver)
			if len(tried) != forgeries || tried[0].Result != "refused" || !strings.Contains(tried[0].Cause, forged.words) {
				s.Errorf("%s: the audit trail has %+v, want %d refusals", name, tried, forgeries)
			}
		}
		s.untouched(id)
		s.untouched(other)
		// What is not forged decides.
		s.holds(s.forgeInto(approver, post, id, func(*model.PostActionIntegrationRequest) {}), "You approved")
	})
}

func TestAButtonOfAClusterThatIsGoneDecidesNothing(t *testing.T) {
	onDouble(t, func(s *scene) {
		approver := s.newcomer("approver")
		s.connect(s.settings().With("AskReason", "never").With("Approvers", "* = "+approver.Username))
		id := s.file("because")
		post := s.post(id)
		there := newScene(t, newDouble(t, double.Options{Cluster: "another.example"}))
		there.connect(there.settings().With("AskReason", "never").With("Approvers", "* = "+approver.Username))
		s.holds(s.clickOnce(approver, post, stage.Approve), s.cluster.Name(), "not connected to any more")
		s.noted(approver, "a click on the old cluster's button", "not connected to any more")
		s.untouched(id)
		// A request of the new cluster does not stand for one of the old.
		other := there.file("there")
		otherPost := there.post(other)
		answer := s.forgeInto(approver, otherPost, other, func(body *model.PostActionIntegrationRequest) { body.Context["cluster"] = s.cluster.Name() })
		s.holds(answer, "does not belong to that access request")
		there.untouched(other)
	})
}

// crowd is how many people click at once, and how often each.
const (
	crowd  = 10
	clicks = 5
)

// crowded are the people of the crowd, once they are made.
var crowded []*mattermost.User

// crowd brings people who may all decide into the channel, and answers them with the setting that names them.
func (s *scene) crowd() (people []*mattermost.User, approvers string) {
	s.Helper()
	for len(crowded) < crowd {
		user, err := set.Mattermost.CreateUser(s.ctx, fmt.Sprintf("eager-%d", len(crowded)))
		s.must(err)
		s.must(set.Mattermost.Join(s.ctx, set.Team, user))
		crowded = append(crowded, user)
	}
	s.must(set.Mattermost.Invite(s.ctx, s.channel, crowded...))
	names := make([]string, crowd)
	for i, user := range crowded {
		names[i] = user.Username
	}
	return crowded, "* = " + strings.Join(names, ", ")
}

// oneDecided fails the test unless one of the answers tells of the decision, and each of the others tells clearly why it
// was none.
func (s *scene) oneDecided(answers []string, others ...string) {
	s.Helper()
	decided := 0
	for _, answer := range answers {
		clear := slices.ContainsFunc(others, func(words string) bool { return strings.Contains(answer, words) })
		switch {
		case strings.Contains(answer, "You approved"):
			decided++
		case !clear:
			s.Errorf("this answer is not clear: %q", answer)
		}
	}
	if len(answers) != crowd*clicks || decided != 1 {
		s.Errorf("%d of %d answers tell of the decision, want one of %d", decided, len(answers), crowd*clicks)
	}
}

func TestFiftyClicksAtOnceMakeOneDecisionAndFiftyClearAnswers(t *testing.T) {
	onBoth(t, func(s *scene) {
		people, approvers := s.crowd()
		s.connect(s.settings().With("AskReason", "never").With("Approvers", approvers))
		id := s.file("because")
		post := s.post(id)
		body := clickBody(s, post, id, "approve")
		// Straight to the plugin, as clicks arrive that began while the post had its buttons.
		answers := make(chan string, crowd*clicks)
		for _, user := range people {
			user.Forget()
			for range clicks {
				go func() {
					status, answer, err := user.Do(s.ctx, http.MethodPost, "/plugins/"+set.PluginID+"/click", "application/json", bytes.NewReader(body))
					var response model.PostActionIntegrationResponse
					if err != nil || status != http.StatusOK || json.Unmarshal([]byte(answer), &response) != nil {
						answers <- fmt.Sprintf("status %d, %v: %s", status, err, answer)
						return
					}
					reaction, err := user.Next(s.ctx)
					if err != nil || reaction.Root != "" {
						answers <- fmt.Sprintf("%v, in a thread: %q", err, reaction.Root)
						return
					}
					answers <- reaction.Text
				}()
			}
		}
		var got []string
		for range crowd * clicks {
			got = append(got, <-answers)
		}
		s.oneDecided(got, "is deciding this request right now", "already approved by `@eager")
		if decisions := s.decisions(id); len(decisions) != 1 {
			s.Errorf("Teleport has decisions %+v, want one", decisions)
		}
		s.settled(id, "Approved")
		// Who comes later still hears what became of it.
		_, late := s.forge(people[0], body)
		s.holds(late, "already approved by `@eager")
		tried := 0
		for _, one := range s.trail() {
			if one.RequestID == id && one.Result != "settled" {
				tried++
			}
		}
		if tried != crowd*clicks+1 {
			s.Errorf("the audit trail has %d attempts, want %d", tried, crowd*clicks+1)
		}
	})
}

func TestWhileTeleportTakesItsTimeEverybodyElseHearsWhoIsDeciding(t *testing.T) {
	onDouble(t, func(s *scene) {
		people, approvers := s.crowd()
		s.connect(s.settings().With("AskReason", "never").With("Approvers", approvers))
		id := s.file("because")
		post := s.post(id)
		// Whoever is first waits until all others have heard.
		fast.Faults.Add(double.Fault{Method: "SetAccessRequestState", Times: 1, Hold: true})
		s.Cleanup(fast.Faults.Clear)
		answers := make(chan string, crowd*clicks)
		for _, user := range people {
			go user.ClickAtOnce(s.ctx, post, stage.Approve, clicks, answers)
		}
		var got []string
		for range crowd*clicks - 1 {
			got = append(got, <-answers)
		}
		fast.Faults.Clear()
		got = append(got, <-answers)
		s.oneDecided(got, "is deciding this request right now")
		if decisions := s.decisions(id); len(decisions) != 1 {
			s.Errorf("Teleport has decisions %+v, want one", decisions)
		}
		s.settled(id, "Approved")
	})
}
