// Command demo shows the plugin at work, on servers of its own: Mattermost with the bundle, and Teleport (the double; with
// TELEPORT=real a real one). It files an access request, shows the post, approves it as somebody who may, and shows
// what Teleport says then. Afterwards it stays up until Ctrl-C; with DEMO=once it ends, and fails where any step failed.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/real"
)

// patience bounds each demo up to its end.
const patience = 5 * time.Minute

// credentialsLast is how long the plugin's credentials are good.
const credentialsLast = 365 * 24 * time.Hour

func main() {
	interrupted, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(interrupted); err != nil {
		fmt.Fprintf(os.Stderr, "\nThe demo failed: %v\n", err)
		os.Exit(1)
	}
}

// narrator numbers the steps.
type narrator struct {
	begin time.Time
	steps int
}

func (n *narrator) step(format string, values ...any) {
	n.steps++
	fmt.Printf("\n%2d. %s  (%.1f s)\n", n.steps, fmt.Sprintf(format, values...), time.Since(n.begin).Seconds())
}

// show prints a text indented, below its step.
func show(text string) {
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		fmt.Print("      ", line)
	}
}

func run(interrupted context.Context) error {
	ctx, cancel := context.WithTimeout(interrupted, patience)
	defer cancel()
	tell := &narrator{begin: time.Now()}
	set, err := stage.Set(ctx, tell.step)
	if err != nil {
		return err
	}
	defer set.Close()
	cluster, err := startTeleport(ctx, tell)
	if err != nil {
		return err
	}
	defer cluster.Close()
	channel, err := connect(ctx, tell, set, cluster)
	if err != nil {
		return err
	}
	if err := decide(ctx, tell, set, cluster, channel); err != nil {
		return err
	}
	if os.Getenv("DEMO") == "once" {
		fmt.Printf("\nAll of it worked, in %.1f s.\n", time.Since(tell.begin).Seconds())
		return nil
	}
	explain(set, cluster, channel)
	err = fileMore(interrupted, cluster)
	fmt.Println("\nEnding all servers.")
	return err
}

func startTeleport(ctx context.Context, tell *narrator) (teleport.Cluster, error) {
	var cluster teleport.Cluster
	var err error
	switch kind := os.Getenv("TELEPORT"); kind {
	case "", "double":
		tell.step("Starting the Teleport double (TELEPORT=real takes a real Teleport)")
		cluster, err = double.New(ctx, double.Options{})
	case "real":
		tell.step("Starting a real Teleport")
		cluster, err = real.Start(ctx)
	default:
		return nil, fmt.Errorf("TELEPORT is %q, it can be double or real", kind)
	}
	if err != nil {
		return nil, err
	}
	tell.step("Making the plugin's role and user in Teleport, and people who ask for access")
	show(teleport.PluginResources)
	if err := teleport.Populate(ctx, cluster); err != nil {
		cluster.Close()
		return nil, err
	}
	return cluster, nil
}

func connect(ctx context.Context, tell *narrator, set *stage.Stage, cluster teleport.Cluster) (*model.Channel, error) {
	tell.step("Signing the plugin's credentials: tctl auth sign --user=%s --format=file --ttl=%s", teleport.PluginUser, credentialsLast)
	signed, err := cluster.Sign(ctx, teleport.PluginUser, credentialsLast)
	if err != nil {
		return nil, err
	}
	channel, recipient, err := set.Channel(ctx, "access-requests")
	if err != nil {
		return nil, err
	}
	tell.step("Configuring the plugin: Teleport at %s, requests go to %s, %s may decide", cluster.ProxyAddress(), recipient, set.Approver.Username)
	settings := stage.Identity(cluster.ProxyAddress(), signed).With("Recipients", recipient).With("Approvers", "* = "+set.Approver.Username)
	if err := set.Configure(ctx, settings); err != nil {
		return nil, err
	}
	if err := set.WaitForWatch(ctx, channel.Id); err != nil {
		return nil, err
	}
	status, err := set.Status(ctx, channel.Id)
	show("/teleport status\n\n" + status)
	return channel, err
}

