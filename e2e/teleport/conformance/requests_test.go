package conformance

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// says fails the test where the error has not this code and these words.
func says(t *testing.T, err error, code codes.Code, words string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), words) {
		t.Errorf("got %v, want %s with %q", err, code, words)
	}
}

func TestAFiledRequestHasTheFieldsThatTeleportFillsIn(t *testing.T) {
	onBoth(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		id := file(t, ctx, cluster)
		request, err := as(t, ctx, cluster, teleport.PluginUser).Get(ctx, id)
		if err != nil || request == nil {
			t.Fatalf("got %v, %v", request, err)
		}
		spec := request.Spec
		if request.Kind != "access_request" || request.Version != "v3" || request.Metadata.Namespace != "default" {
			t.Errorf("got kind %q, version %q, namespace %q", request.Kind, request.Version, request.Metadata.Namespace)
		}
		if spec.User != teleport.Requester || strings.Join(spec.Roles, " ") != teleport.RequestedRole || !spec.State.IsPending() || spec.RequestReason != "because" {
			t.Errorf("got %+v", spec)
		}
		if left := time.Until(request.Expiry()); left < 50*time.Minute || left > 61*time.Minute {
			t.Errorf("the request stays for %s, want about an hour", left)
		}
		if left := time.Until(spec.Expires); left < 11*time.Hour || left > 13*time.Hour {
			t.Errorf("the access would last %s, want as long as the requester's certificate, about 12 hours", left)
		}
		if len(spec.Thresholds) != 1 || spec.Thresholds[0].Name != "default" || spec.Thresholds[0].Approve != 1 || spec.Thresholds[0].Deny != 1 {
			t.Errorf("got thresholds %+v", spec.Thresholds)
		}
		if sets := spec.RoleThresholdMapping[teleport.RequestedRole].Sets; len(sets) != 1 || len(sets[0].Indexes) != 1 || sets[0].Indexes[0] != 0 {
			t.Errorf("got mapping %+v", spec.RoleThresholdMapping)
		}
		if team := spec.SystemAnnotations["team"]; len(team) != 1 || team[0] != "infra" {
			t.Errorf("got annotations %v", spec.SystemAnnotations)
		}
	})
}

