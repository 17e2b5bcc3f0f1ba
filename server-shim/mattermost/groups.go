package mattermost

import (
	"context"
	"net/http"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost"
)

// mostUsers is the most that a page of members may hold.
const mostUsers = 200

// GetGroup returns a group.
func (s *Service) GetGroup(
	_ context.Context, request *connect.Request[pb.GetGroupRequest],
) (*connect.Response[pb.Group], error) {
	var group *model.Group
	var appErr *model.AppError
	switch by := request.Msg.GetBy().(type) {
	case *pb.GetGroupRequest_Id:
		group, appErr = s.api.GetGroup(by.Id)
	case *pb.GetGroupRequest_Name:
		group, appErr = s.api.GetGroupByName(by.Name)
	default:
		return nil, invalid("say which group: id or name")
	}
	if err := answered(group, appErr); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.Group{
		Id:          group.Id,
		Name:        group.GetName(),
		DisplayName: group.DisplayName,
		Source:      string(group.Source),
		IsSynced:    group.IsSyncable(),
		DeleteAt:    group.DeleteAt,
	}), nil
}

// GetGroupMember says whether a user is in a group. A deleted group is not found: its members are nobody's any more.
func (s *Service) GetGroupMember(
	_ context.Context, request *connect.Request[pb.GetGroupMemberRequest],
) (*connect.Response[pb.GroupMember], error) {
	group, appErr := s.api.GetGroup(request.Msg.GetGroupId())
	if err := answered(group, appErr); err != nil {
		return nil, err
	}
	if group.DeleteAt != 0 {
		return nil, check(model.NewAppError("GetGroupMember", "group deleted", nil, "", http.StatusNotFound))
	}
	groups, appErr := s.api.GetGroupsForUser(request.Msg.GetUserId())
	if err := check(appErr); err != nil {
		return nil, err
	}
	answer := &pb.GroupMember{}
	for _, of := range groups {
		answer.IsMember = answer.IsMember || of.Id == group.Id
	}
	return connect.NewResponse(answer), nil
}

// ListGroupUsers returns a page of a group's members.
func (s *Service) ListGroupUsers(
	_ context.Context, request *connect.Request[pb.ListGroupUsersRequest],
) (*connect.Response[pb.ListUsersResponse], error) {
	page, perPage, err := usersPage(request.Msg)
	if err != nil {
		return nil, err
	}
	users, appErr := s.api.GetGroupMemberUsers(request.Msg.GetGroupId(), page, perPage)
	return listed(users, appErr)
}

// ListChannelUsers returns a page of a channel's members.
func (s *Service) ListChannelUsers(
	_ context.Context, request *connect.Request[pb.ListChannelUsersRequest],
) (*connect.Response[pb.ListUsersResponse], error) {
	page, perPage, err := usersPage(request.Msg)
	if err != nil {
		return nil, err
	}
	users, appErr := s.api.GetUsersInChannel(request.Msg.GetChannelId(), model.ChannelSortByUsername, page, perPage)
	return listed(users, appErr)
}

// usersPage checks which page of members is asked for.
func usersPage(request interface {
	GetPage() int32
	GetPerPage() int32
}) (page, perPage int, err error) {
	page, perPage = int(request.GetPage()), int(request.GetPerPage())
	if page < 0 || perPage < 1 || perPage > mostUsers {
		return 0, 0, invalid("page must be 0 or more, per_page 1 to %d", mostUsers)
	}
	return page, perPage, nil
}

func listed(users []*model.User, appErr *model.AppError) (*connect.Response[pb.ListUsersResponse], error) {
	if err := check(appErr); err != nil {
		return nil, err
	}
	answer := &pb.ListUsersResponse{Users: make([]*pb.User, 0, len(users))}
	for _, user := range users {
		answer.Users = append(answer.Users, toUser(user))
	}
	return connect.NewResponse(answer), nil
}

// RolesGrant says whether any of the roles grants a permission. The Plugin API answers no where it cannot ask the
// server, too: so a no is only believed where the question that is always answered with yes is.
func (s *Service) RolesGrant(
	_ context.Context, request *connect.Request[pb.RolesGrantRequest],
) (*connect.Response[pb.RolesGrantResponse], error) {
	granted := s.api.RolesGrantPermission(request.Msg.GetRoles(), request.Msg.GetPermission())
	if !granted && !s.api.RolesGrantPermission([]string{model.SystemAdminRoleId}, model.PermissionManageSystem.Id) {
		return nil, errNoAnswer
	}
	return connect.NewResponse(&pb.RolesGrantResponse{Granted: granted}), nil
}
