// Command mattermost-server is a real Mattermost server, built from Mattermost's own Go module, for the
// end-to-end tests and the demo. It lives in a Go module of its own because the server pins versions that
// the plugin must not inherit.
package main

import (
	"os"

	// Registers the built-in slash commands, as Mattermost's own main does.
	_ "github.com/mattermost/mattermost/server/v8/channels/app/slashcommands"
	"github.com/mattermost/mattermost/server/v8/cmd/mattermost/commands"
)

func main() {
	if err := commands.Run(os.Args[1:]); err != nil {
		os.Exit(1)
	}
}
