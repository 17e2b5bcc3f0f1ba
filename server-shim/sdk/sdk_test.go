package sdk

import (
	"slices"
	"testing"

	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin"
)

// empty answers nothing to all calls: as the SDK does where the server does not answer, and as a server does that has nothing
// to tell.
type empty struct {
	plugin.API
	version string
}

func (e empty) GetServerVersion() string                                      { return e.version }
func (empty) KVGet(string) ([]byte, *model.AppError)                          { return nil, nil }
func (empty) KVList(int, int) ([]string, *model.AppError)                     { return nil, nil }
func (empty) GetUsers(*model.UserGetOptions) ([]*model.User, *model.AppError) { return nil, nil }
func (empty) GetGroupsForUser(string) ([]*model.Group, *model.AppError)       { return nil, nil }
func (empty) DeletePost(string) *model.AppError                               { return nil }
func (empty) OpenInteractiveDialog(model.OpenDialogRequest) *model.AppError   { return nil }
func (empty) SetProfileImage(string, []byte) *model.AppError                  { return nil }
func (empty) SavePluginConfig(map[string]any) *model.AppError                 { return nil }
func (empty) RegisterCommand(*model.Command) error                            { return nil }
func (empty) LoadPluginConfiguration(any) error                               { return nil }
func (empty) GetUsersInChannel(string, string, int, int) ([]*model.User, *model.AppError) {
	return nil, nil
}
func (empty) GetGroupMemberUsers(string, int, int) ([]*model.User, *model.AppError) {
	return nil, nil
}
func (empty) KVSetWithOptions(string, []byte, model.PluginKVSetOptions) (bool, *model.AppError) {
	return false, nil
}

// calls are all calls whose empty answer means something, each with whether there was an error.
func calls(api plugin.API) map[string]bool {
	_, kvGet := api.KVGet("key")
	_, kvSet := api.KVSetWithOptions("key", []byte("value"), model.PluginKVSetOptions{Atomic: true})
	_, kvList := api.KVList(0, 10)
	_, users := api.GetUsers(&model.UserGetOptions{})
	_, inChannel := api.GetUsersInChannel("channel", model.ChannelSortByUsername, 0, 10)
	_, groups := api.GetGroupsForUser("user")
	_, members := api.GetGroupMemberUsers("group", 0, 10)
	return map[string]bool{
		"KVGet":                   kvGet != nil,
		"KVSetWithOptions":        kvSet != nil,
		"KVList":                  kvList != nil,
		"GetUsers":                users != nil,
		"GetUsersInChannel":       inChannel != nil,
		"GetGroupsForUser":        groups != nil,
		"GetGroupMemberUsers":     members != nil,
		"DeletePost":              api.DeletePost("post") != nil,
		"OpenInteractiveDialog":   api.OpenInteractiveDialog(model.OpenDialogRequest{}) != nil,
		"SetProfileImage":         api.SetProfileImage("user", nil) != nil,
		"SavePluginConfig":        api.SavePluginConfig(nil) != nil,
		"RegisterCommand":         api.RegisterCommand(&model.Command{}) != nil,
		"LoadPluginConfiguration": api.LoadPluginConfiguration(nil) != nil,
	}
}

func TestNoAnswerIsAnErrorAndNeverAnEmptyOne(t *testing.T) {
	for call, failed := range calls(Answered(empty{})) {
		if !failed {
			t.Errorf("%s took a server that does not answer for an empty answer", call)
		}
	}
}

func TestAnEmptyAnswerIsNoError(t *testing.T) {
	for call, failed := range calls(Answered(empty{version: "9.9.0"})) {
		if failed {
			t.Errorf("%s took an empty answer for none", call)
		}
	}
}

// broken answers an error of its own to what it is asked, as a server does that cannot do something.
type broken struct{ empty }

var errBroken = model.NewAppError("where", "what", nil, "why", 500)

func (broken) KVGet(string) ([]byte, *model.AppError) { return nil, errBroken }
func (broken) RegisterCommand(*model.Command) error   { return errBroken }

func TestTheServersOwnErrorStays(t *testing.T) {
	api := Answered(broken{})
	if _, appErr := api.KVGet("key"); appErr != errBroken {
		t.Errorf("the error is %v", appErr)
	}
	if err := api.RegisterCommand(&model.Command{}); err != errBroken { //nolint:errorlint // the very same
		t.Errorf("the error is %v", err)
	}
}

func TestANewerCallIsMissingBeforeItsFirstVersionAndSaid(t *testing.T) {
	table := []Newer{
		{Name: "SendToastMessage", First: "11.5.0", Without: "No toasts are shown."},
		{Name: "GetGroups", First: "10.7.0", Without: "Groups are not listed."},
	}
	for version, want := range map[string][]string{
		"9.9.0":           {"SendToastMessage", "GetGroups"},
		"10.6.9":          {"SendToastMessage", "GetGroups"},
		"10.7.0":          {"SendToastMessage"},
		"10.11.2":         {"SendToastMessage"},
		"11.5.0":          nil,
		"11.5.0-rc1":      {"SendToastMessage"},
		"12.0.0":          nil,
		"":                {"SendToastMessage", "GetGroups"},
		"of my own make!": {"SendToastMessage", "GetGroups"},
	} {
		var lacks []string
		for _, one := range table {
			if !knows(table, version, one.Name) {
				lacks = append(lacks, one.Name)
			}
		}
		if !slices.Equal(lacks, want) {
			t.Errorf("Mattermost %q lacks %q, want %q", version, lacks, want)
		}
		if notes := missing(table, version); len(notes) != len(want) {
			t.Errorf("Mattermost %q: the status says %q about %q", version, notes, want)
		}
	}
	if !knows(table, "9.9.0", "KVGet") {
		t.Error("a call that stands in no table is as old as the oldest server")
	}
	if notes := missing(table, "11.4.0"); len(notes) != 1 || notes[0] != "No toasts are shown. It takes Mattermost 11.5.0 or later." {
		t.Errorf("the status says %q", notes)
	}
}
