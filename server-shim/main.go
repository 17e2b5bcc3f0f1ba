// Command plugin is the server part of the plugin, as Mattermost runs it.
package main

import (
	"github.com/mattermost/mattermost/server/public/plugin"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/hooks"
)

// build is what this was built from, such as a commit; the linker sets it.
var build string

func main() {
	plugin.ClientMain(hooks.New(build))
}
