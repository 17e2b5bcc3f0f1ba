package double_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/client/proto"
	usersv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/users/v1"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

// onBehalf is the unknown field by which a review says that its author is not the caller.
var onBehalf = protowire.AppendVarint(protowire.AppendTag(nil, 12, protowire.VarintType), 1)

// forAll lets the plugin's user submit reviews for everybody, and look users up.
const forAll = `
kind: role
metadata: {name: access-plugin}
spec:
  allow:
    review_requests: {submit_for_users: ['*']}
    rules:
      - {resources: [access_request], verbs: [list, read, update]}
      - {resources: [user], verbs: [list, read]}
`

func says(t *testing.T, what string, err error, code codes.Code, words string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), words) {
		t.Errorf("%s: got %v, want %s with %q", what, err, code, words)
	}
}

func TestInAReviewOnBehalfTheAuthorsRulesCountAndNotTheCallers(t *testing.T) {
	d := start(t, double.Options{Enterprise: true, Version: "18.11.0"})
	if err := d.CreateResources(within(t), reviewers+"---"+forAll); err != nil {
		t.Fatal(err)
	}
	plugin := as(t, d, teleport.PluginUser)
	id, err := as(t, d, teleport.Requester).File(within(t), teleport.Wish{Roles: []string{"prod-read"}})
	if err != nil {
		t.Fatal(err)
	}
	approve := func(author string) (*types.AccessRequestV3, error) {
		return review(t, plugin, id, author, types.RequestState_APPROVED, onBehalf)
	}
	_, err = approve("nobody")
	says(t, "nobody", err, codes.NotFound, `user "nobody" not found`)
	_, err = approve(teleport.Stranger)
	says(t, "somebody without review rules", err, codes.PermissionDenied, `user "stranger" cannot submit reviews`)
	_, err = approve(teleport.Requester)
	says(t, "the requester", err, codes.PermissionDenied, `cannot submit reviews`)
	// The plugin's user has no review rules of its own, and an empty author is the caller.
	_, err = approve("")
	says(t, "an empty author", err, codes.PermissionDenied, `user "access-plugin" cannot submit reviews`)

	request, err := approve("rita")
	if err != nil || !request.GetState().IsPending() {
		t.Fatalf("the first of two: %v, %v", request, err)
	}
	_, err = approve("rita")
	says(t, "the same again", err, codes.PermissionDenied, "has already reviewed")
	if request, err = approve("rob"); err != nil || !request.GetState().IsApproved() || len(request.GetReviews()) != 2 {
		t.Fatalf("the second of two: %v, %v", request, err)
	}
	_, err = approve("rob")
	says(t, "once more", err, codes.PermissionDenied, "has already reviewed")
	events, err := d.Audit(within(t), id)
	if err != nil || len(events) != 3 || events[2].Reviewer != "rob" || events[2].UpdatedBy != teleport.PluginUser {
		t.Errorf("got %+v, %v", events, err)
	}

	// A requester who may review others may not review themselves.
	if err := d.CreateResources(within(t), "kind: user\nmetadata: {name: alice@example.com}\nspec: {roles: [careful, reviewer]}\n"); err != nil {
		t.Fatal(err)
	}
	if id, err = as(t, d, teleport.Requester).File(within(t), teleport.Wish{Roles: []string{"prod-read"}}); err != nil {
		t.Fatal(err)
	}
	_, err = approve(teleport.Requester)
	says(t, "one's own", err, codes.PermissionDenied, `user "alice@example.com" cannot review request`)
}

