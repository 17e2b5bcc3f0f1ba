// Package sdk is Mattermost's Plugin API as this plugin calls it. A call that the server does not answer, be it that the
// connection to it breaks or that it does not know the call, returns nothing, and no error either: taken as it is, that is an
// empty list, a key that is not there, or a success. Here it is an error. And calls that only newer servers know are
// in a table, with the version that brought them.
package sdk

import (
	"errors"
	"net/http"

	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin"
)

// Answered is the Plugin API with an error where the server did not answer. It is for the calls whose answer means something
// when it is empty; of the others the caller sees it by the nil.
func Answered(api plugin.API) plugin.API { return answered{api} }

type answered struct{ plugin.API }

// isSilent says whether the server answers nothing at all. A server that answers has a version.
func (a answered) isSilent() bool { return a.API.GetServerVersion() == "" }

// check is the error of a call, or one of its own where the call's answer is empty and the server is silent.
func (a answered) check(call string, isEmpty bool, appErr *model.AppError) *model.AppError {
	if appErr == nil && isEmpty && a.isSilent() {
		return model.NewAppError(call, "Mattermost did not answer", nil, "", http.StatusServiceUnavailable)
	}
	return appErr
}

func (a answered) KVGet(key string) ([]byte, *model.AppError) {
	value, appErr := a.API.KVGet(key)
	return value, a.check("KVGet", value == nil, appErr)
}

func (a answered) KVSetWithOptions(key string, value []byte, options model.PluginKVSetOptions) (bool, *model.AppError) {
	stored, appErr := a.API.KVSetWithOptions(key, value, options)
	return stored, a.check("KVSetWithOptions", !stored, appErr)
}

func (a answered) KVList(page, perPage int) ([]string, *model.AppError) {
	keys, appErr := a.API.KVList(page, perPage)
	return keys, a.check("KVList", len(keys) == 0, appErr)
}

func (a answered) GetUsers(options *model.UserGetOptions) ([]*model.User, *model.AppError) {
	users, appErr := a.API.GetUsers(options)
	return users, a.check("GetUsers", len(users) == 0, appErr)
}

func (a answered) GetUsersInChannel(channelID, sortBy string, page, perPage int) ([]*model.User, *model.AppError) {
	users, appErr := a.API.GetUsersInChannel(channelID, sortBy, page, perPage)
	return users, a.check("GetUsersInChannel", len(users) == 0, appErr)
}

func (a answered) GetGroupsForUser(userID string) ([]*model.Group, *model.AppError) {
	groups, appErr := a.API.GetGroupsForUser(userID)
	return groups, a.check("GetGroupsForUser", len(groups) == 0, appErr)
}

func (a answered) GetGroupMemberUsers(groupID string, page, perPage int) ([]*model.User, *model.AppError) {
	users, appErr := a.API.GetGroupMemberUsers(groupID, page, perPage)
	return users, a.check("GetGroupMemberUsers", len(users) == 0, appErr)
}

func (a answered) DeletePost(id string) *model.AppError {
	return a.check("DeletePost", true, a.API.DeletePost(id))
}

func (a answered) OpenInteractiveDialog(dialog model.OpenDialogRequest) *model.AppError {
	return a.check("OpenInteractiveDialog", true, a.API.OpenInteractiveDialog(dialog))
}

func (a answered) SetProfileImage(userID string, picture []byte) *model.AppError {
	return a.check("SetProfileImage", true, a.API.SetProfileImage(userID, picture))
}

func (a answered) SavePluginConfig(settings map[string]any) *model.AppError {
	return a.check("SavePluginConfig", true, a.API.SavePluginConfig(settings))
}

func (a answered) RegisterCommand(command *model.Command) error {
	if err := a.API.RegisterCommand(command); err != nil {
		return err
	}
	return a.silence()
}

func (a answered) LoadPluginConfiguration(into any) error {
	if err := a.API.LoadPluginConfiguration(into); err != nil {
		return err
	}
	return a.silence()
}

// silence is an error where the server answers nothing at all.
func (a answered) silence() error {
	if a.isSilent() {
		return errors.New("Mattermost did not answer") //nolint:staticcheck // a name
	}
	return nil
}
