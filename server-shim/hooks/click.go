package hooks

import (
	"context"
	"net/http"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/wasm"
)

// click answers a click on a message button.
func (p *Plugin) click(w http.ResponseWriter, _ *http.Request, who visitor, body []byte) {
	var clicked model.PostActionIntegrationRequest
	if !decode(w, body, &clicked) {
		return
	}
	if len(clicked.Context) > mostValues {
		refuse(w, http.StatusRequestEntityTooLarge, textTooMany)
		return
	}
	values := map[string]string{}
	for name, value := range clicked.Context {
		if text, ok := value.(string); ok {
			values[name] = text
		}
	}
	// Not the request's context: a decision that was begun is not given up because the clicker leaves.
	ctx, cancel := context.WithTimeout(wasm.InLane(context.Background(), who.userID), callTimeout)
	defer cancel()
	answer, err := client(p.actor).Click(ctx, connect.NewRequest(&pb.ClickRequest{
		UserId:    who.userID,
		PostId:    clicked.PostId,
		ChannelId: clicked.ChannelId,
		TriggerId: clicked.TriggerId,
		Context:   values,
		SessionId: who.sessionID,
		IpAddress: who.address,
	}))
	// What is shown is Markdown already: Slack's own would be looked for, and found, in what people wrote.
	shown := model.PostActionIntegrationResponse{SkipSlackParsing: true}
	text := ""
	if err != nil {
		text = p.apology("click", err)
	} else {
		text = answer.Msg.GetEphemeralText()
	}
	if !p.whisper(who.userID, clicked.ChannelId, text) {
		shown.EphemeralText = text
	}
	respond(w, http.StatusOK, shown)
}
