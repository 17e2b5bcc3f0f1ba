package conformance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

func isFirst(cluster teleport.Cluster) bool { return teleport.IsOlder(cluster.Version(), 4, 4) }

// soon waits until something is so: a server hears of new roles and users through its cache, a moment after they were made.
func soon(t *testing.T, ctx context.Context, is func() bool, got func() string) {
	t.Helper()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("got %s", got())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// denied fails the test where the error is not what the server says of a missing right. The first servers do not tell it from a
// missing thing.
func denied(t *testing.T, cluster teleport.Cluster, err error, verb, kind string) {
	t.Helper()
	if isFirst(cluster) {
		says(t, err, codes.NotFound, "object not found")
		return
	}
	says(t, err, codes.PermissionDenied, fmt.Sprintf("access denied to perform action %q on %q", verb, kind))
}

func TestAnOldRequestHasTheFieldsThatItsVersionFillsIn(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		id := file(t, ctx, cluster)
		request, err := as(t, ctx, cluster, teleport.PluginUser).Get(ctx, id)
		if err != nil || request == nil {
			t.Fatalf("got %v, %v", request, err)
		}
		spec := request.Spec
		if request.Kind != "access_request" || request.Version != "v3" || request.Metadata.Namespace != "default" {
			t.Errorf("got kind %q, version %q, namespace %q", request.Kind, request.Version, request.Metadata.Namespace)
		}
		if spec.User != teleport.Requester || strings.Join(spec.Roles, " ") != teleport.RequestedRole || !spec.State.IsPending() {
			t.Errorf("got %+v", spec)
		}
		if spec.ResourceExpiry != nil || request.Metadata.Expires == nil {
			t.Fatalf("the request expires at %v or %v", spec.ResourceExpiry, request.Metadata.Expires)
		}
		if left := time.Until(*request.Metadata.Expires); left < 50*time.Minute || left > 61*time.Minute {
			t.Errorf("the request stays for %s, want about an hour", left)
		}
		if left := time.Until(spec.Expires); left < 11*time.Hour || left > 13*time.Hour {
			t.Errorf("the access would last %s, want as long as the requester's certificate, about 12 hours", left)
		}
		if !spec.MaxDuration.IsZero() || !spec.SessionTTL.IsZero() || spec.AssumeStartTime != nil {
			t.Errorf("got times that are not known yet: %+v", spec)
		}
		if want := !isFirst(cluster); (spec.RequestReason == "because") != want || (len(spec.SystemAnnotations["team"]) == 1) != want {
			t.Errorf("got reason %q and annotations %v", spec.RequestReason, spec.SystemAnnotations)
		}
		if want := !teleport.IsOlder(cluster.Version(), 6, 0); (len(spec.Thresholds) == 1) != want || (len(spec.RoleThresholdMapping) == 1) != want {
			t.Errorf("got thresholds %v, %v", spec.Thresholds, spec.RoleThresholdMapping)
		}
	})
}