func TestADecisionIsKeptWithDelegatorReasonAndAnnotations(t *testing.T) {
	onBoth(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		plugin := as(t, ctx, cluster, teleport.PluginUser)
		for _, state := range []types.RequestState{types.RequestState_APPROVED, types.RequestState_DENIED} {
			id := file(t, ctx, cluster)
			_, err := plugin.Auth().SetAccessRequestState(ctx, &proto.RequestStateSetter{
				ID: id, State: state, Delegator: "mattermost:bob@example.com", Reason: "fine", Annotations: map[string][]string{"by": {"bob"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			request, err := plugin.Get(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			if request.Spec.State != state || request.Spec.ResolveReason != "fine" || request.Spec.ResolveAnnotations["by"][0] != "bob" {
				t.Errorf("got %+v", request.Spec)
			}
			if long := time.Until(request.Expiry()) > 2*time.Hour; long != state.IsApproved() {
				t.Errorf("%s: the request stays until %s", state, request.Expiry())
			}
			events, err := cluster.Audit(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			if len(events) != 2 || events[0].Event != teleport.EventCreate || events[1].Event != teleport.EventUpdate {
				t.Fatalf("got events %+v", events)
			}
			if made := events[0]; made.User != teleport.Requester || made.State != "PENDING" {
				t.Errorf("got %+v", made)
			}
			if set := events[1]; set.Delegator != "mattermost:bob@example.com" || set.UpdatedBy != teleport.PluginUser || set.State != state.String() || set.Reason != "fine" {
				t.Errorf("got %+v", set)
			}
		}
	})
}

func TestADecisionMayGrantFewerRoles(t *testing.T) {
	onBoth(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		plugin := as(t, ctx, cluster, teleport.PluginUser)
		id, err := as(t, ctx, cluster, teleport.Requester).File(ctx, teleport.Wish{Roles: []string{"dba", "prod-read"}})
		if err != nil {
			t.Fatal(err)
		}
		set := func(role string) error {
			_, err := plugin.Auth().SetAccessRequestState(ctx, &proto.RequestStateSetter{ID: id, State: types.RequestState_APPROVED, Roles: []string{role}})
			return err
		}
		says(t, set("engineer"), codes.InvalidArgument, `role "engineer" not in original request`)
		if err := set("prod-read"); err != nil {
			t.Fatal(err)
		}
		request, err := plugin.Get(ctx, id)
		if err != nil || strings.Join(request.GetRoles(), " ") != "prod-read" {
			t.Errorf("got %v, %v", request, err)
		}
	})
}

func TestWhatIsRefusedIsRefusedInTheSameWords(t *testing.T) {
	onBoth(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		plugin, stranger, requester := as(t, ctx, cluster, teleport.PluginUser), as(t, ctx, cluster, teleport.Stranger), as(t, ctx, cluster, teleport.Requester)
		id := file(t, ctx, cluster)
		nobody := uuid.NewString()

		says(t, stranger.SetState(ctx, id, types.RequestState_APPROVED, ""), codes.PermissionDenied, `access denied to perform action "update" on "access_request"`)
		says(t, stranger.Delete(ctx, id), codes.PermissionDenied, `access denied to perform action "delete" on "access_request"`)
		says(t, plugin.SetState(ctx, nobody, types.RequestState_APPROVED, ""), codes.NotFound, "cannot set state of access request")
		says(t, plugin.SetState(ctx, id, types.RequestState_NONE, ""), codes.InvalidArgument, "missing request state")
		says(t, plugin.SetState(ctx, "", types.RequestState_APPROVED, ""), codes.InvalidArgument, "missing request id")
		_, err := requester.File(ctx, teleport.Wish{Roles: []string{"access-admin"}})
		if err == nil || !strings.Contains(err.Error(), `can not request role "access-admin"`) {
			t.Errorf("got %v", err)
		}
		_, err = stranger.File(ctx, teleport.Wish{User: teleport.Requester, Roles: []string{"dba"}})
		if err == nil || !strings.Contains(err.Error(), `access denied to perform action "create" on "access_request"`) {
			t.Errorf("got %v", err)
		}
		_, err = requester.File(ctx, teleport.Wish{Roles: []string{"dba"}, Reason: strings.Repeat("x", 4097)})
		if err == nil || !strings.Contains(err.Error(), "too long, max 4096 bytes") {
			t.Errorf("got %v", err)
		}
		says(t, plugin.SetState(ctx, id, types.RequestState_DENIED, ""), codes.OK, "")
		says(t, plugin.SetState(ctx, id, types.RequestState_APPROVED, ""), codes.InvalidArgument, `cannot set request-state "APPROVED" (already denied)`)
		says(t, plugin.SetState(ctx, id, types.RequestState_DENIED, ""), codes.OK, "")

		id = file(t, ctx, cluster)
		says(t, plugin.SetState(ctx, id, types.RequestState_APPROVED, ""), codes.OK, "")
		says(t, plugin.SetState(ctx, id, types.RequestState_DENIED, ""), codes.OK, "")
	})
}

func TestOpenSourceRefusesReviews(t *testing.T) {
	onBoth(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		id := file(t, ctx, cluster)
		review := func(author string) error {
			_, err := as(t, ctx, cluster, teleport.PluginUser).Auth().SubmitAccessReview(ctx, &types.AccessReviewSubmission{
				RequestID: id, Review: types.AccessReview{Author: author, ProposedState: types.RequestState_APPROVED},
			})
			return err
		}
		says(t, review(teleport.PluginUser), codes.PermissionDenied, `user "access-plugin" cannot submit reviews`)
		says(t, review("somebody"), codes.PermissionDenied, `user "access-plugin" cannot submit reviews on behalf of "somebody"`)
		for field, conditions := range map[string]string{
			"allow.review_requests":    "review_requests: {roles: [dba]}",
			"allow.request.thresholds": "request: {roles: [dba], thresholds: [{approve: 2}]}",
		} {
			err := cluster.CreateResources(ctx, "kind: role\nversion: v5\nmetadata: {name: paid}\nspec: {allow: {"+conditions+"}}\n")
			if err == nil || !strings.Contains(err.Error(), field+" is only available in enterprise subscriptions") {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestMissingRightsMakeAListingShorterAndNoError(t *testing.T) {
	onBoth(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		id := file(t, ctx, cluster)
		for user, want := range map[string]bool{teleport.PluginUser: true, teleport.Requester: true, teleport.Stranger: false} {
			requests, err := as(t, ctx, cluster, user).List(ctx)
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, request := range requests {
				found = found || request.GetName() == id
			}
			if found != want {
				t.Errorf("%s sees it: %v, want %v", user, found, want)
			}
		}
	})
}

func TestMethodsThatThisVersionDoesNotHaveAreUnimplemented(t *testing.T) {
	onBoth(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		_, err := as(t, ctx, cluster, teleport.PluginUser).Auth().ListAccessRequests(ctx, &proto.ListAccessRequestsRequest{})
		says(t, err, codes.Unimplemented, "unknown method ListAccessRequests for service proto.AuthService")
	})
}

func TestPingSaysWhoTheServerIs(t *testing.T) {
	onBoth(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		answer, err := as(t, ctx, cluster, teleport.Stranger).Auth().Ping(ctx, &proto.PingRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if answer.ClusterName != cluster.Name() || answer.ServerVersion != cluster.Version() || answer.ServerFeatures.AdvancedAccessWorkflows {
			t.Errorf("got %+v", answer)
		}
	})
}
