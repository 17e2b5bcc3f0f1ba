package hooks

import (
	"context"
	"net/http"
	"strconv"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/wasm"
)

// dialog answers the submission of a dialog.
func (p *Plugin) dialog(w http.ResponseWriter, _ *http.Request, who visitor, body []byte) {
	var submitted model.SubmitDialogRequest
	if !decode(w, body, &submitted) {
		return
	}
	if len(submitted.Submission) > mostValues {
		refuse(w, http.StatusRequestEntityTooLarge, textTooMany)
		return
	}
	values := map[string]string{}
	for name, value := range submitted.Submission {
		switch value := value.(type) {
		case string:
			values[name] = value
		case bool:
			values[name] = strconv.FormatBool(value)
		case float64:
			values[name] = strconv.FormatFloat(value, 'f', -1, 64)
		}
	}
	ctx, cancel := context.WithTimeout(wasm.InLane(context.Background(), who.userID), callTimeout)
	defer cancel()
	answer, err := client(p.actor).SubmitDialog(ctx, connect.NewRequest(&pb.SubmitDialogRequest{
		UserId:     who.userID,
		CallbackId: submitted.CallbackId,
		State:      submitted.State,
		ChannelId:  submitted.ChannelId,
		TeamId:     submitted.TeamId,
		Cancelled:  submitted.Cancelled,
		Submission: values,
		SessionId:  who.sessionID,
		IpAddress:  who.address,
	}))
	if err != nil {
		respond(w, http.StatusOK, model.SubmitDialogResponse{Error: p.apology("dialog", err)})
		return
	}
	respond(w, http.StatusOK, model.SubmitDialogResponse{
		Error: answer.Msg.GetError(), Errors: answer.Msg.GetErrors(),
	})
}
