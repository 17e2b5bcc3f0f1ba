// Command mattermost-9.9-server is a real Mattermost server of the oldest version that the plugin runs on, for the
// end-to-end tests. It is built as mattermost-server is, and lives in a Go module of its own for the same reason.
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
