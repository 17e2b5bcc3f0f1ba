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
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/wasm"
)

const trigger = "teleport"

// registerCommand makes the slash command known.
func (p *Plugin) registerCommand() {
	data := model.NewAutocompleteData(trigger, "[command]", "Teleport access requests: status, audit, setup, notifications, help")
	for _, forAdmins := range [][3]string{
		{"status", "", "Whether everything works, and what to do where it does not"},
		{"audit", "[number, or verify]", "Who tried to decide what, and what came of it"},
		{"setup", "", "What to run on the Teleport side"},
	} {
		command := model.NewAutocompleteData(forAdmins[0], forAdmins[1], forAdmins[2])
		command.RoleID = model.SystemAdminRoleId
		data.AddCommand(command)
	}
	notifications := model.NewAutocompleteData("notifications", "[on|off]", "Direct messages about your own access requests")
	notifications.AddStaticListArgument("", true, []model.AutocompleteListItem{{Item: "on"}, {Item: "off"}})
	data.AddCommand(notifications)
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

// typedBy says whether a user typed a command. Other plugins may run commands as whomever they name: behind a person's own
// there is a session of that person.
func (p *Plugin) typedBy(c *plugin.Context, userID string) bool {
	if c == nil || c.SessionId == "" || userID == "" {
		return false
	}
	session, appErr := p.API.GetSession(c.SessionId)
	return appErr == nil && session != nil && session.UserId == userID
}

// ExecuteCommand answers the slash command; only who typed it sees the answer.
func (p *Plugin) ExecuteCommand(c *plugin.Context, args *model.CommandArgs) (
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
	defer p.visits.begin()()
	if !p.ready.Load() {
		response.Text = textRestarting
		return response, nil
	}
	if !p.typedBy(c, args.UserId) {
		p.door.plugins.Add(1)
		response.Text = "Other plugins cannot use this command."
		return response, nil
	}
	if _, ok := p.door.buckets.take(args.UserId, "command", pace{burst: 30, each: 2}); !ok {
		p.door.throttled.Add(1)
		response.Text = textBusy
		return response, nil
	}
	ctx, cancel := context.WithTimeout(wasm.InLane(context.Background(), args.UserId), callTimeout)
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
