// Command settings-page sets up what the browser tests of the settings page play on: Mattermost with the bundle behind an
// origin with pages (see package origin), Teleport clusters, and servers that are no Teleport. Then it runs the command that it is given,
// which finds all of that as JSON in the file that the environment's STAGE names. Without a command it stays up until Ctrl-C,
// for trying the page by hand.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/browser/origin"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/repository"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/real"
)

const (
	// startTimeout bounds the start of all servers.
	startTimeout = 5 * time.Minute
	// credentialsLast is how long the plugin's credentials are good: so long that nothing warns.
	credentialsLast = 365 * 24 * time.Hour
)

func main() {
	interrupted, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(interrupted, os.Args[1:]); err != nil {
		stop()
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
}

func say(format string, values ...any) { fmt.Printf("    progress: "+format+"\n", values...) }

func run(interrupted context.Context, command []string) error {
	ctx, cancel := context.WithTimeout(interrupted, startTimeout)
	defer cancel()
	set, err := stage.Set(ctx, say)
	if err != nil {
		return err
	}
	defer set.Close()
	_, recipient, err := set.Channel(ctx, "access-requests")
	if err != nil {
		return err
	}

	say("Starting a real Teleport")
	slow, err := real.Start(ctx)
	if err != nil {
		return err
	}
	defer slow.Close()
	fast, err := double.New(ctx, double.Options{Cluster: "double.example"})
	if err != nil {
		return err
	}
	defer fast.Close()
	// Another cluster of the same name: its certificates look right and are not.
	foreign, err := double.New(ctx, double.Options{Cluster: fast.Name()})
	if err != nil {
		return err
	}
	defer foreign.Close()
	found := facts{
		Admin:    person{Username: set.Mattermost.Admin.Username, Password: set.Mattermost.Admin.Password},
		Approver: set.Approver.Username, PluginID: set.PluginID, Recipient: recipient, Config: set.Mattermost.ConfigPath(), Clusters: map[string]*cluster{},
	}
	for name, of := range map[string]teleport.Cluster{"double": fast, "real": slow, "foreign": foreign} {
		if found.Clusters[name], err = describe(ctx, of); err != nil {
			return err
		}
	}
	expired, err := fast.Sign(ctx, teleport.PluginUser, -time.Hour)
	if err != nil {
		return err
	}
	found.Clusters["double"].Expired = expired
	dir, err := os.MkdirTemp("", "settings-page-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, cluster := range found.Clusters {
		if err := cluster.write(filepath.Join(dir, name)); err != nil {
			return err
		}
	}

	others, err := startOthers()
	if err != nil {
		return err
	}
	defer others.Close()
	found.Others = others.addresses

	root, err := repository.Root()
	if err != nil {
		return err
	}
	pages, err := origin.Serve(set.Mattermost.URL, filepath.Join(root, "build", "console"))
	if err != nil {
		return err
	}
	defer pages.Close()
	// Mattermost is where its browsers find it.
	if err := set.Mattermost.SetSiteURL(ctx, pages.URL); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	record := &http.Server{Handler: pages.Record, ReadHeaderTimeout: time.Minute}
	defer record.Close()
	go func() { _ = record.Serve(listener) }()
	found.URL, found.Record = pages.URL, "http://"+listener.Addr().String()

	if len(command) == 0 {
		stay(interrupted, &found)
		return nil
	}
	return play(interrupted, &found, command)
}

// play runs the command with the facts in a file.
func play(ctx context.Context, found *facts, command []string) error {
	content, err := json.Marshal(found)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp("", "stage-*.json")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err = file.Write(content); err != nil {
		return err
	}
	if err = file.Close(); err != nil {
		return err
	}
	child := exec.CommandContext(ctx, command[0], command[1:]...)
	child.Env = append(os.Environ(), "STAGE="+file.Name())
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = 10 * time.Second
	return child.Run()
}

// stay says how to get in, and waits to be ended.
func stay(interrupted context.Context, found *facts) {
	for name, of := range found.Clusters {
		fmt.Printf("%-8s  auth server %s, proxy %s, credentials in %s\n", name, of.Auth, of.Proxy, of.Files["plugin"])
	}
	for name, address := range found.Others {
		fmt.Printf("%-8s  %s\n", name, address)
	}
	fmt.Printf("\nRecipient: %s\n", found.Recipient)
	fmt.Printf("Settings:  %s/admin_console/plugins/plugin_%s?react=18 (or react=19, and theme=dark)\n", found.URL, found.PluginID)
	fmt.Printf("Sign in as %s with %s. Ctrl-C ends everything.\n", found.Admin.Username, found.Admin.Password)
	<-interrupted.Done()
}