func TestWhoAsksForLessAccessWaitsLessAtOldServers(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		plugin := as(t, ctx, cluster, teleport.PluginUser)
		id, err := as(t, ctx, cluster, teleport.Requester).File(ctx, teleport.Wish{Roles: []string{"dba"}, Lasts: 10 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range []types.RequestState{types.RequestState_PENDING, types.RequestState_APPROVED} {
			request, err := plugin.Get(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			if request.GetState() != state {
				t.Errorf("it is %s, want %s", request.GetState(), state)
			}
			for _, end := range []time.Time{*request.Metadata.Expires, request.Spec.Expires} {
				if left := time.Until(end); left < 5*time.Minute || left > 11*time.Minute {
					t.Errorf("%s: it ends in %s, want 10 minutes", state, left)
				}
			}
			if err := plugin.SetState(ctx, id, types.RequestState_APPROVED, ""); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestOldServersKeepOfADecisionWhatTheyHaveFieldsFor(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
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
			kept := !isFirst(cluster)
			if request.Spec.State != state || (request.Spec.ResolveReason == "fine") != kept || (len(request.Spec.ResolveAnnotations["by"]) == 1) != kept {
				t.Errorf("got %+v", request.Spec)
			}
			if long := time.Until(*request.Metadata.Expires) > 2*time.Hour; long != state.IsApproved() {
				t.Errorf("%s: the request stays until %s", state, request.Metadata.Expires)
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
			if set := events[1]; set.Delegator != "mattermost:bob@example.com" || set.UpdatedBy != teleport.PluginUser || set.State != state.String() || (set.Reason == "fine") != kept {
				t.Errorf("got %+v", set)
			}
		}
	})
}

func TestTheFirstServersGrantAllRolesWhateverWasDecided(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		plugin := as(t, ctx, cluster, teleport.PluginUser)
		id, err := as(t, ctx, cluster, teleport.Requester).File(ctx, teleport.Wish{Roles: []string{"dba", "prod-read"}})
		if err != nil {
			t.Fatal(err)
		}
		set := func(state types.RequestState, role string) error {
			_, err := plugin.Auth().SetAccessRequestState(ctx, &proto.RequestStateSetter{ID: id, State: state, Roles: []string{role}})
			return err
		}
		want := "dba prod-read"
		if !isFirst(cluster) {
			says(t, set(types.RequestState_APPROVED, "engineer"), codes.InvalidArgument, `role "engineer" not in original request`)
			says(t, set(types.RequestState_DENIED, "dba"), codes.InvalidArgument, "cannot override roles when setting state: DENIED")
			want = "prod-read"
		}
		if err := set(types.RequestState_APPROVED, "prod-read"); err != nil {
			t.Fatal(err)
		}
		request, err := plugin.Get(ctx, id)
		if err != nil || strings.Join(request.GetRoles(), " ") != want {
			t.Errorf("got %v, %v, want %s", request, err, want)
		}
	})
}

func TestOldServersRefuseInTheSameWords(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		plugin, stranger, requester := as(t, ctx, cluster, teleport.PluginUser), as(t, ctx, cluster, teleport.Stranger), as(t, ctx, cluster, teleport.Requester)
		id := file(t, ctx, cluster)

		denied(t, cluster, stranger.SetState(ctx, id, types.RequestState_APPROVED, ""), "update", "access_request")
		says(t, plugin.SetState(ctx, uuid.NewString(), types.RequestState_APPROVED, ""), codes.NotFound, "cannot set state of access request")
		if isFirst(cluster) {
			says(t, plugin.SetState(ctx, "", types.RequestState_APPROVED, ""), codes.InvalidArgument, "special characters are not allowed in resource names")
		} else {
			says(t, plugin.SetState(ctx, id, types.RequestState_NONE, ""), codes.InvalidArgument, "missing request state")
			says(t, plugin.SetState(ctx, "", types.RequestState_APPROVED, ""), codes.InvalidArgument, "missing request id")
		}
		words := `can not request role "access-admin"`
		if isFirst(cluster) {
			words = `cannot request role "access-admin"`
		}
		_, err := requester.File(ctx, teleport.Wish{Roles: []string{"access-admin"}})
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("got %v", err)
		}
		_, err = stranger.File(ctx, teleport.Wish{User: teleport.Requester, Roles: []string{"dba"}})
		denied(t, cluster, errors.Unwrap(err), "create", "access_request")
		// Neither reason has a bound.
		long, err := requester.File(ctx, teleport.Wish{Roles: []string{"dba"}, Reason: strings.Repeat("x", 5000)})
		if err != nil {
			t.Errorf("a long reason: %v", err)
		}
		says(t, plugin.SetState(ctx, long, types.RequestState_DENIED, strings.Repeat("x", 5000)), codes.OK, "")

		says(t, plugin.SetState(ctx, id, types.RequestState_DENIED, ""), codes.OK, "")
		says(t, plugin.SetState(ctx, id, types.RequestState_APPROVED, ""), codes.InvalidArgument, `cannot set request-state "APPROVED" (already denied)`)
		says(t, plugin.SetState(ctx, id, types.RequestState_DENIED, ""), codes.OK, "")

		id = file(t, ctx, cluster)
		says(t, plugin.SetState(ctx, id, types.RequestState_APPROVED, ""), codes.OK, "")
		says(t, plugin.SetState(ctx, id, types.RequestState_DENIED, ""), codes.OK, "")
	})
}

func TestWhoMayUpdateMayDeleteAtTheFirstServers(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		id, deletes := file(t, ctx, cluster), teleport.IsOlder(cluster.Version(), 6, 0)
		right := "delete"
		if deletes {
			right = "update"
		}
		denied(t, cluster, as(t, ctx, cluster, teleport.Stranger).Delete(ctx, id), right, "access_request")
		if err := as(t, ctx, cluster, teleport.PluginUser).Delete(ctx, id); (err == nil) != deletes {
			t.Errorf("the plugin's user: %v", err)
		}
		if deletes {
			says(t, as(t, ctx, cluster, teleport.Admin).Delete(ctx, id), codes.NotFound, "cannot delete access request")
		} else {
			says(t, as(t, ctx, cluster, teleport.Admin).Delete(ctx, id), codes.OK, "")
		}
	})
}

