package suite

import (
	"testing"
	"time"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

const (
	// onBehalf lets the plugin's user submit reviews for everybody and look users up.
	onBehalf = `
---
kind: role
version: v5
metadata: {name: access-plugin}
spec:
  allow:
    review_requests: {submit_for_users: ['*']}
    rules:
      - {resources: [access_request], verbs: [list, read]}
      - {resources: [user], verbs: [list, read]}
`
	// reviewers are two who may review, one approval being enough.
	reviewers = `
---
kind: role
version: v5
metadata: {name: reviewer}
spec: {allow: {review_requests: {roles: [dba, prod-read]}}}
---
kind: user
version: v2
metadata: {name: rita}
spec: {roles: [reviewer], traits: {}}
---
kind: user
version: v2
metadata: {name: rob}
spec: {roles: [reviewer], traits: {}}
`
	// careful lets requests take two approvals.
	careful = `
---
kind: role
version: v5
metadata: {name: engineer}
spec: {allow: {request: {roles: [dba, prod-read], thresholds: [{name: two, approve: 2, deny: 1}]}}}
`
	// tagged are two users whose trait names Mattermost accounts: rita's is bob's, and both zoe's and zed's are carol's.
	tagged = `
---
kind: user
version: v2
metadata: {name: rita}
spec: {roles: [reviewer], traits: {mattermost: ['@bob']}}
---
kind: user
version: v2
metadata: {name: zoe}
spec: {roles: [reviewer], traits: {mattermost: [carol]}}
---
kind: user
version: v2
metadata: {name: zed}
spec: {roles: [reviewer], traits: {mattermost: [carol]}}
`
)

// byTeleport are settings by which Teleport decides, for whoever the pairs of accounts and Teleport users map.
func (s *scene) byTeleport(pairs ...string) stage.Settings {
	return s.settings().With("Authority", "teleport").With("AskReason", "never").With("UserMapping", mapping(pairs...)).With("Approvers", "")
}

// reviews are the request's reviews in Teleport.
func (s *scene) reviews(id string) []types.AccessReview {
	s.Helper()
	request, err := s.admin.Get(s.ctx, id)
	s.must(err)
	if request == nil {
		s.Fatalf("Teleport has no request %s any more", id)
	}
	return request.GetReviews()
}

// unreviewed fails the test where the request is not pending, or was ever decided or reviewed.
func (s *scene) unreviewed(id string) {
	s.Helper()
	s.untouched(id)
	if reviews := s.reviews(id); len(reviews) != 0 {
		s.Errorf("Teleport has reviews: %+v", reviews)
	}
}

// refusedFor clicks, wants the words for an answer, and that they stand in the audit trail; nothing may be reviewed.
func (s *scene) refusedFor(user *mattermost.User, id string, words ...string) {
	s.Helper()
	s.holds(s.clickOnce(user, s.post(id), stage.Approve), words...)
	if tried := s.attempts(user); len(tried) == 0 || tried[0].Result == "decided" || tried[0].RequestID != id {
		s.Errorf("the audit trail has %+v", tried)
	} else {
		s.holds(tried[0].Cause, words...)
	}
	s.unreviewed(id)
}

func TestAClickIsAReviewOfTheClickersTeleportUserAndThresholdsCount(t *testing.T) {
	onModern(t, onBehalf+reviewers+careful, func(s *scene) {
		s.connect(s.byTeleport("bob", "rita", "carol", "rob"))
		id := s.file("because")
		s.waitForText(id, "0 of 2 approvals")
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved", "1 of 2 approvals", "still pending")
		reviews := s.reviews(id)
		submittedBy := protowire.AppendString(protowire.AppendTag(nil, 11, protowire.BytesType), teleport.PluginUser)
		marks := protowire.AppendVarint(protowire.AppendTag(submittedBy, 12, protowire.VarintType), 1)
		if len(reviews) != 1 || reviews[0].Author != "rita" || !reviews[0].ProposedState.IsApproved() || string(reviews[0].XXX_unrecognized) != string(marks) {
			s.Fatalf("got reviews %+v", reviews)
		}
		if tried := s.attempts(set.Approver); tried[0].Result != "decided" || tried[0].TeleportUser != "rita" || tried[0].Authority != "teleport" {
			s.Errorf("the audit trail has %+v", tried[0])
		}
		s.waitForText(id, "1 of 2 approvals", "rita")
		// The same person's second review is none.
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "rita", "already reviewed")
		s.noted(set.Approver, "a second review", "already reviewed")
		if reviews := s.reviews(id); len(reviews) != 1 {
			s.Errorf("got reviews %+v", reviews)
		}
		answer := s.clickOnce(set.Bystander, s.post(id), stage.Approve)
		s.holds(answer, "You approved")
		s.settled(id, "Approved", "rita", "rob")
		if !s.state(id).IsApproved() || len(s.decisions(id)) != 0 {
			s.Errorf("the request is %s, with decisions outright: %+v", s.state(id), s.decisions(id))
		}
	})
}

