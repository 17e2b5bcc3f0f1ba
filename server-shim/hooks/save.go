package hooks

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
)

// saveTimeout bounds how long the core may take to look at settings: somebody waits for the page to be saved.
const saveTimeout = 5 * time.Second

// ConfigurationWillBeSaved has the core look at the plugin's settings before they are saved. Mattermost calls it whatever
// settings are saved, and also while the sealing key is. Where the core does not answer the settings are saved as they are:
// they must never be what keeps an admin from saving.
func (p *Plugin) ConfigurationWillBeSaved(config *model.Config) (*model.Config, error) {
	if !p.ready.Load() || config == nil {
		return nil, nil
	}
	settings := config.PluginSettings.Plugins[p.manifest.Id]
	stored, err := p.stored()
	if err != nil || settings == nil {
		return nil, nil //nolint:nilerr // nothing to look at
	}
	if checked, err := p.look(settings, stored); err != nil {
		return nil, err
	} else if checked != nil {
		settings = checked
	}
	p.keepSealingKey(settings)
	config.PluginSettings.Plugins[p.manifest.Id] = settings
	return config, nil
}

// look has the core look at changed settings. It answers what to save instead; nil: what was to be saved.
func (p *Plugin) look(settings, stored map[string]any) (map[string]any, error) {
	if !differ(settings, stored) {
		return nil, nil
	}
	answer, err := p.checkConfiguration(settings, stored)
	if err != nil {
		p.API.LogWarn("The plugin's settings are saved without a look at them.", "error", err.Error())
		return nil, nil
	}
	if problems := answer.GetProblems(); len(problems) > 0 {
		lines := make([]string, len(problems))
		for i, problem := range problems {
			lines[i] = problem.GetSetting() + ": " + problem.GetMessage()
		}
		// Mattermost shows nothing of other errors.
		return nil, model.NewAppError("ConfigurationWillBeSaved", strings.Join(lines, "\n"), nil, "", http.StatusBadRequest)
	}
	checked := map[string]any{}
	if err := json.Unmarshal(answer.GetSettingsJson(), &checked); err != nil {
		p.API.LogError("The core's answer about the plugin's settings cannot be read.", "error", err.Error())
		return nil, nil
	}
	return checked, nil
}

// keepSealingKey keeps a page that was opened before there was a sealing key from emptying it.
func (p *Plugin) keepSealingKey(settings map[string]any) {
	name := find(settings, sealingKey)
	if key, _ := settings[name].(string); key != "" {
		return
	}
	stored, err := p.stored()
	if err != nil {
		return
	}
	if kept := find(stored, sealingKey); kept != "" {
		// The name may be kept in other letters than the page's.
		delete(settings, name)
		settings[kept] = stored[kept]
	}
}

func (p *Plugin) checkConfiguration(settings, stored map[string]any) (*pb.CheckConfigurationResponse, error) {
	after, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	before, err := json.Marshal(stored)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	answer, err := client(p.actor).CheckConfiguration(ctx, connect.NewRequest(
		&pb.CheckConfigurationRequest{NewSettingsJson: after, OldSettingsJson: before}))
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}
