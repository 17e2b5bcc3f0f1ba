package double

import (
	"context"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// getAccessRequests is the unary listing of the oldest servers, of which today's types know nothing any more. Its answer
// has the same only field as a page of the newest listing.
func (d *Double) getAccessRequests(stream grpc.ServerStream) error {
	before, after := d.Faults.meet(stream.Context(), "GetAccessRequests")
	if before != nil {
		return before
	}
	var filter types.AccessRequestFilter
	if err := stream.RecvMsg(&filter); err != nil {
		return err
	}
	requests, err := (&service{double: d}).visible(stream.Context(), filter)
	if err != nil {
		return err
	}
	if after != nil {
		return after
	}
	return stream.SendMsg(&proto.ListAccessRequestsResponse{AccessRequests: requests})
}

// createAccessRequest files a request as old servers do, of which today's types know nothing any more, and answers nothing.
func (d *Double) createAccessRequest(stream grpc.ServerStream) error {
	before, after := d.Faults.meet(stream.Context(), "CreateAccessRequest")
	if before != nil {
		return before
	}
	var request types.AccessRequestV3
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	if _, err := (&service{double: d}).CreateAccessRequestV2(stream.Context(), &request); err != nil {
		return err
	}
	if after != nil {
		return after
	}
	return stream.SendMsg(&emptypb.Empty{})
}

// GetPluginData implements the service: no plugin keeps anything here.
func (s *service) GetPluginData(ctx context.Context, filter *types.PluginDataFilter) (*proto.PluginDataSeq, error) {
	caller, err := s.double.caller(ctx)
	if err != nil {
		return nil, err
	}
	if filter.Kind != types.KindAccessRequest {
		return nil, status.Errorf(codes.InvalidArgument, "unsupported resource kind %q", filter.Kind)
	}
	for _, verb := range []string{types.VerbList, types.VerbRead} {
		err := caller.may(verb, types.KindAccessRequest)
		// There is a right of its own, and the one to requests goes for it.
		if err != nil && s.double.version.pluginDataRights() {
			err = caller.may(verb, types.KindAccessPluginData)
		}
		if err != nil {
			return nil, err
		}
	}
	return &proto.PluginDataSeq{}, nil
}