func TestOneDenialIsEnoughWhereTheThresholdSaysSo(t *testing.T) {
	onModern(t, onBehalf+reviewers+careful, func(s *scene) {
		s.connect(s.byTeleport("bob", "rita"))
		id := s.file("because")
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Deny), "You denied")
		s.settled(id, "Denied", "rita")
		if !s.state(id).IsDenied() {
			s.Errorf("the request is %s", s.state(id))
		}
	})
}

func TestTeleportsRulesCountAndNotTheApproversOfTheSettings(t *testing.T) {
	onModern(t, onBehalf+reviewers, func(s *scene) {
		// Bob is an approver here but no reviewer in Teleport; carol is the other way round.
		s.connect(s.byTeleport("bob", "stranger", "carol", "rita").With("Approvers", "* = bob"))
		id := s.file("because")
		s.refusedFor(set.Approver, id, "stranger", "review_requests")
		s.holds(s.clickOnce(set.Bystander, s.post(id), stage.Approve), "You approved")
		s.settled(id, "rita")
	})
}

func TestNobodyReviewsTheirOwnRequestByAnyOfTheirAccounts(t *testing.T) {
	onModern(t, onBehalf+reviewers, func(s *scene) {
		// An account of its own: what connects somebody with a requester is remembered, whatever the settings say later.
		twin := s.newcomer("twin")
		s.connect(s.byTeleport(twin.Username, teleport.Requester, "alice", "rita"))
		id := s.file("because")
		s.refusedFor(twin, id, "own request")
		// Alice's e-mail address is the requester's name, whatever the mapping says.
		s.refusedFor(set.Requester, id, "own request")
	})
}

func TestSomebodyWithoutATeleportUserReviewsNothingAndHearsTheCure(t *testing.T) {
	onModern(t, onBehalf+reviewers, func(s *scene) {
		s.connect(s.byTeleport("bob", "rita"))
		id := s.file("because")
		// A system admin is nobody special here.
		s.refusedFor(set.Mattermost.Admin, id, "no Teleport user is known for your account", "under Users")
		s.connect(s.byTeleport("bob", "nobody"))
		s.refusedFor(set.Approver, id, "There is no Teleport user `nobody`", "under Users")
	})
}

func TestATraitNamesTheTeleportUserUnlessItNamesTwo(t *testing.T) {
	onModern(t, onBehalf+reviewers+tagged, func(s *scene) {
		s.Cleanup(func() {
			for _, name := range []string{"zoe", "zed"} {
				if err := modern.DeleteUser(name); err != nil {
					s.Error(err)
				}
			}
		})
		s.connect(s.byTeleport().With("UserTrait", "mattermost"))
		id := s.file("because")
		s.refusedFor(set.Bystander, id, "could be any of", "`zed`, `zoe`", "under Users")
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved")
		s.settled(id, "rita")
	})
}

