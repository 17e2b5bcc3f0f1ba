package hooks

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin/pluginconnect"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/sdk"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/wasm"
)

// noticeTimeout bounds how long the core may take to take note of something. It does no more than that.
const noticeTimeout = 5 * time.Second

// core keeps the core informed: of the settings, and whether this node leads. A new instance hears both before anybody
// else may call it.
type core struct {
	plugin *Plugin

	mu sync.Mutex
	// newest is the newest instance; nil before the first. Where that one is lost, calls fail at once, and the next
	// instance is told everything anyway.
	newest wasm.Core
	// engine is what the host of the instance wants said.
	engine []string
	leads  bool
}

// client calls the core by way of transport.
func client(transport http.RoundTripper) pluginconnect.PluginClient {
	// The host's name is of no meaning: there is only one core.
	return pluginconnect.NewPluginClient(&http.Client{Transport: transport}, "http://core", connect.WithGRPCWeb())
}

// started tells a new instance all it has to know.
func (c *core) started(newest wasm.Core, notes []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest, c.engine = newest, notes
	c.tellSettings()
	c.tellLead()
}

// configure tells the core the settings as they are now.
func (c *core) configure() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tellSettings()
}

// lead tells the core whether this node leads.
func (c *core) lead(leads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leads = leads
	c.tellLead()
}

func (c *core) tellSettings() {
	if c.newest == nil {
		return
	}
	p := c.plugin
	// Not GetPluginConfig: that one hides secrets behind asterisks.
	var settings json.RawMessage
	if err := p.API.LoadPluginConfiguration(&settings); err != nil {
		p.API.LogError("The settings cannot be read.", "error", err.Error())
		return
	}
	version, config := p.API.GetServerVersion(), p.API.GetConfig()
	request := &pb.ConfigureRequest{
		PluginId:      p.manifest.Id,
		PluginVersion: p.manifest.Version,
		Build:         p.build,
		BotUserId:     p.bot.id(),
		ServerVersion: version,
		Node:          p.node,
		SettingsJson:  settings,
		Notes:         slices.Concat(c.engine, p.bot.notes(), p.aboutSettings(config, version), sdk.Missing(version)),
		Failures:      p.bot.failures(),
	}
	if config != nil {
		request.MultiFactorOff = isMultiFactorOff(config)
		if config.ServiceSettings.SiteURL != nil {
			request.SiteUrl = *config.ServiceSettings.SiteURL
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), noticeTimeout)
	defer cancel()
	// What is wrong with the settings is the core's to say, in the log and in the status.
	answer, err := client(c.newest).Configure(ctx, connect.NewRequest(request))
	if err != nil {
		c.misunderstood("the settings", err)
		return
	}
	p.sealStored(settings, answer.Msg.GetSettingsJson())
}

// isMultiFactorOff says whether the server has multi-factor authentication switched off. On its way to a plugin a
// configuration loses every false, so nothing is one.
func isMultiFactorOff(config *model.Config) bool {
	enabled := config.ServiceSettings.EnableMultifactorAuthentication
	return enabled == nil || !*enabled
}

func (c *core) tellLead() {
	if c.newest == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), noticeTimeout)
	defer cancel()
	if _, err := client(c.newest).Lead(ctx, connect.NewRequest(&pb.LeadRequest{Leader: c.leads})); err != nil {
		c.misunderstood("which node leads", err)
	}
}

// misunderstood gives up an instance that did not take note of something: it would act on what is true no more. The
// next one is told.
func (c *core) misunderstood(what string, err error) {
	c.plugin.API.LogWarn("The core did not take note of "+what+" and is made again.", "error", err.Error())
	c.newest.Restart()
}
