package suite

import (
	"slices"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// attempts at the time that a post may take; one in time is enough, as the machine may have other things to do.
const attempts = 3

func TestARequestIsPostedWithinTwoSeconds(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings())
		for attempt := 1; ; attempt++ {
			filed := time.Now()
			id := s.file("Replica lag on orders-db")
			post := s.post(id)
			took := time.Since(filed)
			s.Logf("posted %s after it was filed", took.Round(time.Millisecond))
			text := stage.Text(post)
			s.holds(text, "alice@example.com", "dba", "Replica lag on orders-db", id, "pending", s.cluster.Name())
			if buttons := stage.Buttons(post); !slices.Equal(buttons, []string{stage.Approve, stage.Deny, stage.DenyWithReason}) {
				s.Errorf("the buttons are %v", buttons)
			}
			if took <= 2*time.Second {
				return
			}
			if attempt == attempts {
				s.Fatalf("none of %d requests was posted within two seconds", attempts)
			}
		}
	})
}

func TestAnApproversClickDecidesInTheirName(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings())
		for button, want := range map[string]types.RequestState{stage.Approve: types.RequestState_APPROVED, stage.Deny: types.RequestState_DENIED} {
			id := s.file("because")
			answer, err := set.Approver.Decide(s.ctx, s.post(id), button, "my reason")
			s.must(err)
			s.holds(answer, want.String(), "alice@example.com")
			if state := s.state(id); state != want {
				s.Errorf("after %s Teleport says %s", button, state)
			}
			decisions := s.decisions(id)
			if len(decisions) != 1 || decisions[0].Delegator != "mattermost:bob" || decisions[0].UpdatedBy != "access-plugin" || decisions[0].State != want.String() {
				s.Errorf("after %s the audit log has %+v", button, decisions)
			}
			s.settled(id, "bob", id)
		}
	})
}

func TestAReasonReachesTeleportAndThePost(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings())
		id := s.file("because")
		_, err := set.Approver.Decide(s.ctx, s.post(id), stage.DenyWithReason, "not on a Friday")
		s.must(err)
		request, err := s.admin.Get(s.ctx, id)
		s.must(err)
		if request.GetResolveReason() != "not on a Friday" {
			s.Errorf("Teleport has the reason %q", request.GetResolveReason())
		}
		s.settled(id, "not on a Friday")
	})
}

func TestTheClickOfSomebodyWhoMayNotDecideChangesNothing(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings())
		id := s.file("because")
		post := s.post(id)
		// The system admin is not among the approvers here, so they may not either.
		for _, user := range []string{"bystander", "admin", "requester"} {
			clicker := set.Bystander
			switch user {
			case "admin":
				clicker = set.Mattermost.Admin
			case "requester":
				clicker = set.Requester
			}
			for _, button := range []string{stage.Approve, stage.Deny} {
				answer, err := clicker.Decide(s.ctx, post, button, "")
				s.must(err)
				s.holds(answer, "cannot decide")
			}
		}
		s.untouched(id)
	})
}

func TestWithoutApproversOnlySystemAdminsDecide(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("Approvers", ""))
		id := s.file("because")
		post := s.post(id)
		answer, err := set.Approver.Decide(s.ctx, post, stage.Approve, "")
		s.must(err)
		s.holds(answer, "cannot decide", "system admins")
		s.untouched(id)
		_, err = set.Mattermost.Admin.Decide(s.ctx, post, stage.Approve, "")
		s.must(err)
		if state := s.state(id); !state.IsApproved() {
			s.Errorf("after the system admin's click it is %s", state)
		}
	})
}

func TestNobodyDecidesTheirOwnRequest(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("Approvers", "* = bob, alice"))
		id := s.file("because")
		// Alice's e-mail address in Mattermost is the name of the Teleport user who asks.
		answer, err := set.Requester.Decide(s.ctx, s.post(id), stage.Approve, "")
		s.must(err)
		s.holds(answer, "own request")
		s.untouched(id)
	})
}

