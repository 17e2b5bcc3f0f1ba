package double

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gravitational/teleport/api/client/proto"
	usersv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/users/v1"
	"github.com/gravitational/teleport/api/trail"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

const (
	// maxReason is how many bytes a reason may have.
	maxReason = 4096
	// authService is the full name of the auth service.
	authService = "proto.AuthService"
)

// service is the auth service. Methods that the double does not have answer UNIMPLEMENTED.
type service struct {
	proto.UnimplementedAuthServiceServer
	double *Double
}

// newServer makes the gRPC server, in which faults and the version stand before every call.
func (d *Double) newServer() *grpc.Server {
	meet := func(ctx context.Context, full string) (before, after error) {
		service, method, _ := strings.Cut(strings.TrimPrefix(full, "/"), "/")
		received, _ := metadata.FromIncomingContext(ctx)
		for _, text := range received.Get("version") {
			if _, err := parseVersion(text); err != nil && d.version.readsClientVersions() {
				return status.Error(codes.PermissionDenied, "client version is unsupported"), nil
			}
		}
		switch {
		case service == usersv1.UsersService_ServiceDesc.ServiceName && !d.version.usersService():
			return status.Errorf(codes.Unimplemented, "unknown service %s", service), nil
		case service == authService && !d.version.has(method):
			return unknownMethod(method), nil
		}
		return d.Faults.meet(ctx, method)
	}
	return grpc.NewServer(
		grpc.Creds(handshaken{}),
		grpc.MaxRecvMsgSize(64<<20),
		grpc.MaxSendMsgSize(256<<20),
		grpc.UnaryInterceptor(func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			before, after := meet(ctx, info.FullMethod)
			if before != nil {
				return nil, before
			}
			answer, err := handle(ctx, request)
			if err == nil && after != nil {
				return nil, after
			}
			return answer, err
		}),
		grpc.StreamInterceptor(func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			before, after := meet(stream.Context(), info.FullMethod)
			if before != nil {
				return before
			}
			if err := handle(server, stream); err != nil {
				return err
			}
			return after
		}),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			full, _ := grpc.MethodFromServerStream(stream)
			switch {
			case full == teleport.ListOld && d.version.wholeListing():
				return d.getAccessRequests(stream)
			case full == teleport.CreateOld && d.version.mereCreation():
				return d.createAccessRequest(stream)
			}
			return unknownMethod(full[strings.LastIndexByte(full, '/')+1:])
		}),
	)
}

func unknownMethod(method string) error {
	return status.Errorf(codes.Unimplemented, "unknown method %s for service %s", method, authService)
}

// asStatus turns an error of Teleport's own types into what goes over the wire.
func asStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return trail.ToGRPC(err)
}

// Ping implements the service. It answers strangers too.
func (s *service) Ping(context.Context, *proto.PingRequest) (*proto.PingResponse, error) {
	if !s.double.version.features() {
		return &proto.PingResponse{ClusterName: s.double.Name(), ServerVersion: s.double.Version()}, nil
	}
	return &proto.PingResponse{
		ClusterName: s.double.Name(), ServerVersion: s.double.Version(), ProxyPublicAddr: s.double.ProxyAddress(),
		ServerFeatures: &proto.Features{
			Kubernetes: true, App: true, DB: true, Desktop: true,
			AccessControls: s.double.options.Enterprise, AdvancedAccessWorkflows: s.double.options.Enterprise,
		},
	}, nil
}

// visible answers the requests that match the filter and that the caller may see. Missing rights make them fewer, not an error.
func (s *service) visible(ctx context.Context, filter types.AccessRequestFilter) ([]*types.AccessRequestV3, error) {
	caller, err := s.double.caller(ctx)
	if err != nil {
		return nil, err
	}
	missing := caller.mayAll(types.KindAccessRequest, types.VerbList, types.VerbRead)
	if missing != nil && !s.double.version.partialListing() && (filter.User == "" || filter.User != caller.name) {
		return nil, missing
	}
	all := missing == nil
	reviewer, _ := s.double.state.user(caller.name)
	var roles []*resource
	if reviewer != nil {
		roles = s.double.state.rolesNamed(reviewer.Spec.Roles)
	}
	filter.Requester = caller.name
	return s.double.state.list(func(request *types.AccessRequestV3) bool {
		if !filter.Match(request) {
			return false
		}
		return all || (caller.name != "" && request.GetUser() == caller.name) || mayReview(caller.name, roles, request)
	}), nil
}

