package hooks

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/mattermost/mattermost/server/public/model"
)

// sealingKey is the setting that holds what credentials are sealed with.
const sealingKey = "sealingkey"

// stored are the plugin's settings as they are kept, secrets included, by the keys that they are kept under.
func (p *Plugin) stored() (map[string]any, error) {
	config := p.API.GetUnsanitizedConfig()
	if config == nil {
		return nil, errors.New("Mattermost does not tell the plugin's settings") //nolint:staticcheck // a name
	}
	return config.PluginSettings.Plugins[p.manifest.Id], nil
}

// find is the key in the settings that is like the given one but for the case of its letters; empty where there is none.
func find(settings map[string]any, key string) string {
	for name := range settings {
		if strings.EqualFold(name, key) {
			return name
		}
	}
	return ""
}

// SealingKey is the key that credentials are sealed with, see bridge.Keys. It is kept in the plugin's settings.
func (p *Plugin) SealingKey(create bool) (string, error) {
	p.sealing.Lock()
	defer p.sealing.Unlock()
	read := func() (map[string]any, string, error) {
		settings, err := p.stored()
		if err != nil {
			return nil, "", err
		}
		key, _ := settings[find(settings, sealingKey)].(string)
		return settings, key, nil
	}
	settings, key, err := read()
	if err != nil || key != "" || !create {
		return key, err
	}
	settings = maps.Clone(settings)
	if settings == nil {
		settings = map[string]any{}
	}
	if name := find(settings, sealingKey); name != "" {
		delete(settings, name)
	}
	settings[sealingKey] = rand.Text() + rand.Text()
	if appErr := p.API.SavePluginConfig(settings); appErr != nil {
		return "", fmt.Errorf("the sealing key cannot be kept in the plugin's settings: %w", appErr)
	}
	// Another node may have been faster.
	_, key, err = read()
	if err == nil && key == "" {
		err = errors.New("the sealing key was not kept in the plugin's settings")
	}
	return key, err
}

// differ says whether settings differ from those that are stored. The asterisks of a secret stand for what is stored, and
// the sealing key is nobody's business but the shim's.
func differ(settings, stored map[string]any) bool {
	normal := func(settings map[string]any) map[string]any {
		lower := map[string]any{}
		for name, value := range settings {
			if key := strings.ToLower(name); key != sealingKey {
				lower[key] = value
			}
		}
		return lower
	}
	after, before := normal(settings), normal(stored)
	for key, value := range after {
		if value == model.FakeSetting {
			after[key] = before[key]
		}
	}
	return !reflect.DeepEqual(plain(after), plain(before))
}

// plain gives values the types that JSON has.
func plain(settings map[string]any) map[string]any {
	encoded, err := json.Marshal(settings)
	if err != nil {
		return settings
	}
	decoded := map[string]any{}
	if json.Unmarshal(encoded, &decoded) != nil {
		return settings
	}
	// What is not set is the same as what is not there.
	maps.DeleteFunc(decoded, func(_ string, value any) bool { return value == nil })
	return decoded
}
