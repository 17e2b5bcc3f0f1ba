package double_test

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

func TestMain(m *testing.M) {
	double.Become()
	os.Exit(m.Run())
}

// within bounds every test.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, options double.Options) *double.Double {
	t.Helper()
	d, err := double.New(within(t), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	if err := teleport.Populate(within(t), d); err != nil {
		t.Fatal(err)
	}
	return d
}

func as(t *testing.T, cluster teleport.Cluster, user string) *teleport.Client {
	t.Helper()
	client, err := teleport.Dial(within(t), cluster, user)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func file(t *testing.T, cluster teleport.Cluster) string {
	t.Helper()
	id, err := as(t, cluster, teleport.Requester).File(within(t), teleport.Wish{Roles: []string{teleport.RequestedRole}})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestOldServersHaveOnlyTheUnpagedListing(t *testing.T) {
	d := start(t, double.Options{Version: "4.2.8"})
	id := file(t, d)
	plugin := as(t, d, teleport.PluginUser)
	stream, err := plugin.Auth().GetAccessRequestsV2(within(t), &types.AccessRequestFilter{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("the streamed listing: got %v", err)
	}
	if _, err := plugin.Auth().ListAccessRequests(within(t), &proto.ListAccessRequestsRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("the paged listing: got %v", err)
	}
	requests, err := plugin.List(within(t))
	if err != nil || len(requests) != 1 || requests[0].GetName() != id {
		t.Errorf("got %v, %v", requests, err)
	}
}

func TestNewServersListInPages(t *testing.T) {
	d := start(t, double.Options{})
	var want []string
	for range 5 {
		want = append(want, file(t, d))
	}
	plugin := as(t, d, teleport.PluginUser)
	var got []string
	for key := ""; ; {
		page, err := plugin.Auth().ListAccessRequests(within(t), &proto.ListAccessRequestsRequest{Limit: 2, StartKey: key, Filter: &types.AccessRequestFilter{State: types.RequestState_PENDING}})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.AccessRequests) > 2 {
			t.Fatalf("got a page of %d", len(page.AccessRequests))
		}
		for _, request := range page.AccessRequests {
			got = append(got, request.GetName())
		}
		if key = page.NextKey; key == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNewServersKeepTheRequestsExpiryInItsSpec(t *testing.T) {
	for version, inSpec := range map[string]bool{"18.0.0": true, "14.3.1": false} {
		d := start(t, double.Options{Version: version})
		request, err := as(t, d, teleport.PluginUser).Get(within(t), file(t, d))
		if err != nil {
			t.Fatal(err)
		}
		if (request.Spec.ResourceExpiry != nil) != inSpec || (request.Metadata.Expires != nil) == inSpec {
			t.Errorf("%s: in the spec %v, in the metadata %v", version, request.Spec.ResourceExpiry, request.Metadata.Expires)
		}
	}
}

func TestNobodySetsTheStateOfTheirOwnRequest(t *testing.T) {
	d := start(t, double.Options{})
	id, err := as(t, d, teleport.Admin).File(within(t), teleport.Wish{User: teleport.Requester, Roles: []string{"dba"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.CreateResources(within(t), "kind: user\nmetadata: {name: alice@example.com}\nspec: {roles: [engineer, access-admin]}\n"); err != nil {
		t.Fatal(err)
	}
	err = as(t, d, teleport.Requester).SetState(within(t), id, types.RequestState_APPROVED, "")
	if status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "your own access requests is not permitted") {
		t.Errorf("got %v", err)
	}
}

const reviewers = `
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

func review(t *testing.T, client *teleport.Client, id, author string, state types.RequestState, unknown []byte) (*types.AccessRequestV3, error) {
	t.Helper()
	return client.Auth().SubmitAccessReview(within(t), &types.AccessReviewSubmission{
		RequestID: id, Review: types.AccessReview{Author: author, ProposedState: state, Reason: "fine", XXX_unrecognized: unknown},
	})
}

func TestReviewsDecideWhenAThresholdIsReached(t *testing.T) {
	d := start(t, double.Options{Enterprise: true})
	if err := d.CreateResources(within(t), reviewers); err != nil {
		t.Fatal(err)
	}
	id, err := as(t, d, teleport.Requester).File(within(t), teleport.Wish{Roles: []string{"prod-read"}})
	if err != nil {
		t.Fatal(err)
	}
	rita, rob := as(t, d, "rita"), as(t, d, "rob")
	request, err := review(t, rita, id, "rita", types.RequestState_APPROVED, nil)
	if err != nil || !request.GetState().IsPending() || len(request.GetReviews()) != 1 {
		t.Fatalf("after one: %v, %v", request, err)
	}
	if _, err = review(t, rita, id, "rita", types.RequestState_APPROVED, nil); status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "has already reviewed") {
		t.Errorf("the same again: %v", err)
	}
	if _, err = review(t, rita, id, "rob", types.RequestState_APPROVED, nil); status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), `on behalf of "rob"`) {
		t.Errorf("for somebody else: %v", err)
	}
	request, err = review(t, rob, id, "rob", types.RequestState_APPROVED, nil)
	if err != nil || !request.GetState().IsApproved() || request.GetResolveReason() != "fine" {
		t.Errorf("after two: %v, %v", request, err)
	}
	if _, err = review(t, as(t, d, teleport.Requester), id, teleport.Requester, types.RequestState_APPROVED, nil); status.Code(err) != codes.PermissionDenied {
		t.Errorf("one's own: %v", err)
	}
	other, err := as(t, d, teleport.Requester).File(within(t), teleport.Wish{Roles: []string{"prod-read"}})
	if err != nil {
		t.Fatal(err)
	}
	if request, err = review(t, rita, other, "rita", types.RequestState_DENIED, nil); err != nil || !request.GetState().IsDenied() {
		t.Errorf("one denial is enough: %v, %v", request, err)
	}
	if _, err = review(t, rob, other, "rob", types.RequestState_APPROVED, nil); status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "has been already denied") {
		t.Errorf("too late: %v", err)
	}
}

func TestAUserWithTheRightReviewsOnBehalfOfOthersSince18_11(t *testing.T) {
	onBehalf := protowire.AppendVarint(protowire.AppendTag(nil, 12, protowire.VarintType), 1)
	mayFor := "kind: role\nmetadata: {name: access-plugin}\nspec: {allow: {review_requests: {submit_for_users: [rita]}, rules: [{resources: [access_request], verbs: [list, read]}]}}\n"
	d := start(t, double.Options{Enterprise: true, Version: "18.11.0"})
	if err := d.CreateResources(within(t), reviewers+"---\n"+mayFor); err != nil {
		t.Fatal(err)
	}
	id, err := as(t, d, teleport.Requester).File(within(t), teleport.Wish{Roles: []string{"prod-read"}})
	if err != nil {
		t.Fatal(err)
	}
	plugin := as(t, d, teleport.PluginUser)
	request, err := review(t, plugin, id, "rita", types.RequestState_APPROVED, onBehalf)
	if err != nil {
		t.Fatal(err)
	}
	made := request.GetReviews()[0]
	submittedBy := protowire.AppendString(protowire.AppendTag(nil, 11, protowire.BytesType), teleport.PluginUser)
	if made.Author != "rita" || !strings.Contains(string(made.XXX_unrecognized), string(submittedBy)) {
		t.Errorf("got %+v", made)
	}
	if _, err = review(t, plugin, id, "rob", types.RequestState_APPROVED, onBehalf); status.Code(err) != codes.PermissionDenied {
		t.Errorf("for somebody who is not named: %v", err)
	}
	if _, err = review(t, plugin, id, "rita", types.RequestState_APPROVED, nil); status.Code(err) != codes.PermissionDenied {
		t.Errorf("without saying so: %v", err)
	}

	older := start(t, double.Options{Enterprise: true, Version: "18.10.0"})
	if err := older.CreateResources(within(t), mayFor); err == nil {
		t.Error("an older server takes submit_for_users")
	}
	id = file(t, older)
	if _, err = review(t, as(t, older, teleport.PluginUser), id, "rita", types.RequestState_APPROVED, onBehalf); status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "cannot submit reviews on behalf of") {
		t.Errorf("an older server: %v", err)
	}
}

func TestAPromotedRequestNamesItsAccessList(t *testing.T) {
	d := start(t, double.Options{})
	id := file(t, d)
	if err := d.Promote(id, "dbas"); err != nil {
		t.Fatal(err)
	}
	request, err := as(t, d, teleport.PluginUser).Get(within(t), id)
	if err != nil || !request.GetState().IsPromoted() || request.GetPromotedAccessListName() != "dbas" {
		t.Errorf("got %v, %v", request, err)
	}
}

func TestFaultsHappenAsOftenAsTheyAreTo(t *testing.T) {
	d := start(t, double.Options{})
	id := file(t, d)
	plugin := as(t, d, teleport.PluginUser)
	d.Faults.Add(double.Fault{Method: "SetAccessRequestState", Times: 1, Code: codes.Unavailable, Message: "out for lunch"})
	if err := plugin.SetState(within(t), id, types.RequestState_APPROVED, ""); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	if request, err := plugin.Get(within(t), id); err != nil || !request.GetState().IsPending() {
		t.Errorf("a fault before the effect: %v, %v", request, err)
	}
	d.Faults.Add(double.Fault{Method: "SetAccessRequestState", Times: 1, Code: codes.Unavailable, After: true})
	if err := plugin.SetState(within(t), id, types.RequestState_APPROVED, ""); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	if request, err := plugin.Get(within(t), id); err != nil || !request.GetState().IsApproved() {
		t.Errorf("a fault after the effect: %v, %v", request, err)
	}
	if err := plugin.SetState(within(t), id, types.RequestState_APPROVED, ""); err != nil {
		t.Errorf("after the faults: %v", err)
	}
	d.Faults.Add(double.Fault{Method: "Ping", Delay: 200 * time.Millisecond})
	begin := time.Now()
	if _, err := plugin.Auth().Ping(within(t), &proto.PingRequest{}); err != nil || time.Since(begin) < 200*time.Millisecond {
		t.Errorf("a delay: %s, %v", time.Since(begin), err)
	}
}

func TestAHeldCallGoesOnWhenTheFaultsAreCleared(t *testing.T) {
	d := start(t, double.Options{})
	id := file(t, d)
	plugin := as(t, d, teleport.PluginUser)
	d.Faults.Add(double.Fault{Method: "SetAccessRequestState", Times: 1, Hold: true})
	set := make(chan error, 1)
	go func() { set <- plugin.SetState(within(t), id, types.RequestState_APPROVED, "") }()
	for d.Faults.Calls("SetAccessRequestState") == 0 {
		time.Sleep(time.Millisecond)
	}
	if request, err := plugin.Get(within(t), id); err != nil || !request.GetState().IsPending() {
		t.Errorf("while the call is held: %v, %v", request, err)
	}
	d.Faults.Clear()
	if err := <-set; err != nil {
		t.Error(err)
	}
	if request, err := plugin.Get(within(t), id); err != nil || !request.GetState().IsApproved() {
		t.Errorf("afterwards: %v, %v", request, err)
	}
}

func watch(t *testing.T, ctx context.Context, client *teleport.Client) proto.AuthService_WatchEventsClient {
	t.Helper()
	stream, err := client.Auth().WatchEvents(ctx, &proto.Watch{Kinds: []types.WatchKind{{Kind: types.KindAccessRequest}}})
	if err != nil {
		t.Fatal(err)
	}
	if event, err := stream.Recv(); err != nil || event.Type != proto.Operation_INIT {
		t.Fatalf("got %v, %v", event, err)
	}
	return stream
}

func TestAStalledWatchTellsEverythingLater(t *testing.T) {
	d := start(t, double.Options{})
	stream := watch(t, within(t), as(t, d, teleport.PluginUser))
	d.Faults.Stall(true)
	id := file(t, d)
	came := make(chan *proto.Event, 1)
	go func() {
		event, _ := stream.Recv()
		came <- event
	}()
	select {
	case event := <-came:
		t.Fatalf("came while stalled: %v", event)
	case <-time.After(300 * time.Millisecond):
	}
	d.Faults.Stall(false)
	if event := <-came; event.GetAccessRequest().GetName() != id {
		t.Errorf("got %v", event)
	}
}

func TestWhileFrozenNothingIsHeardAndAfterwardsEverythingIs(t *testing.T) {
	d := start(t, double.Options{})
	plugin := as(t, d, teleport.PluginUser)
	if _, err := plugin.Auth().Ping(within(t), &proto.PingRequest{}); err != nil {
		t.Fatal(err)
	}
	d.Faults.Freeze(true)
	short, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := plugin.Auth().Ping(short, &proto.PingRequest{}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
	d.Faults.Clear()
	if _, err := plugin.Auth().Ping(within(t), &proto.PingRequest{}); err != nil {
		t.Error(err)
	}
}

func TestStopAndCutEndWatchesEachInItsWayAndTheStateStays(t *testing.T) {
	d := start(t, double.Options{})
	id := file(t, d)
	plugin := as(t, d, teleport.PluginUser)
	auth, proxy := d.AuthAddress(), d.ProxyAddress()

	stream := watch(t, within(t), plugin)
	d.Stop()
	if _, err := stream.Recv(); status.Code(err) != codes.Unknown || !strings.Contains(err.Error(), "watcher closed") {
		t.Errorf("stopped: got %v", err)
	}
	if err := d.Start(within(t)); err != nil {
		t.Fatal(err)
	}
	if d.AuthAddress() != auth || d.ProxyAddress() != proxy {
		t.Error("the addresses have changed")
	}
	if request, err := plugin.Get(within(t), id); err != nil || request == nil {
		t.Errorf("got %v, %v", request, err)
	}
	stream = watch(t, within(t), plugin)
	d.Cut()
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("cut: got %v", err)
	}
	stream = watch(t, within(t), plugin)
	// The server notices in its own time that the old one is gone.
	for deadline := time.Now().Add(30 * time.Second); d.Watches() != 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d watches stand, want 1", d.Watches())
		}
	}
	d.EndWatches()
	if _, err := stream.Recv(); errors.Is(err, io.EOF) || status.Code(err) != codes.Unknown {
		t.Errorf("ended: got %v", err)
	}
}

func TestAKilledDoubleGoesOnWithTheSameState(t *testing.T) {
	p, err := double.StartProcess(within(t), double.Options{Version: "14.3.1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if err := teleport.Populate(within(t), p); err != nil {
		t.Fatal(err)
	}
	approved, gone := file(t, p), file(t, p)
	admin := as(t, p, teleport.Admin)
	if err := admin.SetState(within(t), approved, types.RequestState_APPROVED, "fine"); err != nil {
		t.Fatal(err)
	}
	if err := admin.Delete(within(t), gone); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if err := p.Start(within(t)); err != nil {
		t.Fatal(err)
	}
	// The same certificates are still good.
	requests, err := admin.List(within(t))
	if err != nil || len(requests) != 1 || requests[0].GetName() != approved || !requests[0].GetState().IsApproved() {
		t.Errorf("got %v, %v", requests, err)
	}
	if events, err := p.Audit(within(t), approved); err != nil || len(events) != 2 {
		t.Errorf("got %v, %v", events, err)
	}
	if err := p.AddFault(within(t), double.Fault{Method: "Ping", Code: codes.Unavailable}); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Auth().Ping(within(t), &proto.PingRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestCredentialsComeWithEveryKindOfKeyAndCanHaveExpired(t *testing.T) {
	for _, kind := range []double.KeyKind{double.RSA, double.ECDSA, double.Ed25519} {
		d := start(t, double.Options{Keys: kind})
		if _, err := as(t, d, teleport.PluginUser).List(within(t)); err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
		signed, err := d.Sign(within(t), teleport.PluginUser, -time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := teleport.ParseCertificate(signed.Certificate)
		if err != nil || certificate.NotAfter.After(time.Now()) {
			t.Errorf("kind %d: not expired: %v", kind, err)
		}
	}
}

func TestWhatTheDoubleCannotDoIsSaidAndNotPretended(t *testing.T) {
	d := start(t, double.Options{Enterprise: true})
	for _, yaml := range []string{
		"kind: role\nmetadata: {name: x}\nspec: {allow: {review_requests: {roles: [a], where: 'true'}}}",
		"kind: role\nmetadata: {name: x}\nspec: {allow: {request: {roles: [a], thresholds: [{filter: 'true', approve: 1}]}}}",
		"kind: role\nmetadata: {name: x}\nspec: {allow: {request: {claims_to_roles: [{claim: a}]}}}",
		"kind: token\nmetadata: {name: x}",
		"kind: role\nspec: {}",
		"kind: user\nmetadata: {name: x}\nspec: {roles: [missing]}",
	} {
		if err := d.CreateResources(within(t), yaml); err == nil {
			t.Errorf("this was taken:\n%s", yaml)
		}
	}
}