// GetAccessRequestsV2 implements the service.
func (s *service) GetAccessRequestsV2(filter *types.AccessRequestFilter, stream proto.AuthService_GetAccessRequestsV2Server) error {
	requests, err := s.visible(stream.Context(), *filter)
	if err != nil {
		return err
	}
	for _, request := range requests {
		if err := stream.Send(request); err != nil {
			return err
		}
	}
	return nil
}

// ListAccessRequests implements the service.
func (s *service) ListAccessRequests(ctx context.Context, list *proto.ListAccessRequestsRequest) (*proto.ListAccessRequestsResponse, error) {
	filter := types.AccessRequestFilter{}
	if list.Filter != nil {
		filter = *list.Filter
	}
	requests, err := s.visible(ctx, filter)
	if err != nil {
		return nil, err
	}
	switch list.Sort {
	case proto.AccessRequestSort_STATE:
		slices.SortStableFunc(requests, func(one, other *types.AccessRequestV3) int {
			return strings.Compare(one.GetState().String(), other.GetState().String())
		})
	case proto.AccessRequestSort_USER:
		slices.SortStableFunc(requests, func(one, other *types.AccessRequestV3) int { return strings.Compare(one.GetUser(), other.GetUser()) })
	case proto.AccessRequestSort_DEFAULT, proto.AccessRequestSort_CREATED:
	}
	if list.Descending {
		slices.Reverse(requests)
	}
	if list.StartKey != "" {
		start := slices.IndexFunc(requests, func(request *types.AccessRequestV3) bool { return request.GetName() == list.StartKey })
		if start < 0 {
			start = len(requests)
		}
		requests = requests[start:]
	}
	limit := int(list.Limit)
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	answer := &proto.ListAccessRequestsResponse{AccessRequests: requests}
	if len(requests) > limit {
		answer.AccessRequests, answer.NextKey = requests[:limit], requests[limit].GetName()
	}
	return answer, nil
}

// SetAccessRequestState implements the service.
func (s *service) SetAccessRequestState(ctx context.Context, setter *proto.RequestStateSetter) (*emptypb.Empty, error) {
	caller, err := s.double.caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := caller.may(types.VerbUpdate, types.KindAccessRequest); err != nil {
		return nil, err
	}
	if err := s.double.adminAction(caller); err != nil {
		return nil, err
	}
	if setter.State.IsPromoted() && s.double.version.refusesPromotion() {
		return nil, status.Error(codes.InvalidArgument, "state promoted can be only set when promoting to access list")
	}
	if !s.double.version.reasons() {
		if setter.ID == "" {
			return nil, status.Error(codes.InvalidArgument, "special characters are not allowed in resource names, please use name composed only from characters, hyphens and dots")
		}
		setter.Reason, setter.Annotations, setter.Roles = "", nil, nil
	} else if err := s.double.checkDecision(setter); err != nil {
		return nil, err
	}
	missing := status.Errorf(codes.NotFound, "cannot set state of access request %q (not found)", setter.ID)
	if s.double.version.looksForTheCaller() {
		seen, err := s.visible(ctx, types.AccessRequestFilter{ID: setter.ID})
		if err != nil {
			return nil, err
		}
		if len(seen) == 0 {
			return nil, missing
		}
	}
	_, err = s.double.state.change(setter.ID, missing, func(request *types.AccessRequestV3) (teleport.AuditEvent, error) {
		if request.GetUser() == caller.name && s.double.version.refusesOwnState() {
			return teleport.AuditEvent{}, status.Error(codes.PermissionDenied, "directly updating the state of your own access requests is not permitted")
		}
		if err := request.SetState(setter.State); err != nil {
			return teleport.AuditEvent{}, asStatus(err)
		}
		request.SetResolveReason(setter.Reason)
		request.SetResolveAnnotations(setter.Annotations)
		if len(setter.Roles) > 0 {
			for _, role := range setter.Roles {
				if !slices.Contains(request.GetRoles(), role) {
					return teleport.AuditEvent{}, status.Errorf(codes.InvalidArgument, "role %q not in original request, overrides must be a subset of original role list", role)
				}
			}
			request.SetRoles(setter.Roles)
		}
		if setter.State.IsApproved() {
			if err := s.double.setStart(request, setter.AssumeStartTime); err != nil {
				return teleport.AuditEvent{}, err
			}
		}
		// An approved request lives as long as the access that it grants.
		if setter.State.IsApproved() {
			s.double.version.setExpiry(request, request.GetAccessExpiry())
		}
		return teleport.AuditEvent{Event: teleport.EventUpdate, UpdatedBy: caller.name, Delegator: setter.Delegator, Reason: setter.Reason}, nil
	})
	if err != nil {
		return nil, err
	}
	s.double.log("%s: %s by %s for %q", setter.ID, setter.State, caller.name, setter.Delegator)
	return &emptypb.Empty{}, nil
}

