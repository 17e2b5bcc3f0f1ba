package mattermost

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost"
)

// GetChannel returns a channel.
func (s *Service) GetChannel(
	_ context.Context, request *connect.Request[pb.GetChannelRequest],
) (*connect.Response[pb.Channel], error) {
	var channel *model.Channel
	var appErr *model.AppError
	switch by := request.Msg.GetBy().(type) {
	case *pb.GetChannelRequest_Id:
		channel, appErr = s.api.GetChannel(by.Id)
	case *pb.GetChannelRequest_Name:
		channel, appErr = s.api.GetChannelByNameForTeamName(by.Name.GetTeam(), by.Name.GetChannel(), true)
	case *pb.GetChannelRequest_DirectUserId:
		bot, err := s.botID()
		if err != nil {
			return nil, err
		}
		channel, appErr = s.api.GetDirectChannel(by.DirectUserId, bot)
	default:
		return nil, invalid("say which channel: id, name or direct_user_id")
	}
	if err := answered(channel, appErr); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.Channel{
		Id:          channel.Id,
		TeamId:      channel.TeamId,
		Name:        channel.Name,
		DisplayName: channel.DisplayName,
		Type:        string(channel.Type),
		DeleteAt:    channel.DeleteAt,
	}), nil
}

// GetChannelMember says whether a user is in a channel.
func (s *Service) GetChannelMember(
	_ context.Context, request *connect.Request[pb.GetChannelMemberRequest],
) (*connect.Response[pb.ChannelMember], error) {
	member, appErr := s.api.GetChannelMember(request.Msg.GetChannelId(), request.Msg.GetUserId())
	if isNotFound(appErr) {
		return connect.NewResponse(&pb.ChannelMember{}), nil
	}
	if err := answered(member, appErr); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.ChannelMember{
		IsMember: true,
		IsAdmin:  member.SchemeAdmin || hasRole(member.Roles, model.ChannelAdminRoleId),
	}), nil
}

// GetTeamMember says whether a user is in a team.
func (s *Service) GetTeamMember(
	_ context.Context, request *connect.Request[pb.GetTeamMemberRequest],
) (*connect.Response[pb.TeamMember], error) {
	member, appErr := s.api.GetTeamMember(request.Msg.GetTeamId(), request.Msg.GetUserId())
	if isNotFound(appErr) {
		return connect.NewResponse(&pb.TeamMember{}), nil
	}
	if err := answered(member, appErr); err != nil {
		return nil, err
	}
	// Whoever left a team keeps a record there.
	if member.DeleteAt != 0 {
		return connect.NewResponse(&pb.TeamMember{}), nil
	}
	return connect.NewResponse(&pb.TeamMember{
		IsMember: true,
		IsAdmin:  member.SchemeAdmin || hasRole(member.Roles, model.TeamAdminRoleId),
	}), nil
}

// GetTeam returns a team.
func (s *Service) GetTeam(
	_ context.Context, request *connect.Request[pb.GetTeamRequest],
) (*connect.Response[pb.Team], error) {
	team, appErr := s.api.GetTeam(request.Msg.GetId())
	if err := answered(team, appErr); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.Team{Id: team.Id, Name: team.Name, DeleteAt: team.DeleteAt}), nil
}

func isNotFound(err *model.AppError) bool {
	return err != nil && err.StatusCode == http.StatusNotFound
}

func hasRole(roles, role string) bool {
	return slices.Contains(strings.Fields(roles), role)
}
