// Command teleport-5.1-server is a real open-source Teleport 5.1.0 (auth server and proxy in one process), built from
// Teleport's own Go module, for the end-to-end tests.
//
//	teleport-5.1-server -config teleport.yaml      serve until SIGTERM; prints READY when it accepts connections
//	teleport-5.1-server tctl …                     Teleport's own tctl, and `tctl role`
//
// It lives in a Go module of its own because Teleport pins versions that the plugin must not inherit.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gravitational/kingpin"
	"github.com/gravitational/teleport/lib/auth"
	"github.com/gravitational/teleport/lib/config"
	"github.com/gravitational/teleport/lib/service"
	"github.com/gravitational/teleport/lib/services"
	tctl "github.com/gravitational/teleport/tool/tctl/common"
	"github.com/gravitational/trace"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// readyTimeout bounds the wait for the listeners; a boot takes a few seconds.
const readyTimeout = time.Minute

func main() {
	if len(os.Args) > 1 && os.Args[1] == "tctl" {
		os.Args = append([]string{"tctl"}, os.Args[2:]...)
		tctl.Run([]tctl.CLICommand{
			&tctl.UserCommand{}, &tctl.TokenCommand{}, &tctl.AuthCommand{}, &tctl.ResourceCommand{}, &tctl.StatusCommand{},
			&tctl.AccessRequestCommand{}, &roleCommand{},
		}, nil)
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
	cfg := service.MakeDefaultConfig()
	if err := config.Configure(&config.CommandLineFlags{ConfigFile: configFile}, cfg); err != nil {
		return trace.Wrap(err)
	}
	// The Go module carries no web assets.
	cfg.Proxy.DisableWebInterface = true

	process, err := service.NewTeleport(cfg)
	if err != nil {
		return trace.Wrap(err)
	}
	defer process.Close()
	if err := process.Start(); err != nil {
		return trace.Wrap(err)
	}
	for _, name := range []string{service.AuthTLSReady, service.ProxyWebServerReady, service.TeleportReadyEvent} {
		happened := make(chan service.Event, 1)
		process.WaitForEvent(ctx, name, happened)
		select {
		case <-happened:
		case <-ctx.Done():
			return nil
		case <-time.After(readyTimeout):
			return trace.ConnectionProblem(nil, "waiting for %s", name)
		}
	}
	fmt.Println("READY")
	<-ctx.Done()
	return nil
}

// roleCommand is what only the enterprise tctl of this version has: it creates roles.
type roleCommand struct {
	file   string
	clause *kingpin.CmdClause
}

// Initialize adds the command.
func (c *roleCommand) Initialize(app *kingpin.Application, _ *service.Config) {
	c.clause = app.Command("role", "Create or replace the roles in a file of YAML documents")
	c.clause.Arg("file", "The file").Required().StringVar(&c.file)
}

// TryRun runs the command if it was selected.
func (c *roleCommand) TryRun(selected string, client auth.ClientI) (bool, error) {
	if selected != c.clause.FullCommand() {
		return false, nil
	}
	content, err := os.ReadFile(c.file)
	if err != nil {
		return true, trace.Wrap(err)
	}
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		var raw services.UnknownResource
		if err := documents.Decode(&raw); errors.Is(err, io.EOF) {
			return true, nil
		} else if err != nil {
			return true, trace.Wrap(err)
		}
		role, err := services.GetRoleMarshaler().UnmarshalRole(raw.Raw)
		if err != nil {
			return true, trace.Wrap(err)
		}
		if err := client.UpsertRole(context.Background(), role); err != nil {
			return true, trace.Wrap(err)
		}
	}
}
