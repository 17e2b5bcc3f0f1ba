package conformance

import (
	"context"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// watch opens a watch of access requests and takes its first event.
func watch(t *testing.T, ctx context.Context, client *teleport.Client, filter map[string]string) (proto.AuthService_WatchEventsClient, *proto.Event, error) {
	t.Helper()
	stream, err := client.Auth().WatchEvents(ctx, &proto.Watch{Kinds: []types.WatchKind{{Kind: types.KindAccessRequest, Filter: filter}}})
	if err != nil {
		t.Fatal(err)
	}
	event, err := stream.Recv()
	return stream, event, err
}

// next answers the next event about the request.
func next(t *testing.T, stream proto.AuthService_WatchEventsClient, id string) *proto.Event {
	t.Helper()
	for {
		event, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if request := event.GetAccessRequest(); request != nil && request.GetName() == id {
			return event
		}
		if header := event.GetResourceHeader(); header != nil && header.Metadata.Name == id {
			return event
		}
	}
}

func TestAWatchBeginsWithWhatItWatchesAndTellsTheWholeLifeOfARequest(t *testing.T) {
	onBoth(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		stream, event, err := watch(t, ctx, as(t, ctx, cluster, teleport.PluginUser), nil)
		if err != nil {
			t.Fatal(err)
		}
		if event.Type != proto.Operation_INIT {
			t.Fatalf("got %v, want INIT", event)
		}
		if kinds := event.GetWatchStatus().GetKinds(); len(kinds) != 1 || kinds[0].Kind != types.KindAccessRequest {
			t.Errorf("got status %v", event.GetWatchStatus())
		}
		admin := as(t, ctx, cluster, teleport.Admin)
		id := file(t, ctx, cluster)
		if event = next(t, stream, id); event.Type != proto.Operation_PUT || !event.GetAccessRequest().GetState().IsPending() {
			t.Errorf("got %v, want PUT of a pending request", event)
		}
		if err := admin.SetState(ctx, id, types.RequestState_APPROVED, "fine"); err != nil {
			t.Fatal(err)
		}
		if event = next(t, stream, id); event.Type != proto.Operation_PUT || !event.GetAccessRequest().GetState().IsApproved() || event.GetAccessRequest().GetResolveReason() != "fine" {
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

func TestARequestThatExpiresIsToldAsADeletion(t *testing.T) {
	onEvery(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		stream, _, err := watch(t, ctx, as(t, ctx, cluster, teleport.PluginUser), nil)
		if err != nil {
			t.Fatal(err)
		}
		id, err := as(t, ctx, cluster, teleport.Requester).File(ctx, teleport.Wish{Roles: []string{"dba"}, Lasts: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if event := next(t, stream, id); event.Type != proto.Operation_PUT {
			t.Errorf("got %v", event)
		}
		if event := next(t, stream, id); event.Type != proto.Operation_DELETE {
			t.Errorf("got %v, want DELETE", event)
		}
	})
}

func TestAWatchCanBeFilteredByState(t *testing.T) {
	onEvery(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		stream, _, err := watch(t, ctx, as(t, ctx, cluster, teleport.PluginUser), map[string]string{"state": "APPROVED"})
		if err != nil {
			t.Fatal(err)
		}
		id := file(t, ctx, cluster)
		if err := as(t, ctx, cluster, teleport.Admin).SetState(ctx, id, types.RequestState_APPROVED, ""); err != nil {
			t.Fatal(err)
		}
		if event := next(t, stream, id); !event.GetAccessRequest().GetState().IsApproved() {
			t.Errorf("got %v, want the approved request first", event)
		}
	})
}

func TestAWatchNeedsTheRightToRead(t *testing.T) {
	onBoth(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		_, _, err := watch(t, ctx, as(t, ctx, cluster, teleport.Stranger), nil)
		says(t, err, codes.PermissionDenied, `access denied to perform action "read" on "access_request"`)
		_, _, err = watch(t, ctx, as(t, ctx, cluster, teleport.Requester), map[string]string{"user": teleport.Requester})
		says(t, err, codes.OK, "")
		stream, err := as(t, ctx, cluster, teleport.PluginUser).Auth().WatchEvents(ctx, &proto.Watch{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		says(t, err, codes.PermissionDenied, "can't setup global watch")
		stream, err = as(t, ctx, cluster, teleport.Stranger).Auth().WatchEvents(ctx, &proto.Watch{Kinds: []types.WatchKind{{Kind: types.KindAccessRequest}}, AllowPartialSuccess: true})
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		says(t, err, codes.InvalidArgument, "none of the requested kinds can be watched")
	})
}