func decide(ctx context.Context, tell *narrator, set *stage.Stage, cluster teleport.Cluster, channel *model.Channel) error {
	requester, err := teleport.Dial(ctx, cluster, teleport.Requester)
	if err != nil {
		return err
	}
	defer requester.Close()
	tell.step("Filing an access request as %s for the role %s", teleport.Requester, teleport.RequestedRole)
	begin := time.Now()
	id, err := requester.File(ctx, teleport.Wish{Roles: []string{teleport.RequestedRole}, Reason: "Replica lag on orders-db, need to look at locks"})
	if err != nil {
		return err
	}
	post, err := set.WaitForPost(ctx, channel.Id, id, stage.IsDecidable)
	if err != nil {
		return err
	}
	tell.step("The post in %s, seen %d ms after the request was filed", channel.Name, time.Since(begin).Milliseconds())
	show(stage.Text(post))

	tell.step("%s, who may not decide, clicks %s", set.Bystander.Username, stage.Approve)
	answer, err := set.Bystander.Decide(ctx, post, stage.Approve, "")
	if err != nil {
		return err
	}
	show(answer)
	if request, err := requester.Get(ctx, id); err != nil || request == nil || !request.GetState().IsPending() {
		return fmt.Errorf("the request is not pending any more after a click of somebody who may not decide: %v %w", request, err)
	}

	tell.step("%s, who may, clicks %s", set.Approver.Username, stage.Approve)
	if answer, err = set.Approver.Decide(ctx, post, stage.Approve, "Go ahead"); err != nil {
		return err
	}
	show(answer)
	tell.step("What Teleport says now")
	request, err := requester.Get(ctx, id)
	if err != nil {
		return err
	}
	events, err := cluster.Audit(ctx, id)
	if err != nil {
		return err
	}
	updates := teleport.Updates(events)
	if request == nil || !request.GetState().IsApproved() || len(updates) != 1 {
		return fmt.Errorf("the request is %v, with %d decisions in the audit log: want APPROVED with one", request, len(updates))
	}
	show(fmt.Sprintf("request    %s\nstate      %s\nupdated by %s\ndelegator  %s", id, request.GetState(), updates[0].UpdatedBy, updates[0].Delegator))
	if want := "mattermost:" + set.Approver.Email; updates[0].Delegator != want {
		return fmt.Errorf("the delegator is %q, want %q", updates[0].Delegator, want)
	}
	post, err = set.WaitForPost(ctx, channel.Id, id, func(post *model.Post) bool { return len(stage.Buttons(post)) == 0 })
	if err != nil {
		return err
	}
	tell.step("The post now")
	show(stage.Text(post))
	return nil
}

// explain says how to go on by hand.
func explain(set *stage.Stage, cluster teleport.Cluster, channel *model.Channel) {
	admin := set.Mattermost.Admin
	fmt.Printf(`
Everything stays up until Ctrl-C.

  Mattermost   %s
               This server is built from Mattermost's Go module, which has the whole REST API, websocket and plugins, but not
               the web app: a browser gets an error at /. The API is all there, see below.
  People       %s (system admin), %s (may decide), %s (may not), %s (asks): the password is %s
  Channel      %s/%s
  Teleport     %s, cluster %s, version %s: auth server %s, proxy %s

The posts as JSON:

  token=$(curl -si %s/api/v4/users/login -d '{"login_id":"%s","password":"%s"}' | tr -d '\r' | sed -n 's/^Token: //p')
  curl -s -H "Authorization: Bearer $token" %s/api/v4/channels/%s/posts

Press Enter to file another access request.
`, set.Mattermost.URL, admin.Username, set.Approver.Username, set.Bystander.Username, set.Requester.Username, mattermost.Password,
		set.Team.Name, channel.Name, cluster.Kind(), cluster.Name(), cluster.Version(), cluster.AuthAddress(), cluster.ProxyAddress(),
		set.Mattermost.URL, admin.Username, mattermost.Password, set.Mattermost.URL, channel.Id)
}

// fileMore files an access request for each line of the standard input, until the demo is interrupted.
func fileMore(interrupted context.Context, cluster teleport.Cluster) error {
	requester, err := teleport.Dial(interrupted, cluster, teleport.Requester)
	if err != nil {
		return err
	}
	defer requester.Close()
	lines := make(chan struct{})
	go func() {
		for input := bufio.NewScanner(os.Stdin); input.Scan(); {
			lines <- struct{}{}
		}
	}()
	for {
		select {
		case <-interrupted.Done():
			return nil
		case <-lines:
			id, err := requester.File(interrupted, teleport.Wish{Roles: []string{teleport.RequestedRole}, Reason: "One more"})
			if err != nil {
				return err
			}
			fmt.Println("Filed", id)
		}
	}
}
