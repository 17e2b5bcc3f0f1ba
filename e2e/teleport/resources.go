package teleport

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
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
	for _, resources := range []string{PluginResources, peopleResources} {
		if err := cluster.CreateResources(ctx, Resources(cluster, resources)); err != nil {
			return err
		}
	}
	return nil
}

const (
	// annotations of requests are new in Teleport 4.4.
	annotations = "      annotations:\n        team: [infra]\n"
	// rulesOnly is a role that opens nothing, and rulesAndLogin the same with a login.
	rulesOnly     = "  allow:\n    rules:\n"
	rulesAndLogin = "  allow:\n    logins: [access-plugin]\n    rules:\n"
)

// Resources are those given, as far as the cluster's version has them.
func Resources(cluster Cluster, resources string) string {
	// Roles have version 5 since Teleport 9.
	if IsOlder(cluster.Version(), 9, 0) {
		resources = strings.ReplaceAll(resources, "version: v5", "version: v3")
	}
	if IsOlder(cluster.Version(), 4, 4) {
		resources = strings.Replace(resources, annotations, "", 1)
	}
	// Credentials are signed for those only who have a login.
	if IsOlder(cluster.Version(), 5, 0) {
		resources = strings.ReplaceAll(resources, rulesOnly, rulesAndLogin)
	}
	return resources
}

// IsOlder tells whether a version such as "13.3.8" is before another one.
func IsOlder(version string, major, minor int) bool {
	var itsMajor, itsMinor int
	if _, err := fmt.Sscanf(version, "%d.%d", &itsMajor, &itsMinor); err != nil {
		return false
	}
	return itsMajor < major || (itsMajor == major && itsMinor < minor)
}
