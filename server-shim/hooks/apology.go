package hooks

import (
	"time"

	"connectrpc.com/connect"
)

// callTimeout bounds how long the core may take for what a person waits for. Mattermost itself waits half a minute.
const callTimeout = 25 * time.Second

// What a person reads where the core cannot say anything. All else is said by the core.
const (
	textRestarting = "The plugin is restarting, please click again."
	textTooLong    = "That took too long. It may have worked all the same: look at the request before you try again."
	textBusy       = "That is too much at once. Wait a moment and try again."
	textTooMany    = "The request is too large: it has too many values."
	textFailed     = "Something went wrong in the plugin. Try again; the server's log says more."
)

// apology is what a person reads about a call that the core did not answer.
func (p *Plugin) apology(what string, err error) string {
	if connect.CodeOf(err) == connect.CodeResourceExhausted {
		p.door.throttled.Add(1)
		return textBusy
	}
	p.API.LogError("The core did not answer.", "call", what, "error", err.Error())
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable:
		return textRestarting
	case connect.CodeDeadlineExceeded, connect.CodeCanceled:
		return textTooLong
	default:
		return textFailed
	}
}