func TestADenyRuleKeepsReviewsOnBehalfFromBeingSubmitted(t *testing.T) {
	d := start(t, double.Options{Enterprise: true, Version: "18.11.0"})
	err := d.CreateResources(within(t), reviewers+`---
kind: role
metadata: {name: access-plugin}
spec:
  allow: {review_requests: {submit_for_users: ['*']}}
  deny: {review_requests: {submit_for_users: [rita]}}
`)
	if err != nil {
		t.Fatal(err)
	}
	id, err := as(t, d, teleport.Requester).File(within(t), teleport.Wish{Roles: []string{"prod-read"}})
	if err != nil {
		t.Fatal(err)
	}
	plugin := as(t, d, teleport.PluginUser)
	_, err = review(t, plugin, id, "rita", types.RequestState_DENIED, onBehalf)
	says(t, "a denied author", err, codes.PermissionDenied, `cannot submit reviews on behalf of "rita"`)
	if _, err = review(t, plugin, id, "rob", types.RequestState_DENIED, onBehalf); err != nil {
		t.Error(err)
	}
}

func TestAPromotedRequestTakesNoReviews(t *testing.T) {
	d := start(t, double.Options{Enterprise: true})
	if err := d.CreateResources(within(t), reviewers); err != nil {
		t.Fatal(err)
	}
	id, err := as(t, d, teleport.Requester).File(within(t), teleport.Wish{Roles: []string{"prod-read"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Promote(id, "readers"); err != nil {
		t.Fatal(err)
	}
	_, err = review(t, as(t, d, "rita"), id, "rita", types.RequestState_APPROVED, nil)
	says(t, "a review", err, codes.PermissionDenied, "the access request has been already promoted")
}

// people makes users with a trait; the last has none.
const people = `
kind: user
metadata: {name: rita@example.com}
spec: {roles: [bystander], traits: {mattermost: [rita], team: [infra, dba]}}
---
kind: user
metadata: {name: rob}
spec: {roles: [bystander], traits: {mattermost: [rob]}}
---
kind: user
metadata: {name: zoe}
spec: {roles: [bystander]}
`

func TestUsersAreListedInPagesWithTheirTraits(t *testing.T) {
	d := start(t, double.Options{Enterprise: true, Version: "18.11.0"})
	if err := d.CreateResources(within(t), people+"---"+forAll); err != nil {
		t.Fatal(err)
	}
	users := as(t, d, teleport.PluginUser).Users()
	var names []string
	for token := ""; ; {
		page, err := users.ListUsers(within(t), &usersv1.ListUsersRequest{PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Users) > 2 {
			t.Fatalf("got a page of %d", len(page.Users))
		}
		for _, user := range page.Users {
			names = append(names, user.GetName())
			if user.GetName() == "rita@example.com" && !slices.Equal(user.GetTraits()["team"], []string{"infra", "dba"}) {
				t.Errorf("got traits %v", user.GetTraits())
			}
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	if want := []string{"access-plugin", "admin", "alice@example.com", "rita@example.com", "rob", "stranger", "zoe"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	found, err := users.ListUsers(within(t), &usersv1.ListUsersRequest{Filter: &types.UserFilter{SearchKeywords: []string{"rita"}}})
	if err != nil || len(found.Users) != 1 || found.Users[0].GetName() != "rita@example.com" {
		t.Errorf("filtered: got %v, %v", found, err)
	}
	one, err := users.GetUser(within(t), &usersv1.GetUserRequest{Name: "rob"})
	if err != nil || !slices.Equal(one.User.GetTraits()["mattermost"], []string{"rob"}) {
		t.Errorf("got %v, %v", one, err)
	}
	if one, err = users.GetUser(within(t), &usersv1.GetUserRequest{CurrentUser: true}); err != nil || one.User.GetName() != teleport.PluginUser {
		t.Errorf("oneself: got %v, %v", one, err)
	}
	_, err = users.GetUser(within(t), &usersv1.GetUserRequest{Name: "rob", CurrentUser: true})
	says(t, "a name and oneself", err, codes.InvalidArgument, "mutually exclusive")
	if err := d.DeleteUser("rob"); err != nil {
		t.Fatal(err)
	}
	_, err = users.GetUser(within(t), &usersv1.GetUserRequest{Name: "rob"})
	says(t, "a deleted user", err, codes.NotFound, `user "rob" not found`)
}

func TestUsersAreForThoseWithTheRule(t *testing.T) {
	d := start(t, double.Options{})
	stranger := as(t, d, teleport.Stranger)
	_, err := stranger.Users().ListUsers(within(t), &usersv1.ListUsersRequest{})
	says(t, "listing", err, codes.PermissionDenied, `access denied to perform action "list" on "user"`)
	_, err = stranger.Users().GetUser(within(t), &usersv1.GetUserRequest{Name: teleport.Requester})
	says(t, "reading", err, codes.PermissionDenied, `access denied to perform action "read" on "user"`)
	_, err = stranger.Users().ListUsers(within(t), &usersv1.ListUsersRequest{WithSecrets: true})
	says(t, "secrets", err, codes.PermissionDenied, "only executed by an admin")
	if one, err := stranger.Users().GetUser(within(t), &usersv1.GetUserRequest{Name: teleport.Stranger}); err != nil || one.User.GetName() != teleport.Stranger {
		t.Errorf("oneself: got %v, %v", one, err)
	}
}

func TestOldServersIgnoreTheFilterOfAListingAndTheOldestHaveNone(t *testing.T) {
	keyword := &usersv1.ListUsersRequest{Filter: &types.UserFilter{SearchKeywords: []string{"alice"}}}
	for version, want := range map[string]int{"16.4.0": 4, "17.0.0": 1} {
		d := start(t, double.Options{Version: version})
		if err := d.CreateResources(within(t), strings.ReplaceAll(forAll, "    review_requests: {submit_for_users: ['*']}\n", "")); err != nil {
			t.Fatal(err)
		}
		page, err := as(t, d, teleport.PluginUser).Users().ListUsers(within(t), keyword)
		if err != nil || len(page.Users) != want {
			t.Errorf("%s: got %v, %v, want %d users", version, page, err, want)
		}
	}
	d := start(t, double.Options{Version: "14.3.1"})
	_, err := as(t, d, teleport.PluginUser).Users().ListUsers(within(t), keyword)
	says(t, "14", err, codes.Unimplemented, "unknown service teleport.users.v1.UsersService")
}

func TestOwnRolesAreToldWithForWhomTheyLetSubmitReviews(t *testing.T) {
	d := start(t, double.Options{Enterprise: true, Version: "18.11.0"})
	if err := d.CreateResources(within(t), forAll); err != nil {
		t.Fatal(err)
	}
	stream, err := as(t, d, teleport.PluginUser).Auth().GetCurrentUserRoles(within(t), &emptypb.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	role, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the only role: %v", err)
	}
	rules := role.Spec.Allow.Rules
	if role.GetName() != "access-plugin" || len(rules) != 2 || !slices.Equal(rules[1].Verbs, []string{"list", "read"}) {
		t.Errorf("got %+v", role)
	}
	everybody := protowire.AppendString(protowire.AppendTag(nil, 5, protowire.BytesType), "*")
	if !slices.Equal(role.Spec.Allow.ReviewRequests.XXX_unrecognized, everybody) {
		t.Errorf("for whom: %x", role.Spec.Allow.ReviewRequests.XXX_unrecognized)
	}
	old := start(t, double.Options{Version: "4.2.8"})
	if stream, err = as(t, old, teleport.PluginUser).Auth().GetCurrentUserRoles(within(t), &emptypb.Empty{}); err == nil {
		_, err = stream.Recv()
	}
	says(t, "an old server", err, codes.Unimplemented, "unknown method GetCurrentUserRoles")
}

func TestAccessBeginsLaterWhereTheServerKnowsThat(t *testing.T) {
	in := func(d time.Duration) *time.Time { at := time.Now().Add(d).UTC(); return &at }
	approve := func(t *testing.T, client *teleport.Client, id string, start *time.Time) error {
		_, err := client.Auth().SetAccessRequestState(within(t), &proto.RequestStateSetter{ID: id, State: types.RequestState_APPROVED, AssumeStartTime: start})
		return err
	}
	for version, honoured := range map[string]bool{"15.0.0": true, "14.3.1": false} {
		d := start(t, double.Options{Version: version})
		plugin, id, later := as(t, d, teleport.PluginUser), file(t, d), in(2*time.Hour)
		if err := approve(t, plugin, id, later); err != nil {
			t.Fatal(err)
		}
		request, err := plugin.Get(within(t), id)
		if err != nil {
			t.Fatal(err)
		}
		if got := request.GetAssumeStartTime(); (got != nil) != honoured || (honoured && !got.Equal(*later)) {
			t.Errorf("%s: the access begins %v", version, got)
		}
	}
	d := start(t, double.Options{})
	plugin, id := as(t, d, teleport.PluginUser), file(t, d)
	// The requester's certificate ends in 12 hours.
	says(t, "after the access has ended", approve(t, plugin, id, in(13*time.Hour)), codes.InvalidArgument, "assume start time must be prior to access expiry time")
	says(t, "before it was asked for", approve(t, plugin, id, in(-time.Hour)), codes.InvalidArgument, "assume start time has to be after")
	if request, err := plugin.Get(within(t), id); err != nil || !request.GetState().IsPending() {
		t.Errorf("after what was refused: %v, %v", request, err)
	}
}

func TestAReviewMaySayWhenTheAccessBegins(t *testing.T) {
	d := start(t, double.Options{Enterprise: true})
	if err := d.CreateResources(within(t), strings.ReplaceAll(reviewers, "approve: 2", "approve: 1")); err != nil {
		t.Fatal(err)
	}
	rita := as(t, d, "rita")
	id, err := as(t, d, teleport.Requester).File(within(t), teleport.Wish{Roles: []string{"prod-read"}})
	if err != nil {
		t.Fatal(err)
	}
	approve := func(start time.Time, roles ...string) (*types.AccessRequestV3, error) {
		return rita.Auth().SubmitAccessReview(within(t), &types.AccessReviewSubmission{RequestID: id, Review: types.AccessReview{
			Author: "rita", ProposedState: types.RequestState_APPROVED, AssumeStartTime: &start, Roles: roles,
		}})
	}
	later := time.Now().Add(time.Hour).UTC()
	_, err = approve(time.Now().Add(8 * 24 * time.Hour))
	says(t, "too late", err, codes.InvalidArgument, "assume start time")
	_, err = approve(later, "prod-read", "dba")
	says(t, "other roles", err, codes.Unimplemented, "role subselection is not yet supported")
	_, err = approve(later, "dba")
	says(t, "another role", err, codes.InvalidArgument, `role "dba" is not a member of this request`)
	request, err := approve(later, "prod-read")
	if err != nil || !request.GetState().IsApproved() || request.GetAssumeStartTime() == nil || !request.GetAssumeStartTime().Equal(later) {
		t.Errorf("got %v, %v", request, err)
	}
}

func TestALongTermRequestSaysSoToThoseWhoCanReadIt(t *testing.T) {
	d := start(t, double.Options{})
	id := file(t, d)
	if err := d.MakeLongTerm(id); err != nil {
		t.Fatal(err)
	}
	request, err := as(t, d, teleport.PluginUser).Get(within(t), id)
	if err != nil {
		t.Fatal(err)
	}
	if want := protowire.AppendVarint(protowire.AppendTag(nil, 24, protowire.VarintType), 2); !slices.Equal(request.Spec.XXX_unrecognized, want) {
		t.Errorf("got %x", request.Spec.XXX_unrecognized)
	}
	old := start(t, double.Options{Version: "17.0.0"})
	if err := old.MakeLongTerm(file(t, old)); err == nil {
		t.Error("an old server has long-term requests")
	}
}

func TestARequestThatIsLetLastExpiresWhenItWasTold(t *testing.T) {
	for _, version := range []string{"13.3.8", "18.0.0"} {
		d := start(t, double.Options{Version: version})
		id, until := file(t, d), time.Now().AddDate(9, 0, 0).UTC().Truncate(time.Second)
		if err := d.LetLast(id, until); err != nil {
			t.Fatal(err)
		}
		request, err := as(t, d, teleport.PluginUser).Get(within(t), id)
		if err != nil {
			t.Fatal(err)
		}
		expires := request.Expiry()
		if version == "13.3.8" {
			expires = request.GetMetadata().Expires.UTC()
		}
		if !expires.Equal(until) || !request.GetAccessExpiry().Equal(until) {
			t.Errorf("%s: it expires at %s, the access at %s, want %s", version, expires, request.GetAccessExpiry(), until)
		}
	}
}

func TestARequestSaysWhatLaterServersMightSay(t *testing.T) {
	d := start(t, double.Options{})
	id := file(t, d)
	if err := d.SetSpecField(id, 27, 5); err != nil {
		t.Fatal(err)
	}
	if err := d.RestrictToLogin(id, "n1", "root"); err != nil {
		t.Fatal(err)
	}
	if err := d.SetSpecField(id, 22, 5); err == nil {
		t.Error("a field that the official types know was set beside them")
	}
	request, err := as(t, d, teleport.PluginUser).Get(within(t), id)
	if err != nil {
		t.Fatal(err)
	}
	got := map[protowire.Number]string{}
	for rest := request.Spec.XXX_unrecognized; len(rest) > 0; {
		number, kind, tag := protowire.ConsumeTag(rest)
		length := protowire.ConsumeFieldValue(number, kind, rest[tag:])
		if tag < 0 || length < 0 {
			t.Fatalf("the fields are %x", request.Spec.XXX_unrecognized)
		}
		got[number] = string(rest[tag : tag+length])
		rest = rest[tag+length:]
	}
	if len(got) != 2 || got[27] != "\x05" || !strings.Contains(got[26], "n1") || !strings.Contains(got[26], "root") {
		t.Errorf("got %q", got)
	}
}

func TestUnderAdminMFAOnlyMachineIDDecides(t *testing.T) {
	d := start(t, double.Options{Enterprise: true, AdminMFA: true})
	err := d.CreateResources(within(t), reviewers+`---
kind: user
metadata: {name: bot-access, labels: {teleport.internal/bot: access}}
spec: {roles: [access-plugin]}
`)
	if err != nil {
		t.Fatal(err)
	}
	id, err := as(t, d, teleport.Requester).File(within(t), teleport.Wish{Roles: []string{"prod-read"}})
	if err != nil {
		t.Fatal(err)
	}
	const words = "admin-level API request requires MFA verification"
	says(t, "a state", as(t, d, teleport.PluginUser).SetState(within(t), id, types.RequestState_DENIED, ""), codes.PermissionDenied, words)
	_, err = review(t, as(t, d, "rita"), id, "rita", types.RequestState_APPROVED, nil)
	says(t, "a review", err, codes.PermissionDenied, words)
	if err := as(t, d, "bot-access").SetState(within(t), id, types.RequestState_DENIED, ""); err != nil {
		t.Errorf("a bot: %v", err)
	}
}

func TestAClientThatSendsAVersionWhichCannotBeReadIsLetIntoNothing(t *testing.T) {
	for version, code := range map[string]codes.Code{"15.0.0": codes.OK, "16.0.0": codes.PermissionDenied} {
		d := start(t, double.Options{Version: version})
		plugin := as(t, d, teleport.PluginUser)
		for text, want := range map[string]codes.Code{"": codes.OK, version: codes.OK, "not a version": code} {
			ctx := within(t)
			if text != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "version", text)
			}
			if _, err := plugin.Auth().Ping(ctx, &proto.PingRequest{}); status.Code(err) != want {
				t.Errorf("%s with %q: got %v, want %s", version, text, err, want)
			}
		}
	}
}

func TestWhoCannotSeeARequestDoesNotFindItToDecide(t *testing.T) {
	d := start(t, double.Options{})
	id := file(t, d)
	err := d.CreateResources(within(t), `
kind: role
metadata: {name: access-plugin}
spec:
  allow:
    rules:
      - {resources: [access_request], verbs: [update]}
`)
	if err != nil {
		t.Fatal(err)
	}
	err = as(t, d, teleport.PluginUser).SetState(within(t), id, types.RequestState_DENIED, "")
	says(t, "a state", err, codes.NotFound, `cannot set state of access request "`+id+`" (not found)`)
}
