package mattermost

import (
	"context"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost"
)

// mostKeys is the most that a page of the key-value store may hold.
const mostKeys = 1000

// KvGet returns a value.
func (s *Service) KvGet(
	_ context.Context, request *connect.Request[pb.KvGetRequest],
) (*connect.Response[pb.KvGetResponse], error) {
	value, appErr := s.api.KVGet(request.Msg.GetKey())
	if err := check(appErr); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.KvGetResponse{Value: value}), nil
}

// KvSet sets or deletes a value.
func (s *Service) KvSet(
	_ context.Context, request *connect.Request[pb.KvSetRequest],
) (*connect.Response[pb.KvSetResponse], error) {
	asked := request.Msg
	// On the way to the server an empty value becomes none, and would delete the key.
	for name, value := range map[string][]byte{"value": asked.Value, "old_value": asked.OldValue} {
		if value != nil && len(value) == 0 {
			return nil, invalid("%s is empty: Mattermost cannot store that", name)
		}
	}
	stored, appErr := s.api.KVSetWithOptions(asked.GetKey(), asked.Value, model.PluginKVSetOptions{
		Atomic:          asked.GetAtomic(),
		OldValue:        asked.OldValue,
		ExpireInSeconds: asked.GetExpireSeconds(),
	})
	if err := check(appErr); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.KvSetResponse{Stored: stored}), nil
}

// KvList returns a page of the store's keys.
func (s *Service) KvList(
	_ context.Context, request *connect.Request[pb.KvListRequest],
) (*connect.Response[pb.KvListResponse], error) {
	page, perPage := int(request.Msg.GetPage()), int(request.Msg.GetPerPage())
	if page < 0 || perPage < 1 || perPage > mostKeys {
		return nil, invalid("page must be 0 or more, per_page 1 to %d", mostKeys)
	}
	keys, appErr := s.api.KVList(page, perPage)
	if err := check(appErr); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.KvListResponse{Keys: keys}), nil
}
