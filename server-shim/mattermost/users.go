package mattermost

import (
	"context"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost"
)

// GetUser returns an account.
func (s *Service) GetUser(
	_ context.Context, request *connect.Request[pb.GetUserRequest],
) (*connect.Response[pb.User], error) {
	var user *model.User
	var appErr *model.AppError
	switch by := request.Msg.GetBy().(type) {
	case *pb.GetUserRequest_Id:
		user, appErr = s.api.GetUser(by.Id)
	case *pb.GetUserRequest_Username:
		user, appErr = s.api.GetUserByUsername(by.Username)
	case *pb.GetUserRequest_Email:
		user, appErr = s.api.GetUserByEmail(by.Email)
	default:
		return nil, invalid("say which user: id, username or email")
	}
	if err := answered(user, appErr); err != nil {
		return nil, err
	}
	return connect.NewResponse(toUser(user)), nil
}

// maxAdmins is how many system admins are listed at most.
const maxAdmins = 100

// ListSystemAdmins returns the active system admins who are people.
func (s *Service) ListSystemAdmins(
	context.Context, *connect.Request[pb.ListSystemAdminsRequest],
) (*connect.Response[pb.ListSystemAdminsResponse], error) {
	users, appErr := s.api.GetUsers(&model.UserGetOptions{
		Role: model.SystemAdminRoleId, Active: true, PerPage: maxAdmins,
	})
	if err := check(appErr); err != nil {
		return nil, err
	}
	answer := &pb.ListSystemAdminsResponse{}
	for _, user := range users {
		if !user.IsBot {
			answer.Users = append(answer.Users, toUser(user))
		}
	}
	return connect.NewResponse(answer), nil
}

// GetBot returns a bot account.
func (s *Service) GetBot(
	_ context.Context, request *connect.Request[pb.GetBotRequest],
) (*connect.Response[pb.Bot], error) {
	bot, appErr := s.api.GetBot(request.Msg.GetUserId(), true)
	if err := answered(bot, appErr); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.Bot{
		UserId: bot.UserId, Username: bot.Username, OwnerId: bot.OwnerId, DeleteAt: bot.DeleteAt,
	}), nil
}

func toUser(user *model.User) *pb.User {
	return &pb.User{
		Id:            user.Id,
		Username:      user.Username,
		Email:         user.Email,
		EmailVerified: user.EmailVerified,
		IsBot:         user.IsBot,
		IsGuest:       user.IsGuest(),
		IsSystemAdmin: user.IsSystemAdmin(),
		DeleteAt:      user.DeleteAt,
		MfaActive:     user.MfaActive,
		AuthService:   user.AuthService,
		Locale:        user.Locale,
	}
}