func TestListingTakesRightsAtTheFirstServers(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		id := file(t, ctx, cluster)
		for user, want := range map[string]bool{teleport.PluginUser: true, teleport.Requester: true, teleport.Stranger: false} {
			client := as(t, ctx, cluster, user)
			if user != teleport.PluginUser && teleport.IsOlder(cluster.Version(), 6, 0) {
				_, err := client.List(ctx)
				denied(t, cluster, err, "list", "access_request")
				_, err = client.Get(ctx, id)
				denied(t, cluster, err, "list", "access_request")
				continue
			}
			requests, err := client.List(ctx)
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
		if request, err := as(t, ctx, cluster, teleport.PluginUser).Get(ctx, uuid.NewString()); err != nil || request != nil {
			t.Errorf("a request that does not exist: %v, %v", request, err)
		}
	})
}

func TestPluginDataTellsWhoMayListRequests(t *testing.T) {
	onEvery(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		err := cluster.CreateResources(ctx, teleport.Resources(cluster, `
kind: role
version: v5
metadata: {name: half-plugin}
spec: {allow: {logins: [nobody], rules: [{resources: [access_request], verbs: [read, update]}]}}
---
kind: user
version: v2
metadata: {name: half}
spec: {roles: [half-plugin]}
`))
		if err != nil {
			t.Fatal(err)
		}
		ask := func(user string) error {
			_, err := as(t, ctx, cluster, user).Auth().GetPluginData(ctx, &types.PluginDataFilter{Kind: types.KindAccessRequest, Resource: uuid.NewString()})
			return err
		}
		says(t, ask(teleport.PluginUser), codes.OK, "")
		kind := types.KindAccessPluginData
		if teleport.IsOlder(cluster.Version(), 6, 0) {
			kind = types.KindAccessRequest
		}
		soon(t, ctx, func() bool {
			err = ask("half")
			return isFirst(cluster) || strings.Contains(status.Convert(err).Message(), "access denied to perform action")
		}, func() string { return fmt.Sprint(err) })
		denied(t, cluster, err, types.VerbList, kind)
	})
}

func TestMethodsThatOldServersDoNotHaveAreUnimplemented(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		auth := as(t, ctx, cluster, teleport.PluginUser).Auth()
		calls := map[string]func() error{
			"ListAccessRequests": func() error {
				_, err := auth.ListAccessRequests(ctx, &proto.ListAccessRequestsRequest{})
				return err
			},
			"GetAccessRequestsV2": func() error {
				_, err := all(auth.GetAccessRequestsV2(ctx, &types.AccessRequestFilter{}))
				return err
			},
			"CreateAccessRequestV2": func() error {
				_, err := auth.CreateAccessRequestV2(ctx, &types.AccessRequestV3{})
				return err
			},
			"GetCurrentUserRoles": func() error {
				_, err := all(auth.GetCurrentUserRoles(ctx, &emptypb.Empty{}))
				return err
			},
		}
		if teleport.IsOlder(cluster.Version(), 6, 0) {
			calls["SubmitAccessReview"] = func() error {
				_, err := auth.SubmitAccessReview(ctx, &types.AccessReviewSubmission{})
				return err
			}
		}
		for method, call := range calls {
			says(t, call(), codes.Unimplemented, "unknown method "+method+" for service proto.AuthService")
		}
	})
}

func TestPingOfOldServersSaysLess(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		answer, err := as(t, ctx, cluster, teleport.Stranger).Auth().Ping(ctx, &proto.PingRequest{})
		if err != nil {
			t.Fatal(err)
		}
		features := !teleport.IsOlder(cluster.Version(), 6, 0)
		if answer.ClusterName != cluster.Name() || answer.ServerVersion != cluster.Version() || (answer.ServerFeatures != nil) != features || answer.ServerFeatures.GetAdvancedAccessWorkflows() {
			t.Errorf("got %+v", answer)
		}
	})
}

func TestAnOldWatchTellsTheWholeLifeOfARequest(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		stream, event, err := watch(t, ctx, as(t, ctx, cluster, teleport.PluginUser), nil)
		if err != nil {
			t.Fatal(err)
		}
		if event.Type != proto.Operation_INIT || event.Resource != nil {
			t.Fatalf("got %v, want INIT and no more", event)
		}
		admin := as(t, ctx, cluster, teleport.Admin)
		id := file(t, ctx, cluster)
		if event = next(t, stream, id); event.Type != proto.Operation_PUT || !event.GetAccessRequest().GetState().IsPending() {
			t.Errorf("got %v, want PUT of a pending request", event)
		}
		if err := admin.SetState(ctx, id, types.RequestState_APPROVED, "fine"); err != nil {
			t.Fatal(err)
		}
		if event = next(t, stream, id); event.Type != proto.Operation_PUT || !event.GetAccessRequest().GetState().IsApproved() {
			t.Errorf("got %v, want PUT of the approved request", event)
		}
		if err := admin.Delete(ctx, id); err != nil {
			t.Fatal(err)
		}
		event = next(t, stream, id)
		header := event.GetResourceHeader()
		if event.Type != proto.Operation_DELETE || header == nil || header.Kind != types.KindAccessRequest || header.Metadata.Namespace != "default" {
			t.Errorf("got %v, want DELETE with the header", event)
		}
	})
}

