package hooks

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
)

const trigger = "teleport"

// registerCommand makes the slash command known.
func (p *Plugin) registerCommand() {
	data := model.NewAutocompleteData(trigger, "[command]", "Teleport access requests: status, help")
	status := model.NewAutocompleteData("status", "", "Whether everything works, and what to do where it does not")
	status.RoleID = model.SystemAdminRoleId
	data.AddCommand(status)
	data.AddCommand(model.NewAutocompleteData("help", "", "What there is"))
	command := &model.Command{
		Trigger:          trigger,
		AutoComplete:     true,
		AutoCompleteDesc: "Teleport access requests",
		AutoCompleteHint: "[command]",
		AutocompleteData: data,
	}
	if icon, err := os.ReadFile(filepath.Join(p.bundle, "assets", "icon.svg")); err == nil {
		command.AutocompleteIconData = "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(icon)
	}
	if err := p.API.RegisterCommand(command); err != nil {
		p.API.LogError("The command /teleport could not be registered.", "error", err.Error())
	}
}

// ExecuteCommand answers the slash command; only who typed it sees the answer.
func (p *Plugin) ExecuteCommand(_ *plugin.Context, args *model.CommandArgs) (
	response *model.CommandResponse, appErr *model.AppError,
) {
	response = &model.CommandResponse{ResponseType: model.CommandResponseTypeEphemeral}
	// A panic would end the whole plugin.
	defer func() {
		if problem := recover(); problem != nil {
			p.API.LogError("A command failed.", "panic", fmt.Sprint(problem), "stack", string(debug.Stack()))
			response.Text = textFailed
		}
	}()
	if !p.ready.Load() {
		response.Text = textRestarting
		return response, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	answer, err := client(p.actor).Command(ctx, connect.NewRequest(&pb.CommandRequest{
		UserId:    args.UserId,
		ChannelId: args.ChannelId,
		TeamId:    args.TeamId,
		RootId:    args.RootId,
		Command:   args.Command,
		TriggerId: args.TriggerId,
	}))
	if err != nil {
		response.Text = p.apology("command", err)
		return response, nil
	}
	response.Text = answer.Msg.GetText()
	return response, nil
}