func TestOnlyAVerifiedAddressMakesSomebodyATeleportUser(t *testing.T) {
	onModern(t, onBehalf+reviewers, func(s *scene) {
		user := s.newcomer("mailed")
		s.must(modern.CreateResources(s.ctx, "kind: user\nversion: v2\nmetadata: {name: "+user.Email+"}\nspec: {roles: [reviewer]}\n"))
		s.connect(s.byTeleport().With("MatchEmail", true))
		id := s.file("because")
		s.refusedFor(user, id, "no Teleport user is known for your account")
		s.must(set.Mattermost.VerifyEmail(s.ctx, user))
		s.holds(s.clickOnce(user, s.post(id), stage.Approve), "You approved")
		s.settled(id, user.Email)
		if reviews := s.reviews(id); len(reviews) != 1 || reviews[0].Author != user.Email {
			s.Errorf("got reviews %+v", reviews)
		}
	})
}

func TestAnAddressThatNobodyHasVerifiedStillKeepsSomebodyFromTheirOwnRequest(t *testing.T) {
	onModern(t, onBehalf+reviewers, func(s *scene) {
		user := s.newcomer("own")
		s.must(modern.CreateResources(s.ctx, "kind: user\nversion: v2\nmetadata: {name: "+user.Email+"}\nspec: {roles: [engineer]}\n"))
		s.connect(s.byTeleport(user.Username, "rita"))
		id, err := s.dial(user.Email).File(s.ctx, teleport.Wish{Roles: []string{teleport.RequestedRole}})
		s.must(err)
		s.refusedFor(user, id, "own request")
	})
}

func TestAServerWithoutReviewsOnBehalfFailsClosed(t *testing.T) {
	d := newDouble(t, double.Options{Version: "17.5.0", Enterprise: true, Cluster: "seventeen.example"})
	s := newScene(t, d)
	s.must(d.CreateResources(s.ctx, reviewers))
	s.connect(s.byTeleport("bob", "rita").With("Approvers", "* = bob"))
	id := s.file("because")
	s.refusedFor(set.Approver, id, "17.5.0", "18.11 or later")
	status, err := set.Status(s.ctx, s.channel.Id)
	s.must(err)
	s.holds(stage.Line(status, "Decisions"), "❌", "18.11 or later")

	// Left to itself, the plugin takes the approvers there.
	s.connect(s.settings().With("Authority", "auto").With("AskReason", "never").With("UserMapping", mapping("bob", "rita", "carol", "rob")))
	status, err = set.Status(s.ctx, s.channel.Id)
	s.must(err)
	s.holds(stage.Line(status, "Decisions"), "✅", "approvers")
	s.holds(s.clickOnce(set.Bystander, s.post(id), stage.Approve), "not among the approvers")
	s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved")
	if decisions := s.decisions(id); len(decisions) != 1 || decisions[0].Delegator != "mattermost:bob" || len(s.reviews(id)) != 0 {
		s.Errorf("got decisions %+v and reviews %+v", decisions, s.reviews(id))
	}
}

func TestAnOldServerFailsClosedWhereReviewsOnBehalfAreAskedFor(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.byTeleport("bob", "admin").With("Approvers", "* = bob"))
		id := s.file("because")
		for _, button := range []string{stage.Approve, stage.Deny} {
			s.holds(s.clickOnce(set.Approver, s.post(id), button), s.cluster.Version(), "18.11 or later", "Nothing is decided here")
			s.noted(set.Approver, "a click on an old server's request", "18.11 or later")
		}
		s.untouched(id)
	})
}

func TestLeftToItselfThePluginReviewsOnBehalfWhereTheServerCan(t *testing.T) {
	onModern(t, onBehalf+reviewers, func(s *scene) {
		s.connect(s.byTeleport("carol", "rita").With("Authority", "auto").With("Approvers", "* = bob"))
		id := s.file("because")
		s.refusedFor(set.Approver, id, "no Teleport user is known")
		s.holds(s.clickOnce(set.Bystander, s.post(id), stage.Approve), "You approved")
		if reviews := s.reviews(id); len(reviews) != 1 || reviews[0].Author != "rita" || len(s.decisions(id)) != 0 {
			s.Errorf("got reviews %+v and decisions %+v", reviews, s.decisions(id))
		}
	})
}

