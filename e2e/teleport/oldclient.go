package teleport

import (
	"context"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Methods that today's types know nothing of any more.
const (
	// CreateOld files a request under the id that the client gives it.
	CreateOld = "/proto.AuthService/CreateAccessRequest"
	// ListOld lists all requests at once.
	ListOld = "/proto.AuthService/GetAccessRequests"
)

// fileOld files a request with the method that old servers have. There, a request waits no longer than the access would last.
func (c *Client) fileOld(ctx context.Context, request *types.AccessRequestV3) error {
	if end := request.Metadata.Expires; end != nil {
		request.SetAccessExpiry(*end)
	}
	return c.connection.Invoke(ctx, CreateOld, request, &emptypb.Empty{})
}

// listOld lists with the method that old servers have. Its answer has the same only field as a page of the newest listing.
func (c *Client) listOld(ctx context.Context, filter *types.AccessRequestFilter) ([]*types.AccessRequestV3, error) {
	var answer proto.ListAccessRequestsResponse
	err := c.connection.Invoke(ctx, ListOld, filter, &answer)
	return answer.AccessRequests, err
}
