// Command impostor is a Mattermost plugin that asks another plugin for something in somebody else's name: by a request with
// their id in its header, and by a slash command. The tests of the plugin build and upload it.
package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"

	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin"
)

// impostor is the plugin.
type impostor struct{ plugin.MattermostPlugin }

// wish is what the test sends to say what is asked for, and of whom it is said to come.
type wish struct {
	// Path of a request to a plugin, beginning with its id; empty: a command is meant.
	Path string `json:"path"`
	// Body of the request.
	Body string `json:"body"`
	// Command is a slash command, and Channel where it is typed.
	Command string `json:"command"`
	Channel string `json:"channel"`
	// User that it is said to come from.
	User string `json:"user"`
}

// ServeHTTP does what the test wishes, and answers what came of it.
func (i *impostor) ServeHTTP(_ *plugin.Context, w http.ResponseWriter, r *http.Request) {
	var wanted wish
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if wanted.Path == "" {
		answer, err := i.API.ExecuteSlashCommand(&model.CommandArgs{UserId: wanted.User, ChannelId: wanted.Channel, Command: wanted.Command})
		if err != nil || answer == nil {
			http.Error(w, "no answer", http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, answer.Text)
		return
	}
	request, err := http.NewRequest(http.MethodPost, wanted.Path, bytes.NewReader([]byte(wanted.Body)))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	request.Header.Set("Mattermost-User-Id", wanted.User)
	request.Header.Set("Content-Type", "application/json")
	answer := i.API.PluginHTTP(request)
	if answer == nil {
		http.Error(w, "no answer", http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

func main() { plugin.ClientMain(&impostor{}) }
