// Package mattermost serves proto/mattermost/mattermost.proto on top of Mattermost's Plugin API. Every method is a call
// or two of that API; what to call when is decided by whoever asks.
package mattermost

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost/mattermostconnect"
)

// API is the part of the Plugin API that the service needs.
type API interface {
	CreatePost(post *model.Post) (*model.Post, *model.AppError)
	UpdatePost(post *model.Post) (*model.Post, *model.AppError)
	GetPost(id string) (*model.Post, *model.AppError)
	DeletePost(id string) *model.AppError
	GetPostsForChannel(channelID string, page, perPage int) (*model.PostList, *model.AppError)
	SendEphemeralPost(userID string, post *model.Post) *model.Post

	GetUser(id string) (*model.User, *model.AppError)
	GetUserByUsername(name string) (*model.User, *model.AppError)
	GetUserByEmail(email string) (*model.User, *model.AppError)
	GetUsers(options *model.UserGetOptions) ([]*model.User, *model.AppError)
	GetGroup(id string) (*model.Group, *model.AppError)
	GetGroupByName(name string) (*model.Group, *model.AppError)
	GetGroupMemberUsers(groupID string, page, perPage int) ([]*model.User, *model.AppError)
	GetGroupsForUser(userID string) ([]*model.Group, *model.AppError)
	GetSession(id string) (*model.Session, *model.AppError)
	RolesGrantPermission(roleNames []string, permissionID string) bool

	GetChannel(id string) (*model.Channel, *model.AppError)
	GetChannelByNameForTeamName(team, channel string, includeDeleted bool) (*model.Channel, *model.AppError)
	GetDirectChannel(userID1, userID2 string) (*model.Channel, *model.AppError)
	GetTeam(teamID string) (*model.Team, *model.AppError)
	GetUsersInChannel(channelID, sortBy string, page, perPage int) ([]*model.User, *model.AppError)
	GetChannelMember(channelID, userID string) (*model.ChannelMember, *model.AppError)
	GetTeamMember(teamID, userID string) (*model.TeamMember, *model.AppError)
	GetBot(userID string, includeDeleted bool) (*model.Bot, *model.AppError)

	OpenInteractiveDialog(dialog model.OpenDialogRequest) *model.AppError

	KVGet(key string) ([]byte, *model.AppError)
	KVSetWithOptions(key string, value []byte, options model.PluginKVSetOptions) (bool, *model.AppError)
	KVList(page, perPage int) ([]string, *model.AppError)

	LogDebug(message string, keyValuePairs ...any)
	LogInfo(message string, keyValuePairs ...any)
	LogWarn(message string, keyValuePairs ...any)
	LogError(message string, keyValuePairs ...any)
}

// Service answers the core's calls.
type Service struct {
	api API
	// bot is the user id of the plugin's bot; empty where it could not be made.
	bot func() string
}

var _ mattermostconnect.MattermostHandler = (*Service)(nil)

// New makes a service over the Plugin API that acts as the bot.
func New(api API, bot func() string) *Service {
	return &Service{api: api, bot: bot}
}

// Handler is the path that the service answers under, and the handler.
func (s *Service) Handler() (string, http.Handler) {
	return mattermostconnect.NewMattermostHandler(s, connect.WithRecover(
		func(_ context.Context, spec connect.Spec, _ http.Header, problem any) error {
			s.api.LogError("A call of the core's failed.", "method", spec.Procedure, "panic", fmt.Sprint(problem))
			return connect.NewError(connect.CodeInternal, errors.New("the plugin failed to ask Mattermost"))
		}))
}

// errNoAnswer stands for an answer that never came: the Plugin API gives nothing back, and no error either, where its
// connection to the server breaks.
var errNoAnswer = connect.NewError(connect.CodeUnavailable, errors.New("Mattermost did not answer")) //nolint:staticcheck // a name

// check turns an error of the Plugin API into a gRPC status. It is nil where there is none.
func check(err *model.AppError) error {
	if err == nil {
		return nil
	}
	code := connect.CodeUnavailable
	switch err.StatusCode {
	case http.StatusBadRequest:
		code = connect.CodeInvalidArgument
	case http.StatusForbidden:
		code = connect.CodePermissionDenied
	case http.StatusNotFound:
		code = connect.CodeNotFound
	case http.StatusConflict:
		code = connect.CodeAlreadyExists
	case http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		code = connect.CodeResourceExhausted
	case http.StatusNotImplemented:
		code = connect.CodeUnimplemented
	}
	return connect.NewError(code, errors.New(err.Error()))
}

// answered is check, and an error also where there is neither an error nor an answer.
func answered[T any](answer *T, err *model.AppError) error {
	if err != nil {
		return check(err)
	}
	if answer == nil {
		return errNoAnswer
	}
	return nil
}

// invalid is an error about what was asked.
func invalid(format string, arguments ...any) error {
	return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf(format, arguments...))
}

// botID is the bot's user id, or an error where there is no bot.
func (s *Service) botID() (string, error) {
	if id := s.bot(); id != "" {
		return id, nil
	}
	return "", connect.NewError(connect.CodeFailedPrecondition, errors.New("the plugin has no bot account"))
}