func TestARoleThatMaySubmitForNobodyIsSaidWithTheCure(t *testing.T) {
	onModern(t, reviewers, func(s *scene) {
		s.says(trouble{"submits for nobody", s.byTeleport("bob", "rita"), "Permissions", []string{"submit_for_users", "tctl create -f"}})
		s.must(modern.CreateResources(s.ctx, onBehalf))
		// Saving again is how admins say "try again".
		s.connect(s.byTeleport("bob", "rita", "carol", "rob"))
		id := s.file("because")
		post := s.post(id)
		// Narrowed while the plugin watches: then Teleport says no, and the clicker hears why.
		s.must(modern.CreateResources(s.ctx, `
kind: role
version: v5
metadata: {name: access-plugin}
spec: {allow: {review_requests: {submit_for_users: [rob]}, rules: [{resources: [access_request], verbs: [list, read]}]}}
`))
		s.refusedFor(set.Approver, id, "on behalf of Teleport user `rita`", "submit_for_users")
		s.holds(s.clickOnce(set.Bystander, post, stage.Approve), "You approved")
	})
}

// ownReviews lets the plugin's user review by itself.
const ownReviews = `
---
kind: role
version: v5
metadata: {name: access-plugin}
spec:
  allow:
    review_requests: {roles: [dba, prod-read]}
    rules: [{resources: [access_request], verbs: [list, read]}]
`

func TestAsReviewerThePluginReviewsOnceForTheApprovers(t *testing.T) {
	onModern(t, ownReviews+careful, func(s *scene) {
		s.connect(s.settings().With("Authority", "reviewer").With("AskReason", "never").With("Approvers", "* = bob, carol"))
		id := s.file("because")
		s.holds(s.clickOnce(set.Mattermost.Admin, s.post(id), stage.Approve), "not among the approvers")
		s.unreviewed(id)
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved", "1 of 2 approvals")
		reviews := s.reviews(id)
		if len(reviews) != 1 || reviews[0].Author != teleport.PluginUser || len(s.decisions(id)) != 0 {
			s.Fatalf("got reviews %+v and decisions %+v", reviews, s.decisions(id))
		}
		if tried := s.attempts(set.Approver); tried[0].Result != "decided" || tried[0].Authority != "reviewer" {
			s.Errorf("the audit trail has %+v", tried[0])
		}
		s.waitForText(id, "1 of 2 approvals", teleport.PluginUser, "bob in Mattermost")
		// The plugin has one voice, whoever lends it theirs.
		s.holds(s.clickOnce(set.Bystander, s.post(id), stage.Approve), "already reviewed")
		if reviews := s.reviews(id); len(reviews) != 1 {
			s.Errorf("got reviews %+v", reviews)
		}
	})
}

func TestOpenSourceTakesDecisionsButNoReviews(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.says(trouble{"a reviewer without reviews", s.settings().With("Authority", "reviewer"), "Permissions", []string{"may review nothing", "review_requests"}})
		s.connect(s.settings().With("Authority", "approvers").With("AskReason", "never"))
		id := s.file("because")
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved")
		if decisions := s.decisions(id); len(decisions) != 1 || decisions[0].Delegator != "mattermost:bob" {
			s.Errorf("got decisions %+v", decisions)
		}
		s.settled(id, "@bob")
	})
}

