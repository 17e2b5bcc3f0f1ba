package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// facts are what the tests need to know.
type facts struct {
	// URL of the origin with the pages.
	URL string `json:"url"`
	// Record answers what went to the browser; see origin.Record.
	Record string `json:"record"`
	// Admin is a system admin of Mattermost.
	Admin person `json:"admin"`
	// Approver is the username of somebody who is no admin.
	Approver string `json:"approver"`
	// PluginID is the plugin's id.
	PluginID string `json:"pluginId"`
	// Config is the file with Mattermost's configuration.
	Config string `json:"config"`
	// Recipient names a channel that is there.
	Recipient string `json:"recipient"`
	// Clusters are "double", "real", and "foreign", which has the double's name and other authorities.
	Clusters map[string]*cluster `json:"clusters"`
	// Others are addresses where no Teleport is.
	Others map[string]string `json:"others"`
}

type person struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// cluster is a Teleport cluster, and credentials from it.
type cluster struct {
	Name  string `json:"name"`
	Auth  string `json:"auth"`
	Proxy string `json:"proxy"`
	// Plugin are the plugin's credentials.
	Plugin *teleport.Credentials `json:"plugin"`
	// Stranger are those of a user who may do nothing with access requests.
	Stranger *teleport.Credentials `json:"stranger"`
	// Expired are the plugin's of yesterday; only the double has any.
	Expired *teleport.Credentials `json:"expired,omitempty"`
	// Files are folders with the plugin's credentials and the expired ones, as tctl writes them on the server.
	Files map[string]string `json:"files"`
}

// write puts credentials into files below a folder.
func (c *cluster) write(dir string) error {
	c.Files = map[string]string{}
	for name, signed := range map[string]*teleport.Credentials{"plugin": c.Plugin, "expired": c.Expired} {
		if signed == nil {
			continue
		}
		c.Files[name] = filepath.Join(dir, name)
		if err := os.MkdirAll(c.Files[name], 0o700); err != nil {
			return err
		}
		if err := signed.Write(c.Files[name]); err != nil {
			return err
		}
	}
	return nil
}

// describe populates a cluster and signs credentials.
func describe(ctx context.Context, of teleport.Cluster) (*cluster, error) {
	if err := teleport.Populate(ctx, of); err != nil {
		return nil, err
	}
	found := &cluster{Name: of.Name(), Auth: of.AuthAddress(), Proxy: of.ProxyAddress()}
	for user, place := range map[string]**teleport.Credentials{teleport.PluginUser: &found.Plugin, teleport.Stranger: &found.Stranger} {
		signed, err := of.Sign(ctx, user, credentialsLast)
		if err != nil {
			return nil, err
		}
		*place = signed
	}
	return found, nil
}
