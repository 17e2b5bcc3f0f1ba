// Package hooks is what Mattermost calls: it passes hooks, clicks, dialogs, commands and the browser's calls on to the
// core, and decides nothing.
package hooks

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/bridge"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/lease"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/sdk"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/wasm"
)

// Plugin implements Mattermost's hooks.
type Plugin struct {
	plugin.MattermostPlugin

	build string
	node  string
	door  *door

	// All below is set by OnActivate.
	manifest *model.Manifest
	bundle   string
	bot      bot
	bridge   *bridge.Bridge
	actor    actor
	core     *core
	saves    saves
	// visits are what people wait for.
	visits visits
	// changes counts the changes to posts that the core is being told of.
	changes atomic.Int32
	// ready is true between OnActivate and OnDeactivate; hooks may come at other times, too.
	ready atomic.Bool
	stop  context.CancelFunc
	tasks sync.WaitGroup
}

// actor is what keeps the core running, as far as the hooks ask it.
type actor interface {
	// RoundTripper is the way for what others ask.
	http.RoundTripper
	// Own is the way for what the host itself asks.
	Own() http.RoundTripper
	// Stats tells how the module does.
	Stats() wasm.Stats
	// Close stops the core.
	Close()
}

// New makes the plugin; build is what it was built from.
func New(build string) *Plugin {
	return &Plugin{build: build, node: nodeName(), door: newDoor()}
}

// nodeName is a name for this process that no other one has, and that tells a person which it is.
func nodeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), rand.Text()[:8])
}

// SetAPI takes the Plugin API, before anything else happens. From here on a server that does not answer is an error.
func (p *Plugin) SetAPI(api plugin.API) {
	p.MattermostPlugin.SetAPI(sdk.Answered(api))
}

// OnActivate starts the plugin. Wrong settings are no reason to fail: an admin can only mend them while it runs.
func (p *Plugin) OnActivate() error {
	bundle, err := p.API.GetBundlePath()
	if err != nil {
		return fmt.Errorf("Mattermost does not say where the plugin is: %w", err) //nolint:staticcheck // a name
	}
	manifest, _, err := model.FindManifest(bundle)
	if err != nil {
		return fmt.Errorf("the plugin's bundle is incomplete, upload it again: %w", err)
	}
	p.bundle, p.manifest = bundle, manifest

	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.registerCommand()
	p.bridge = bridge.New(p.API)
	p.core = &core{plugin: p}
	p.makeBot()
	p.tasks.Go(func() { p.keepBot(ctx) })
	p.actor = wasm.Start(wasm.Config{
		Path:      filepath.Join(bundle, "core", "core.wasm"),
		CacheDirs: cacheDirs(bundle, manifest.Id),
		Serve:     p.destinations(),
		Started:   p.core.started,
		Log:       p.API,
	})
	role := lease.New(p.API, leaderKey, p.node, p.core.lead)
	p.tasks.Go(func() { role.Run(ctx) })
	p.ready.Store(true)
	// The core may have heard the settings before.
	p.sealSoon()
	return nil
}

// leaderKey is where the key-value store says which node watches Teleport.
const leaderKey = "leader"

// OnDeactivate stops everything. The role of the leader goes to another node before the core stops, and what people wait for is
// answered.
func (p *Plugin) OnDeactivate() error {
	p.ready.Store(false)
	if p.stop == nil {
		return nil
	}
	p.stop()
	var drained sync.WaitGroup
	drained.Go(func() { p.visits.drain(drainTimeout) })
	p.tasks.Wait()
	drained.Wait()
	p.actor.Close()
	p.bridge.Close()
	return nil
}

// OnConfigurationChange passes the settings on. Mattermost also calls it before OnActivate, when there is no core yet.
func (p *Plugin) OnConfigurationChange() error {
	if p.ready.Load() {
		p.core.configure()
		p.sealSoon()
	}
	return nil
}

// destinations says who serves the core.
func (p *Plugin) destinations() func(string) http.Handler {
	host := http.NewServeMux()
	host.Handle(mattermost.New(p.API, p.bot.id).Handler())
	host.Handle(p.bridge.Handler())
	return func(destination string) http.Handler {
		if destination == "host" {
			return host
		}
		if cluster, ok := strings.CutPrefix(destination, "teleport/"); ok {
			return p.bridge.Cluster(cluster)
		}
		return http.NotFoundHandler()
	}
}

// cacheDirs are where compiled code may be kept: beside the plugin, where it goes away with it, or else in the user's
// cache.
func cacheDirs(bundle, id string) []string {
	directories := []string{filepath.Join(bundle, "cache")}
	if user, err := os.UserCacheDir(); err == nil {
		directories = append(directories, filepath.Join(user, id))
	}
	return directories
}