// checkDecision refuses what makes no sense, whatever the request is.
func (d *Double) checkDecision(setter *proto.RequestStateSetter) error {
	update := types.AccessRequestUpdate{RequestID: setter.ID, State: setter.State, Reason: setter.Reason, Roles: setter.Roles}
	if err := update.Check(); err != nil {
		return asStatus(err)
	}
	if len(setter.Reason) > maxReason && d.version.reasonLimit() {
		return status.Errorf(codes.InvalidArgument, "access request resolve reason is too long, max %d bytes", maxReason)
	}
	return nil
}

// setStart says from when on the access may be used, where that is not at once and servers of this version look at it.
func (d *Double) setStart(request *types.AccessRequestV3, start *time.Time) error {
	if start == nil || !d.version.startTimes() {
		return nil
	}
	if err := types.ValidateAssumeStartTime(*start, request.GetAccessExpiry(), request.GetCreationTime()); err != nil {
		return asStatus(err)
	}
	request.SetAssumeStartTime(*start)
	return nil
}

// DeleteAccessRequest implements the service.
func (s *service) DeleteAccessRequest(ctx context.Context, id *proto.RequestID) (*emptypb.Empty, error) {
	caller, err := s.double.caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := caller.may(s.double.version.deletion(), types.KindAccessRequest); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, s.double.state.remove(id.ID, caller.name)
}

// Promote turns a request into an access list membership, which on a real cluster only a review can do.
func (d *Double) Promote(id, accessList string) error {
	_, err := d.state.change(id, status.Error(codes.NotFound, "no such request"), func(request *types.AccessRequestV3) (teleport.AuditEvent, error) {
		if err := request.SetState(types.RequestState_PROMOTED); err != nil {
			return teleport.AuditEvent{}, err
		}
		request.SetPromotedAccessListName(accessList)
		request.SetPromotedAccessListTitle(accessList)
		return teleport.AuditEvent{Event: teleport.EventReview, ProposedState: "PROMOTED"}, nil
	})
	return err
}

// MakeLongTerm turns a request into one for lasting access, as those are that ask for an access list's resources.
func (d *Double) MakeLongTerm(id string) error {
	if !d.version.requestKinds() {
		return fmt.Errorf("Teleport %s knows no kinds of requests", d.Version())
	}
	return d.setNewer(id, func(fields []byte) []byte { return setVarint(fields, requestKindField, longTerm) })
}

// SetSpecField sets a number in a field of a request's spec that the official types at hand do not know, as a later
// Teleport might: a kind that nobody knows (24), or a field that nobody knows.
func (d *Double) SetSpecField(id string, number int32, value uint64) error {
	if number <= lastOfficialField {
		return fmt.Errorf("field %d is one that the official types know", number)
	}
	return d.setNewer(id, func(fields []byte) []byte { return setVarint(fields, protowire.Number(number), value) })
}

// RestrictToLogin adds a node to a request that may be reached with one login only.
func (d *Double) RestrictToLogin(id, node, login string) error {
	return d.setNewer(id, func(fields []byte) []byte {
		return append(fields, restrictedNode(d.Name(), node, login)...)
	})
}

// setNewer changes the fields of a request's spec that the official types at hand do not know.
func (d *Double) setNewer(id string, change func([]byte) []byte) error {
	_, err := d.state.change(id, status.Error(codes.NotFound, "no such request"), func(request *types.AccessRequestV3) (teleport.AuditEvent, error) {
		request.Spec.XXX_unrecognized = change(request.Spec.XXX_unrecognized)
		return teleport.AuditEvent{Event: teleport.EventUpdate}, nil
	})
	return err
}

// LetLast puts a request's expiry off, further than anybody could ask for.
func (d *Double) LetLast(id string, until time.Time) error {
	_, err := d.state.change(id, status.Error(codes.NotFound, "no such request"), func(request *types.AccessRequestV3) (teleport.AuditEvent, error) {
		d.version.setExpiry(request, until)
		request.SetAccessExpiry(until)
		request.SetSessionTLL(until)
		request.SetMaxDuration(until)
		return teleport.AuditEvent{Event: teleport.EventUpdate}, nil
	})
	return err
}

// now is a time as Teleport keeps it.
func now() time.Time { return time.Now().UTC() }
