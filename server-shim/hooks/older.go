package hooks

import (
	"slices"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/sdk"
)

// What older servers do with settings in another way, and what the status says about it.

const (
	textLossy = "This Mattermost version would lose the addresses in SqlSettings.ReplicaLagSettings if the plugin saved its " +
		"settings. So credentials that did not come from the settings page are not sealed: paste them there, where they are " +
		"sealed before they are saved, or upgrade Mattermost."
	textShown = "This Mattermost version shows the setting Sealing key to everybody who may read its configuration, and puts it " +
		"into support packets. Upgrade Mattermost, or leave the setting empty and paste the credentials again: the plugin then " +
		"makes a key, which is in no setting."
)

// savesLossily says whether the server would lose something of its own if the plugin saved its settings: it then writes the
// asterisks that it shows in the place of its secrets, and puts all of them back but these.
func savesLossily(config *model.Config, version string) bool {
	if sdk.SavesWithSecrets(version) {
		return false
	}
	return slices.ContainsFunc(config.SqlSettings.ReplicaLagSettings, func(one *model.ReplicaLagSettings) bool {
		return one != nil && one.DataSource != nil && *one.DataSource != ""
	})
}

// showsSealingKey says whether the server shows the key that credentials are sealed with; shown are the plugin's settings as it
// shows them to those who may read its configuration.
func showsSealingKey(shown map[string]any) bool {
	text, _ := inLowerCase(shown)["sealingkey"].(string)
	return text != "" && !isMask(text)
}

// aboutSettings is what there is to say about how this server treats settings.
func (p *Plugin) aboutSettings(shown *model.Config, version string) []string {
	var notes []string
	if config := p.API.GetUnsanitizedConfig(); config != nil && savesLossily(config, version) {
		notes = append(notes, textLossy)
	}
	if shown != nil && showsSealingKey(shown.PluginSettings.Plugins[p.manifest.Id]) {
		notes = append(notes, textShown)
	}
	return notes
}

// isLossy says whether the plugin must not save its settings, and why in the log.
func (p *Plugin) isLossy() bool {
	config := p.API.GetUnsanitizedConfig()
	if config == nil || !savesLossily(config, p.API.GetServerVersion()) {
		return false
	}
	p.API.LogWarn(textLossy)
	return true
}
