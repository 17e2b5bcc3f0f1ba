package teleport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/gravitational/teleport/api/client/proto"
	usersv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/users/v1"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// Client calls a cluster's auth server as one of its users, with Teleport's own types. It is the tests' way to Teleport,
// apart from the plugin's.
type Client struct {
	connection *grpc.ClientConn
	auth       proto.AuthServiceClient
	user       string
}

// Dial signs credentials for the user and makes a client with them.
func Dial(ctx context.Context, cluster Cluster, user string) (*Client, error) {
	signed, err := cluster.Sign(ctx, user, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot sign credentials for %s: %w", user, err)
	}
	return DialWith(cluster, user, signed)
}

// DialWith makes a client with the user's credentials.
func DialWith(cluster Cluster, user string, signed *Credentials) (*Client, error) {
	config, err := signed.TLS(cluster.Name())
	if err != nil {
		return nil, err
	}
	connection, err := grpc.NewClient("passthrough:///"+cluster.AuthAddress(), grpc.WithTransportCredentials(credentials.NewTLS(config)), grpc.WithNoProxy(), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(256<<20), grpc.WaitForReady(true)))
	if err != nil {
		return nil, err
	}
	return &Client{connection: connection, auth: proto.NewAuthServiceClient(connection), user: user}, nil
}

// Close ends the connection.
func (c *Client) Close() { _ = c.connection.Close() }

// Auth is the service itself.
func (c *Client) Auth() proto.AuthServiceClient { return c.auth }

// Users is the service for users, which servers have since Teleport 15.
func (c *Client) Users() usersv1.UsersServiceClient {
	return usersv1.NewUsersServiceClient(c.connection)
}

// Wish is an access request to file.
type Wish struct {
	// ID of the request; empty: any. Servers since 14 take no notice of it.
	ID string `json:"id"`
	// User who asks; empty: the client's own.
	User string `json:"user"`
	// Roles that are asked for.
	Roles []string `json:"roles"`
	// Reason is the requester's words.
	Reason string `json:"reason"`
	// Lasts is how long the request may stay pending; 0 means Teleport's default of an hour.
	Lasts time.Duration `json:"lasts"`
}

// File files an access request and answers its id.
func (c *Client) File(ctx context.Context, wish Wish) (string, error) {
	if wish.User == "" {
		wish.User = c.user
	}
	if wish.ID == "" {
		wish.ID = uuid.NewString()
	}
	made, err := types.NewAccessRequest(wish.ID, wish.User, wish.Roles...)
	if err != nil {
		return "", err
	}
	request, ok := made.(*types.AccessRequestV3)
	if !ok {
		return "", fmt.Errorf("%T is no access request", made)
	}
	request.SetRequestReason(wish.Reason)
	if wish.Lasts != 0 {
		request.SetExpiry(time.Now().Add(wish.Lasts).UTC())
		// Servers before 18 look for it here.
		request.Metadata.SetExpiry(request.Expiry())
	}
	filed, err := c.auth.CreateAccessRequestV2(ctx, request)
	if status.Code(err) == codes.Unimplemented {
		filed, err = request, c.fileOld(ctx, request)
	}
	if err != nil {
		return "", fmt.Errorf("cannot file an access request: %w", err)
	}
	return filed.GetName(), nil
}

// Get answers one request, nil where there is none.
func (c *Client) Get(ctx context.Context, id string) (*types.AccessRequestV3, error) {
	requests, err := c.list(ctx, &types.AccessRequestFilter{ID: id})
	if err != nil || len(requests) == 0 {
		return nil, err
	}
	return requests[0], nil
}

// List answers all requests that the user may see.
func (c *Client) List(ctx context.Context) ([]*types.AccessRequestV3, error) {
	return c.list(ctx, &types.AccessRequestFilter{})
}

func (c *Client) list(ctx context.Context, filter *types.AccessRequestFilter) ([]*types.AccessRequestV3, error) {
	requests, err := c.stream(ctx, filter)
	if status.Code(err) == codes.Unimplemented {
		return c.listOld(ctx, filter)
	}
	return requests, err
}

func (c *Client) stream(ctx context.Context, filter *types.AccessRequestFilter) ([]*types.AccessRequestV3, error) {
	stream, err := c.auth.GetAccessRequestsV2(ctx, filter)
	if err != nil {
		return nil, err
	}
	var requests []*types.AccessRequestV3
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return requests, nil
		}
		if err != nil {
			return nil, err
		}
		requests = append(requests, request)
	}
}

// SetState decides a request outright.
func (c *Client) SetState(ctx context.Context, id string, state types.RequestState, reason string) error {
	_, err := c.auth.SetAccessRequestState(ctx, &proto.RequestStateSetter{ID: id, State: state, Reason: reason})
	return err
}

// Delete removes a request.
func (c *Client) Delete(ctx context.Context, id string) error {
	_, err := c.auth.DeleteAccessRequest(ctx, &proto.RequestID{ID: id})
	return err
}
