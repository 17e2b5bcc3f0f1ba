package mattermost

import (
	"context"

	"connectrpc.com/connect"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost"
)

// Log writes a line to the server's log.
func (s *Service) Log(
	_ context.Context, request *connect.Request[pb.LogRequest],
) (*connect.Response[pb.LogResponse], error) {
	fields := make([]any, 0, 2*len(request.Msg.GetFields()))
	for _, field := range request.Msg.GetFields() {
		fields = append(fields, field.GetName(), field.GetValue())
	}
	write := s.api.LogInfo
	switch request.Msg.GetLevel() {
	case pb.LogLevel_LOG_LEVEL_DEBUG:
		write = s.api.LogDebug
	case pb.LogLevel_LOG_LEVEL_WARN:
		write = s.api.LogWarn
	case pb.LogLevel_LOG_LEVEL_ERROR:
		write = s.api.LogError
	case pb.LogLevel_LOG_LEVEL_INFO, pb.LogLevel_LOG_LEVEL_UNSPECIFIED:
	}
	write(request.Msg.GetMessage(), fields...)
	return connect.NewResponse(&pb.LogResponse{}), nil
}
