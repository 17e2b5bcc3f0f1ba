package mattermost

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost"
)

// errNoSession says that there is no session of that id (any more).
var errNoSession = connect.NewError(connect.CodeNotFound, errors.New("there is no such session"))

// GetSession returns a session, without its token.
func (s *Service) GetSession(
	_ context.Context, request *connect.Request[pb.GetSessionRequest],
) (*connect.Response[pb.Session], error) {
	id := request.Msg.GetSessionId()
	if id == "" {
		return nil, invalid("session_id is missing")
	}
	session, appErr := s.api.GetSession(id)
	// Mattermost answers 400 whatever went wrong with looking for it.
	if isNotFound(appErr) || appErr != nil && appErr.StatusCode == http.StatusBadRequest {
		return nil, errNoSession
	}
	if err := answered(session, appErr); err != nil {
		return nil, err
	}
	// The server finds sessions by their tokens, too, and a token is not an id.
	if session.Id != id {
		return nil, errNoSession
	}
	return connect.NewResponse(&pb.Session{
		Id:        session.Id,
		UserId:    session.UserId,
		CreateAt:  session.CreateAt,
		ExpiresAt: session.ExpiresAt,
		IsOauth:   session.IsOAuth,
		Type:      session.Props[model.SessionPropType],
		IsBot:     session.Props[model.SessionPropIsBot] == model.SessionPropIsBotValue,
		IsSso:     session.IsSaml() || session.IsOAuthUser(),
	}), nil
}
