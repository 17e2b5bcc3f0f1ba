package double

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/gravitational/teleport/api/client/proto"
	usersv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/users/v1"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
)

// maxUserPage is how many users a page has at most.
const maxUserPage = 1000

// users is the service that newer servers have for users. Methods that the double does not have answer UNIMPLEMENTED.
type users struct {
	usersv1.UnimplementedUsersServiceServer
	double *Double
}

// errNoSecrets is for whoever wants to see passwords and the like.
var errNoSecrets = status.Error(codes.PermissionDenied, "this request can be only executed by an admin")

// allUsers answers the users by name, for those who may list and read them.
func (d *Double) allUsers(ctx context.Context, secrets bool) ([]*types.UserV2, error) {
	caller, err := d.caller(ctx)
	if err != nil {
		return nil, err
	}
	if secrets {
		return nil, errNoSecrets
	}
	if err := caller.mayAll(types.KindUser, types.VerbList, types.VerbRead); err != nil {
		return nil, err
	}
	d.state.mu.Lock()
	all := slices.Collect(maps.Values(d.state.users))
	d.state.mu.Unlock()
	slices.SortFunc(all, func(one, other *resource) int { return strings.Compare(one.Metadata.Name, other.Metadata.Name) })
	found := make([]*types.UserV2, len(all))
	for i, one := range all {
		found[i] = officialUser(one)
	}
	return found, nil
}

// oneUser answers a user: everybody may read themselves.
func (d *Double) oneUser(ctx context.Context, name string, current, secrets bool) (*types.UserV2, error) {
	caller, err := d.caller(ctx)
	if err != nil {
		return nil, err
	}
	if current {
		name = caller.name
	}
	if secrets {
		return nil, errNoSecrets
	}
	if name != caller.name {
		if err := caller.may(types.VerbRead, types.KindUser); err != nil {
			return nil, err
		}
	}
	user, ok := d.state.user(name)
	if !ok {
		return nil, d.version.noUser(name)
	}
	return officialUser(user), nil
}

// officialUser is a user in Teleport's own type.
func officialUser(one *resource) *types.UserV2 {
	return &types.UserV2{
		Kind: types.KindUser, Version: types.V2,
		Metadata: types.Metadata{Name: one.Metadata.Name, Namespace: "default", Labels: one.Metadata.Labels},
		Spec:     types.UserSpecV2{Roles: one.Spec.Roles, Traits: one.Spec.Traits},
	}
}

// officialRole is a role in Teleport's own type, as far as the double knows it.
func officialRole(one *resource) *types.RoleV6 {
	side := func(from conditions) types.RoleConditions {
		var official types.RoleConditions
		for _, r := range from.Rules {
			official.Rules = append(official.Rules, types.Rule{Resources: r.Resources, Verbs: r.Verbs})
		}
		if len(from.Request.Roles) > 0 || len(from.Request.SearchAsRoles) > 0 {
			official.Request = &types.AccessRequestConditions{Roles: from.Request.Roles, SearchAsRoles: from.Request.SearchAsRoles}
		}
		if len(from.Review.Roles) > 0 || len(from.Review.SubmitForUsers) > 0 {
			official.ReviewRequests = &types.AccessReviewConditions{Roles: from.Review.Roles}
			for _, name := range from.Review.SubmitForUsers {
				official.ReviewRequests.XXX_unrecognized = protowire.AppendString(
					protowire.AppendTag(official.ReviewRequests.XXX_unrecognized, submitForUsersField, protowire.BytesType), name)
			}
		}
		return official
	}
	return &types.RoleV6{
		Kind: types.KindRole, Version: one.Version,
		Metadata: types.Metadata{Name: one.Metadata.Name, Namespace: "default", Labels: one.Metadata.Labels},
		Spec:     types.RoleSpecV6{Allow: side(one.Spec.Allow), Deny: side(one.Spec.Deny)},
	}
}

// GetUsers implements the auth service.
func (s *service) GetUsers(asked *proto.GetUsersRequest, stream proto.AuthService_GetUsersServer) error {
	all, err := s.double.allUsers(stream.Context(), asked.WithSecrets)
	if err != nil {
		return err
	}
	for _, user := range all {
		if err := stream.Send(user); err != nil {
			return err
		}
	}
	return nil
}

// GetUser implements the auth service.
func (s *service) GetUser(ctx context.Context, asked *proto.GetUserRequest) (*types.UserV2, error) {
	return s.double.oneUser(ctx, asked.Name, false, asked.WithSecrets)
}

// GetCurrentUserRoles implements the auth service. Everybody may read the roles that they hold.
func (s *service) GetCurrentUserRoles(_ *emptypb.Empty, stream proto.AuthService_GetCurrentUserRolesServer) error {
	caller, err := s.double.caller(stream.Context())
	if err != nil {
		return err
	}
	for _, role := range caller.roles {
		if err := stream.Send(officialRole(role)); err != nil {
			return err
		}
	}
	return nil
}

// GetUser implements the users' service.
func (u *users) GetUser(ctx context.Context, asked *usersv1.GetUserRequest) (*usersv1.GetUserResponse, error) {
	if asked.CurrentUser && asked.Name != "" {
		return nil, status.Error(codes.InvalidArgument, "username and current_user are mutually exclusive")
	}
	user, err := u.double.oneUser(ctx, asked.Name, asked.CurrentUser, asked.WithSecrets)
	if err != nil {
		return nil, err
	}
	return &usersv1.GetUserResponse{User: user}, nil
}

// ListUsers implements the users' service.
func (u *users) ListUsers(ctx context.Context, asked *usersv1.ListUsersRequest) (*usersv1.ListUsersResponse, error) {
	all, err := u.double.allUsers(ctx, asked.WithSecrets)
	if err != nil {
		return nil, err
	}
	if asked.Filter != nil && u.double.version.userFilter() {
		all = slices.DeleteFunc(all, func(user *types.UserV2) bool { return !asked.Filter.Match(user) })
	}
	// A page begins with the name that its token is.
	all = slices.DeleteFunc(all, func(user *types.UserV2) bool { return user.GetName() < asked.PageToken })
	size := int(asked.PageSize)
	if size <= 0 || size > maxUserPage {
		size = maxUserPage
	}
	answer := &usersv1.ListUsersResponse{Users: all}
	if len(all) > size {
		answer.Users, answer.NextPageToken = all[:size], all[size].GetName()
	}
	return answer, nil
}