func TestAReviewCannotGrantFewerRolesSoNoneAreOffered(t *testing.T) {
	onModern(t, onBehalf+reviewers, func(s *scene) {
		s.connect(s.byTeleport("bob", "rita").With("AskReason", "both"))
		id, err := s.requester.File(s.ctx, teleport.Wish{Roles: []string{"dba", "prod-read"}})
		s.must(err)
		post := s.post(id)
		reaction, err := set.Approver.Click(s.ctx, post, stage.Approve)
		s.must(err)
		if reaction.Dialog == nil {
			s.Fatalf("no dialog opens, but: %s", reaction.Text)
		}
		for _, element := range reaction.Dialog.Dialog.Elements {
			if element.Type == "bool" {
				s.Errorf("the dialog offers a choice of roles, which Teleport's reviews do not take: %+v", element)
			}
		}
		// Should it be chosen all the same, more than was wanted must not be granted.
		refused, err := set.Approver.Submit(s.ctx, post.ChannelId, reaction.Dialog, map[string]any{"reason": "some", "role:prod-read": false})
		s.must(err)
		s.holds(refused.Errors["role:prod-read"], "all roles or none")
		s.unreviewed(id)
		answer, err := set.Approver.Decide(s.ctx, post, stage.Approve, "fine")
		s.must(err)
		s.holds(answer, "You approved")
		s.settled(id, "fine", "rita")
	})
}

func TestAReviewMayLetTheAccessBeginLater(t *testing.T) {
	onModern(t, onBehalf+reviewers, func(s *scene) {
		s.connect(s.byTeleport("bob", "rita").With("AskReason", "both"))
		id := s.file("because")
		post := s.post(id)
		reaction, err := set.Approver.Click(s.ctx, post, stage.Approve)
		s.must(err)
		if reaction.Dialog == nil {
			s.Fatalf("no dialog opens, but: %s", reaction.Text)
		}
		answer, err := set.Approver.Submit(s.ctx, post.ChannelId, reaction.Dialog, map[string]any{"reason": "later", "start": "4"})
		s.must(err)
		if answer != nil && (answer.Error != "" || len(answer.Errors) > 0) {
			s.Fatalf("the dialog stays open: %+v", answer)
		}
		told, err := set.Approver.Next(s.ctx)
		s.must(err)
		s.holds(told.Text, "You approved", "The access begins on")
		request, err := s.admin.Get(s.ctx, id)
		s.must(err)
		start := request.GetAssumeStartTime()
		if !request.GetState().IsApproved() || start == nil || start.Sub(request.GetCreationTime()).Round(time.Hour) != 4*time.Hour {
			s.Errorf("the request is %s and begins %v", request.GetState(), start)
		}
	})
}

func TestWhatWasReviewedElsewhereMeanwhileIsNotDecidedAgain(t *testing.T) {
	onModern(t, onBehalf+reviewers, func(s *scene) {
		s.connect(s.byTeleport("bob", "rita"))
		id := s.file("because")
		post := s.post(id)
		// The watch says nothing of it, so the post keeps its buttons.
		modern.Faults.Stall(true)
		s.Cleanup(modern.Faults.Clear)
		_, err := s.dial("rob").Auth().SubmitAccessReview(s.ctx, &types.AccessReviewSubmission{
			RequestID: id, Review: types.AccessReview{Author: "rob", ProposedState: types.RequestState_DENIED},
		})
		s.must(err)
		s.holds(s.clickOnce(set.Approver, post, stage.Approve), "already denied", "rob")
		s.noted(set.Approver, "a late review", "already denied")
		if reviews := s.reviews(id); len(reviews) != 1 {
			s.Errorf("got reviews %+v", reviews)
		}
		modern.Faults.Stall(false)
		s.settled(id, "Denied", "rob")
	})
}

func TestWhatWasDecidedOutrightElsewhereMeanwhileIsNotDecidedAgain(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		id := s.file("because")
		post := s.post(id)
		fast.Faults.Stall(true)
		s.Cleanup(fast.Faults.Clear)
		_, err := s.admin.Auth().SetAccessRequestState(s.ctx, &proto.RequestStateSetter{ID: id, State: types.RequestState_APPROVED})
		s.must(err)
		s.holds(s.clickOnce(set.Approver, post, stage.Deny), "already approved", "in Teleport")
		s.noted(set.Approver, "a late denial", "already approved")
		if !s.state(id).IsApproved() || len(s.decisions(id)) != 1 {
			s.Errorf("the request is %s with decisions %+v", s.state(id), s.decisions(id))
		}
	})
}
