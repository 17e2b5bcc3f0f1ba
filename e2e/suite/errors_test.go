package suite

import (
	"testing"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

func TestMultiFactorAuthenticationForAdministratorsIsSaidWithItsCure(t *testing.T) {
	d := newDouble(t, double.Options{Version: "18.0.0", Cluster: "mfa.example", AdminMFA: true})
	s := newScene(t, d)
	s.says(trouble{"a certificate without a second factor", s.settings(), "Permissions", []string{"multi-factor", "Machine ID", "tbot", "`tctl auth sign`", "on the auth server's own host"}})

	// A bot of Machine ID needs none.
	s.must(d.CreateResources(s.ctx, `
kind: user
version: v2
metadata: {name: bot-access, labels: {teleport.internal/bot: access}}
spec: {roles: [access-plugin]}
`))
	signed, err := d.Sign(s.ctx, "bot-access", credentialsLast)
	s.must(err)
	s.connect(stage.Identity(d.AuthAddress(), signed).With("Recipients", s.recipient).With("Approvers", "* = bob").With("AskReason", "never"))
	id, err := s.requester.File(s.ctx, teleport.Wish{Roles: []string{teleport.RequestedRole}})
	s.must(err)
	s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved")
	s.settled(id, "Approved")
}

func TestAReviewUnderMultiFactorAuthenticationIsRefusedWithTheCure(t *testing.T) {
	d := newDouble(t, double.Options{Version: "18.11.0", Enterprise: true, Cluster: "mfa-review.example", AdminMFA: true})
	s := newScene(t, d)
	s.must(d.CreateResources(s.ctx, onBehalf+reviewers))
	// Only a review shows that there is a second factor.
	s.connect(s.byTeleport("bob", "rita"))
	id := s.file("because")
	s.refusedFor(set.Approver, id, "multi-factor", "Machine ID")
}

func TestARuleThatIsTakenAwayIsSaidToTheClicker(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		id := s.file("because")
		post := s.post(id)
		s.must(fast.CreateResources(s.ctx, `
kind: role
version: v5
metadata: {name: access-plugin}
spec: {allow: {rules: [{resources: [access_request], verbs: [list, read]}]}}
`))
		s.Cleanup(func() {
			if err := fast.CreateResources(s.ctx, teleport.PluginResources); err != nil {
				s.Error(err)
			}
		})
		s.holds(s.clickOnce(set.Approver, post, stage.Approve), `access denied to perform action "update"`, "verbs: [list, read, update]", "tctl create -f")
		s.untouched(id)
		if tried := s.attempts(set.Approver); tried[0].Result != "failed" || tried[0].RequestID != id {
			s.Errorf("the audit trail has %+v", tried[0])
		}
	})
}

func TestARoleThatMayNotReadUsersIsSaidWhereATraitNamesThem(t *testing.T) {
	onModern(t, onBehalf+reviewers, func(s *scene) {
		s.must(modern.CreateResources(s.ctx, `
kind: role
version: v5
metadata: {name: access-plugin}
spec: {allow: {review_requests: {submit_for_users: ['*']}, rules: [{resources: [access_request], verbs: [list, read]}]}}
`))
		s.says(trouble{"no right to users", s.byTeleport().With("UserTrait", "mattermost"), "Permissions", []string{"resources: [user]", "list, read", "tctl create -f"}})
	})
}
