package hooks

import (
	"context"
	"net/http"
	"strconv"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
)

// dialog answers the submission of a dialog.
func (p *Plugin) dialog(w http.ResponseWriter, request *http.Request, body []byte) {
	var submitted model.SubmitDialogRequest
	if !decode(w, body, &submitted) {
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
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	answer, err := client(p.actor).SubmitDialog(ctx, connect.NewRequest(&pb.SubmitDialogRequest{
		UserId:     userID(request),
		CallbackId: submitted.CallbackId,
		State:      submitted.State,
		ChannelId:  submitted.ChannelId,
		TeamId:     submitted.TeamId,
		Cancelled:  submitted.Cancelled,
		Submission: values,
	}))
	if err != nil {
		respond(w, http.StatusOK, model.SubmitDialogResponse{Error: p.apology("dialog", err)})
		return
	}
	respond(w, http.StatusOK, model.SubmitDialogResponse{
		Error: answer.Msg.GetError(), Errors: answer.Msg.GetErrors(),
	})
}
