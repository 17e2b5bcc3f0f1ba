package teleport

import (
	"context"
	_ "embed"
)

// PluginUser is the Teleport user that the plugin signs in as.
const PluginUser = "access-plugin"

// PluginResources are the role and the user for the plugin, as its documentation tells an admin to make them.
//
//go:embed plugin.yaml
var PluginResources string

// People who appear in the tests and the demo.
const (
	// Requester may ask for the role that RequestedRole names.
	Requester = "alice@example.com"
	// RequestedRole is what is asked for.
	RequestedRole = "dba"
	// Admin may do everything with access requests.
	Admin = "admin"
	// Stranger is a Teleport user without any right to access requests.
	Stranger = "stranger"
)

// peopleResources are the people and their roles.
//
//go:embed people.yaml
var peopleResources string

// Populate makes the plugin's role and user, and the people.
func Populate(ctx context.Context, cluster Cluster) error {
	if err := cluster.CreateResources(ctx, PluginResources); err != nil {
		return err
	}
	return cluster.CreateResources(ctx, peopleResources)
}
