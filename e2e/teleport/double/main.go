package double

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// places are where a double in a process of its own serves.
type places struct {
	Cluster string `json:"cluster"`
	Version string `json:"version"`
	Auth    string `json:"auth"`
	Proxy   string `json:"proxy"`
	Control string `json:"control"`
}

// Main serves a double until it is told to end (SIGINT, SIGTERM), as the command line says. It writes "READY" with the
// addresses as JSON once it serves.
func Main(ctx context.Context, args []string, out io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	flags := flag.NewFlagSet("teleport-double", flag.ContinueOnError)
	flags.SetOutput(out)
	var options Options
	flags.StringVar(&options.Dir, "dir", "", "folder for the state, so that it survives; empty: memory")
	flags.StringVar(&options.Cluster, "cluster", "", "name of the cluster (default tp.example)")
	flags.StringVar(&options.Version, "version", "", "Teleport version to be (default 18.0.0)")
	flags.BoolVar(&options.Enterprise, "enterprise", false, "have reviews and thresholds")
	flags.BoolVar(&options.AdminMFA, "admin-mfa", false, "let deciding take multi-factor authentication, except for users of Machine ID")
	flags.StringVar(&options.AuthAddress, "auth", "", "host:port of the auth server (default a free port on loopback)")
	flags.StringVar(&options.ProxyAddress, "proxy", "", "host:port of the proxy (default a free port on loopback)")
	control := flags.String("control", "127.0.0.1:0", "host:port of the remote control")
	resources := flags.String("resources", "", "file with roles and users in Teleport's YAML")
	populate := flags.Bool("populate", false, "make the plugin's role and user, and some people")
	users := flags.String("sign", "", "users to sign credentials for, separated by commas; written to <dir>/<user>/")
	verbose := flags.Bool("verbose", false, "say what happens")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *verbose {
		options.Log = out
	}
	d, err := New(ctx, options)
	if err != nil {
		return err
	}
	defer d.Close()
	if *populate {
		if err := teleport.Populate(ctx, d); err != nil {
			return err
		}
	}
	if *resources != "" {
		text, err := os.ReadFile(*resources)
		if err != nil {
			return err
		}
		if err := d.CreateResources(ctx, string(text)); err != nil {
			return err
		}
	}
	if *users != "" {
		if err := d.signFor(ctx, strings.Split(*users, ",")); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", *control)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: d.Control(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	ready, err := json.Marshal(places{d.Name(), d.Version(), d.AuthAddress(), d.ProxyAddress(), listener.Addr().String()})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "READY %s\n", ready)
	<-ctx.Done()
	return nil
}

// signFor writes credentials for users into the double's folder.
func (d *Double) signFor(ctx context.Context, users []string) error {
	if d.options.Dir == "" {
		return fmt.Errorf("-sign needs -dir, where the files go")
	}
	for _, user := range users {
		signed, err := d.Sign(ctx, user, 0)
		if err != nil {
			return err
		}
		dir := filepath.Join(d.options.Dir, user)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := signed.Write(dir); err != nil {
			return err
		}
	}
	return nil
}
