// Package bridge is the way to Teleport, and to what lies on the Mattermost server for it: it serves
// proto/bridge/bridge.proto, seals credentials for the settings, signs with the plugin's own key, and carries the core's gRPC-web to an
// endpoint that speaks gRPC over HTTP/2 with mutual TLS, or gRPC-web itself. It does not look into messages.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"connectrpc.com/connect"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge/bridgeconnect"
)

// Bridge knows the endpoints of clusters.
type Bridge struct {
	api  API
	keys keys

	mu sync.Mutex
	// endpoints are those that new calls go to.
	endpoints map[string]*endpoint
	// retired are the ones before, whose last calls are under way.
	retired map[*endpoint]struct{}
	closed  bool
}

var _ bridgeconnect.BridgeHandler = (*Bridge)(nil)

// New makes a bridge that leads nowhere yet.
func New(api API) *Bridge {
	return &Bridge{api: api, keys: keys{api}, endpoints: map[string]*endpoint{}, retired: map[*endpoint]struct{}{}}
}

// Handler is the path that the Bridge service answers under, and the handler.
func (b *Bridge) Handler() (string, http.Handler) {
	return bridgeconnect.NewBridgeHandler(b, connect.WithRecover(
		func(_ context.Context, spec connect.Spec, _ http.Header, problem any) error {
			b.api.LogError("A call of the core's failed.", "method", spec.Procedure, "panic", fmt.Sprint(problem))
			return connect.NewError(connect.CodeInternal, errors.New("the plugin failed to answer"))
		}))
}

// Close closes all connections; their calls fail.
func (b *Bridge) Close() {
	b.mu.Lock()
	endpoints, retired := b.endpoints, b.retired
	b.endpoints, b.retired, b.closed = map[string]*endpoint{}, map[*endpoint]struct{}{}, true
	b.mu.Unlock()
	for _, endpoint := range endpoints {
		endpoint.calls.close()
	}
	for endpoint := range retired {
		endpoint.calls.close()
	}
}

// SetEndpoint says how to reach a cluster from now on. Calls that are under way end where they began.
func (b *Bridge) SetEndpoint(
	ctx context.Context, request *connect.Request[pb.SetEndpointRequest],
) (*connect.Response[pb.SetEndpointResponse], error) {
	endpoint, err := newEndpoint(request.Msg)
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	b.mu.Lock()
	// Who has given this up may have called again, and that may have come first.
	if ctx.Err() != nil {
		b.mu.Unlock()
		return nil, connect.NewError(connect.CodeCanceled, ctx.Err())
	}
	before := b.endpoints[request.Msg.GetCluster()]
	closed := b.closed
	if !closed {
		b.endpoints[request.Msg.GetCluster()] = endpoint
		if before != nil {
			b.retired[before] = struct{}{}
		}
	}
	b.mu.Unlock()
	if closed {
		endpoint.calls.close()
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("the plugin is being stopped"))
	}
	if before != nil {
		b.retire(before)
	}
	return connect.NewResponse(&pb.SetEndpointResponse{}), nil
}

// retire lets an endpoint go once its calls are over.
func (b *Bridge) retire(before *endpoint) {
	before.calls.retire()
	go func() {
		<-before.calls.over
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.retired, before)
	}()
}

// ForgetEndpoint closes the connection to a cluster, which cannot be reached any more then.
func (b *Bridge) ForgetEndpoint(
	_ context.Context, request *connect.Request[pb.ForgetEndpointRequest],
) (*connect.Response[pb.ForgetEndpointResponse], error) {
	b.mu.Lock()
	endpoint := b.endpoints[request.Msg.GetCluster()]
	delete(b.endpoints, request.Msg.GetCluster())
	b.mu.Unlock()
	if endpoint != nil {
		endpoint.calls.close()
	}
	return connect.NewResponse(&pb.ForgetEndpointResponse{}), nil
}

// InspectCredentials reads credentials.
func (b *Bridge) InspectCredentials(
	_ context.Context, request *connect.Request[pb.Credentials],
) (*connect.Response[pb.InspectCredentialsResponse], error) {
	return connect.NewResponse(inspect(request.Msg)), nil
}

// ReadFile reads a file.
func (b *Bridge) ReadFile(
	ctx context.Context, request *connect.Request[pb.ReadFileRequest],
) (*connect.Response[pb.ReadFileResponse], error) {
	content, err := inTime(ctx, func() ([]byte, error) { return readFile(request.Msg.GetPath()) })
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.ReadFileResponse{Content: content}), nil
}

// begin is the endpoint that a new call to a cluster goes to, or nil, and what is called when the call has ended.
func (b *Bridge) begin(cluster string) (*endpoint, func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	endpoint := b.endpoints[cluster]
	if endpoint == nil {
		return nil, nil
	}
	// Counted before anybody can retire it.
	return endpoint, endpoint.calls.begin()
}