func TestAnOldWatchNeedsTheRightToRead(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		_, _, err := watch(t, ctx, as(t, ctx, cluster, teleport.Stranger), nil)
		denied(t, cluster, err, "read", "access_request")
		_, _, err = watch(t, ctx, as(t, ctx, cluster, teleport.Requester), map[string]string{"user": teleport.Requester})
		says(t, err, codes.OK, "")
		// Nothing is watched in part: one unknown kind is one too many.
		stream, err := as(t, ctx, cluster, teleport.PluginUser).Auth().WatchEvents(ctx, &proto.Watch{
			Kinds: []types.WatchKind{{Kind: types.KindAccessRequest}, {Kind: "something_new"}}, AllowPartialSuccess: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		words := `access denied to perform action "read" on "something_new"`
		if isFirst(cluster) {
			words = "not authorized to watch something_new events"
		}
		says(t, err, codes.PermissionDenied, words)
	})
}

func TestTheFirstServersKnowNoPatternsOfRoles(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		err := cluster.CreateResources(ctx, `
kind: role
version: v3
metadata: {name: asks-by-pattern}
spec: {allow: {logins: [nobody], request: {roles: ['prod-*']}}}
---
kind: user
version: v2
metadata: {name: pat}
spec: {roles: [asks-by-pattern]}
`)
		if err != nil {
			t.Fatal(err)
		}
		pat := as(t, ctx, cluster, "pat")
		soon(t, ctx, func() bool {
			_, err = pat.File(ctx, teleport.Wish{Roles: []string{"prod-read"}})
			if isFirst(cluster) {
				return err != nil && strings.Contains(err.Error(), `cannot request role "prod-read"`)
			}
			return err == nil
		}, func() string { return fmt.Sprint(err) })
	})
}

func TestOldServersTakeRolesOfTheirOwnVersionOnly(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		role := "kind: role\nversion: v5\nmetadata: {name: later}\nspec: {allow: {logins: [nobody]}}\n"
		if err := cluster.CreateResources(ctx, role); err == nil || !strings.Contains(err.Error(), "role version \"v5\" is not supported") {
			t.Errorf("got %v", err)
		}
	})
}

func TestTheProxyOfAnOldServerIsNoWayToTheAuthServer(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		signed, err := cluster.Sign(ctx, teleport.PluginUser, 0)
		if err != nil {
			t.Fatal(err)
		}
		toAuth := "teleport-auth@" + teleport.ServerName(cluster.Name())
		with := func() *tls.Config {
			config, err := signed.TLS(cluster.Name())
			if err != nil {
				t.Fatal(err)
			}
			config.NextProtos = []string{toAuth, "h2"}
			return config
		}
		var unknown x509.UnknownAuthorityError
		var name x509.HostnameError
		if _, err = shake(ctx, cluster.ProxyAddress(), with()); !errors.As(err, &unknown) && !errors.As(err, &name) {
			t.Errorf("the proxy: got %v, want the web's certificate", err)
		}
		agreed, err := shake(ctx, cluster.AuthAddress(), with())
		if err != nil || agreed.NegotiatedProtocol != "h2" {
			t.Errorf("the auth server: got %q, %v", agreed.NegotiatedProtocol, err)
		}
	})
}

func TestAnOldServerThatStopsEndsItsWatches(t *testing.T) {
	onOld(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		client := as(t, ctx, cluster, teleport.PluginUser)
		stream, _, err := watch(t, ctx, client, nil)
		if err != nil {
			t.Fatal(err)
		}
		id := file(t, ctx, cluster)
		cluster.Stop()
		for err == nil {
			_, err = stream.Recv()
		}
		// The first servers may end it as if all were well.
		if status.Code(err) == codes.DeadlineExceeded || (errors.Is(err, io.EOF) && !teleport.IsOlder(cluster.Version(), 6, 0)) {
			t.Errorf("the watch ended with %v", err)
		}
		if err := cluster.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if request, err := client.Get(ctx, id); err != nil || !request.GetState().IsPending() {
			t.Errorf("after the restart: got %v, %v", request, err)
		}
	})
}
