// Command teleport-server is a real open-source Teleport (auth server and proxy in one process), built from
// Teleport's own Go module, for the end-to-end tests and the demo.
//
//	teleport-server -config teleport.yaml      serve until SIGTERM; prints READY when it accepts connections
//	teleport-server tctl …                     Teleport's own tctl
//
// It lives in a Go module of its own because Teleport pins versions that the plugin must not inherit.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gravitational/teleport/lib/cloud"
	"github.com/gravitational/teleport/lib/config"
	"github.com/gravitational/teleport/lib/service"
	"github.com/gravitational/teleport/lib/service/servicecfg"
	"github.com/gravitational/teleport/lib/utils"
	tctl "github.com/gravitational/teleport/tool/tctl/common"
	"github.com/gravitational/trace"
)

// readyTimeout bounds the wait for the listeners; a boot takes about a second.
const readyTimeout = time.Minute

func main() {
	if len(os.Args) > 1 && os.Args[1] == "tctl" {
		os.Args = append([]string{"tctl"}, os.Args[2:]...)
		tctl.Run(append(tctl.Commands(), tctl.OSSCommands()...))
		return
	}
	configFile := flag.String("config", "teleport.yaml", "path of the Teleport configuration")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *configFile); err != nil {
		fmt.Fprintln(os.Stderr, trace.DebugReport(err))
		os.Exit(1)
	}
}

func serve(ctx context.Context, configFile string) error {
	cfg := servicecfg.MakeDefaultConfig()
	if err := config.Configure(&config.CommandLineFlags{ConfigFile: configFile}, cfg, false); err != nil {
		return trace.Wrap(err)
	}
	// The Go module carries no web assets, and there is no cloud metadata service to ask.
	cfg.Proxy.DisableWebInterface = true
	cfg.InstanceMetadataClient = cloud.NewDisabledIMDSClient()
	cfg.Log = utils.NewLogger()

	process, err := service.NewTeleport(cfg)
	if err != nil {
		return trace.Wrap(err)
	}
	defer process.Close()
	if err := process.Start(); err != nil {
		return trace.Wrap(err)
	}
	for _, event := range []string{service.AuthTLSReady, service.ProxyWebServerReady, service.TeleportReadyEvent} {
		if _, err := process.WaitForEventTimeout(readyTimeout, event); err != nil {
			return trace.Wrap(err, "waiting for %s", event)
		}
	}
	fmt.Println("READY")
	<-ctx.Done()
	return nil
}
