package endurance

import (
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

// shortLife is how long a request lives that is to expire: long enough to be posted on a loaded machine.
const shortLife = 8 * time.Second

func TestThePostFollowsWhatIsDoneInTeleport(t *testing.T) {
	t.Parallel()
	s := newScene(t, newStage(t), newDouble(t, double.Options{}))
	s.connect(s.settings())
	approved, denied, deleted, expired := s.file(teleport.Wish{}), s.file(teleport.Wish{}), s.file(teleport.Wish{}), s.file(teleport.Wish{Lasts: shortLife})
	for _, id := range []string{approved, denied, deleted, expired} {
		s.pending(id)
	}
	s.must(s.tctl.SetState(s.ctx, approved, types.RequestState_APPROVED, "go ahead"))
	s.must(s.tctl.SetState(s.ctx, denied, types.RequestState_DENIED, "not today"))
	s.must(s.tctl.Delete(s.ctx, deleted))
	post := s.settled(approved, "was granted", "✅ Approved in Teleport", "go ahead")
	s.tells(post, []string{"✅ Approved", "go ahead"})
	post = s.settled(denied, "was denied", "❌ Denied in Teleport", "not today")
	s.tells(post, []string{"❌ Denied", "not today"})
	s.settled(deleted, "was withdrawn", "Deleted")
	s.settled(expired, "expired", "⌛ Expired")

	// Access that was granted and taken away later keeps its story.
	s.must(s.tctl.Delete(s.ctx, approved))
	// A request that comes after it is posted after it is dealt with.
	s.pending(s.file(teleport.Wish{}))
	s.settled(approved, "✅ Approved in Teleport")
}

func TestExpiryIsShownThoughTheWatchSaysNothing(t *testing.T) {
	t.Parallel()
	cluster := newDouble(t, double.Options{})
	s := newScene(t, newStage(t), cluster)
	s.connect(s.settings())
	id := s.file(teleport.Wish{Lasts: shortLife})
	s.pending(id)
	cluster.Faults.Stall(true)
	s.settled(id, "⌛ Expired")
	cluster.Faults.Stall(false)
	// What was held back comes late, and changes nothing.
	s.pending(s.file(teleport.Wish{}))
	s.settled(id, "⌛ Expired")
}

// reviewing has a role that takes two approvals, and two who may give them.
const reviewing = `
kind: role
metadata: {name: careful}
spec: {allow: {request: {roles: [prod-read], thresholds: [{name: two, approve: 2, deny: 1}]}}}
---
kind: role
metadata: {name: reviewer}
spec: {allow: {review_requests: {roles: ['prod-*']}}}
---
kind: user
metadata: {name: alice@example.com}
spec: {roles: [careful]}
---
kind: user
metadata: {name: rita}
spec: {roles: [reviewer]}
---
kind: user
metadata: {name: rob}
spec: {roles: [reviewer]}
`

// review reviews a request as a user of Teleport.
func (s *scene) review(user, id string, state types.RequestState, reason string) {
	s.Helper()
	_, err := s.dial(user).Auth().SubmitAccessReview(s.ctx, &types.AccessReviewSubmission{
		RequestID: id, Review: types.AccessReview{Author: user, ProposedState: state, Reason: reason},
	})
	s.must(err)
}

func TestEachReviewIsCountedInThePostAndToldInItsThread(t *testing.T) {
	t.Parallel()
	cluster := newDouble(t, double.Options{Enterprise: true})
	s := newScene(t, newStage(t), cluster)
	s.must(cluster.CreateResources(s.ctx, reviewing))
	s.connect(s.settings())
	wish := teleport.Wish{Roles: []string{"prod-read"}}

	id := s.file(wish)
	s.shows(s.channel.Id, id, isOpen, "0 of 2 approvals")
	s.review("rita", id, types.RequestState_APPROVED, "the ticket looks right")
	post := s.shows(s.channel.Id, id, isOpen, "1 of 2 approvals", "`rita`", "the ticket looks right")
	s.tells(post, []string{"✅ `rita` approved", "the ticket looks right"})
	s.review("rob", id, types.RequestState_APPROVED, "same here")
	s.settled(id, "✅ Approved by `rita`, `rob`")
	s.tells(post, []string{"✅ `rita` approved", "the ticket looks right"}, []string{"✅ `rob` approved", "same here"}, []string{"✅ Approved", "rita", "rob"})

	// One denial is enough.
	id = s.file(wish)
	post = s.shows(s.channel.Id, id, isOpen)
	s.review("rita", id, types.RequestState_APPROVED, "")
	s.shows(s.channel.Id, id, isOpen, "1 of 2 approvals")
	s.review("rob", id, types.RequestState_DENIED, "not on a Friday")
	s.settled(id, "❌ Denied by `rob`", "not on a Friday")
	s.tells(post, []string{"✅ `rita` approved"}, []string{"❌ `rob` denied", "not on a Friday"}, []string{"❌ Denied", "not on a Friday"})
}

func TestAllPostsOfARequestWithSeveralRecipientsStayTrue(t *testing.T) {
	t.Parallel()
	s := newScene(t, newStage(t), newDouble(t, double.Options{}))
	second, alsoTo, err := s.set.Channel(s.ctx, "on-call")
	s.must(err)
	bob := s.set.Approver
	s.connect(s.settings().With("Recipients", s.recipient+", "+alsoTo+", @"+bob.Username))
	approved, deleted, open := s.file(teleport.Wish{}), s.file(teleport.Wish{}), s.file(teleport.Wish{})
	s.pending(approved)
	direct := s.direct(bob.ID)
	places := []*model.Channel{s.channel, second, direct}
	for _, place := range places {
		for _, id := range []string{approved, deleted, open} {
			s.shows(place.Id, id, isOpen)
		}
	}
	// A click in one of them settles all.
	answer, err := bob.Decide(s.ctx, s.shows(direct.Id, approved, isOpen), stage.Approve, "")
	s.must(err)
	s.must(holds(answer, "You approved"))
	s.must(s.tctl.Delete(s.ctx, deleted))
	for _, place := range places {
		s.shows(place.Id, approved, isClosed, "✅ Approved by `@"+bob.Username+"`")
		s.shows(place.Id, deleted, isClosed, "Deleted")
		s.shows(place.Id, open, isOpen)
	}
}

// direct is the channel between the plugin's bot and a user.
func (s *scene) direct(userID string) *model.Channel {
	s.Helper()
	posts, err := s.set.Mattermost.Posts(s.ctx, s.channel.Id)
	s.must(err)
	channel, _, err := s.set.Mattermost.Admin.Client.CreateDirectChannel(s.ctx, posts[0].UserId, userID)
	s.must(err)
	return channel
}