func TestTheOldButtonOfADecidedRequestChangesNothing(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings())
		id := s.file("because")
		post := s.post(id)
		deny, late := post.Attachments()[0].Actions[1], clickBody(s, post, id, "deny")
		_, err := set.Approver.Decide(s.ctx, post, stage.Approve, "")
		s.must(err)
		s.settled(id, "bob")
		// Mattermost itself knows no such action of the post any more, and says so.
		if reaction, err := set.Approver.ClickAction(s.ctx, post.Id, deny.Id); err == nil {
			s.holds(reaction.Text, "already")
		}
		// Teleport would take the denial of an approved request: here it must not get that far.
		status, answer := s.forge(set.Approver, late)
		if status != 200 {
			s.Errorf("got status %d: %s", status, answer)
		}
		s.holds(answer, "already")
		if state := s.state(id); !state.IsApproved() || len(s.decisions(id)) != 1 {
			s.Errorf("the request is %s with decisions %+v", state, s.decisions(id))
		}
	})
}

func TestTwoClicksAtOnceMakeOneDecision(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("Approvers", "* = bob, carol").With("AskReason", "never"))
		for range 5 {
			id := s.file("because")
			post := s.post(id)
			results := make(chan error, 2)
			go func() { _, err := set.Approver.Click(s.ctx, post, stage.Approve); results <- err }()
			go func() { _, err := set.Bystander.Click(s.ctx, post, stage.Deny); results <- err }()
			for range 2 {
				// The one that is late may find no button any more: that is as good as a refusal.
				if err := <-results; err != nil {
					s.Logf("a click: %v", err)
				}
			}
			if decisions := s.decisions(id); len(decisions) != 1 {
				s.Errorf("got decisions %+v, want one", decisions)
			}
			s.settled(id)
		}
	})
}

func TestADialogMayGrantFewerRolesAndLaterWhereTheServerKnowsThat(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "both"))
		id, err := s.requester.File(s.ctx, teleport.Wish{Roles: []string{"dba", "prod-read"}})
		s.must(err)
		post := s.post(id)
		reaction, err := set.Approver.Click(s.ctx, post, stage.Approve)
		s.must(err)
		if reaction.Dialog == nil {
			s.Fatalf("no dialog opens, but: %s", reaction.Text)
		}
		var names []string
		for _, element := range reaction.Dialog.Dialog.Elements {
			names = append(names, element.Name+" "+element.DisplayName)
		}
		// The real server is older than start times, and would grant at once.
		later := s.cluster.Kind() == "double"
		want := []string{"reason Reason", "role:dba 1. dba", "role:prod-read 2. prod-read"}
		values := map[string]any{"reason": "reading is enough", "role:dba": false, "role:prod-read": true}
		if later {
			want, values["start"] = append(want, "start Access begins"), "4"
		}
		if !slices.Equal(names, want) {
			s.Errorf("the dialog asks for %q, want %q", names, want)
		}
		none, err := set.Approver.Submit(s.ctx, post.ChannelId, reaction.Dialog, map[string]any{"reason": "none", "role:dba": false, "role:prod-read": false})
		s.must(err)
		s.holds(none.Errors["role:dba"], "at least one role")
		never, err := set.Approver.Submit(s.ctx, post.ChannelId, reaction.Dialog, map[string]any{"reason": "never", "role:dba": true, "start": "100000"})
		s.must(err)
		s.holds(never.Errors["start"], "cannot begin then")
		s.untouched(id)

		answer, err := set.Approver.Submit(s.ctx, post.ChannelId, reaction.Dialog, values)
		s.must(err)
		if answer != nil && (answer.Error != "" || len(answer.Errors) > 0) {
			s.Fatalf("the dialog stays open: %+v", answer)
		}
		told, err := set.Approver.Next(s.ctx)
		s.must(err)
		s.holds(told.Text, "You approved", "for `prod-read`")
		request, err := s.admin.Get(s.ctx, id)
		s.must(err)
		if !request.GetState().IsApproved() || !slices.Equal(request.GetRoles(), []string{"prod-read"}) {
			s.Errorf("Teleport has %s for %v", request.GetState(), request.GetRoles())
		}
		if start := request.GetAssumeStartTime(); (start != nil) != later || (later && start.Sub(request.GetCreationTime()).Round(time.Hour) != 4*time.Hour) {
			s.Errorf("the access begins %v", start)
		}
		shown := stage.Text(s.settled(id, "reading is enough", "prod-read"))
		if later {
			s.holds(shown, "Access begins")
		}
	})
}
