// Package suite tests the plugin's bundle as people meet it: uploaded to a real Mattermost server, connected to a
// Teleport cluster, used over REST and websocket. Most tests run twice: with the Teleport double, and with a real
// Teleport.
package suite

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/real"
)

const (
	// startTimeout bounds the start of all servers.
	startTimeout = 5 * time.Minute
	// testTimeout bounds one test.
	testTimeout = 3 * time.Minute
	// credentialsLast is how long the plugin's credentials are good: so long that nothing warns.
	credentialsLast = 365 * 24 * time.Hour
)

var (
	// set has the Mattermost server that all tests share.
	set *stage.Stage
	// fast is the double and slow the real cluster that tests share.
	fast *double.Double
	slow *real.Server
	// modern is an Enterprise double that takes reviews on behalf of others; made when a test asks for it.
	modern *double.Double
	// channels counts the channels that were made.
	channels int
)

func TestMain(m *testing.M) {
	double.Become()
	os.Exit(func() int {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		err := chooseOnOldest()
		if err == nil {
			err = startAll(ctx)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			stopAll()
			return 1
		}
		defer stopAll()
		return m.Run()
	}())
}

func progress(format string, values ...any) {
	fmt.Printf("    progress: "+format+"\n", values...)
}

func startAll(ctx context.Context) (err error) {
	if set, err = stage.Set(ctx, progress); err != nil {
		return err
	}
	progress("Starting a real Teleport")
	if slow, err = real.Start(ctx); err != nil {
		return err
	}
	// Another name than the real one's, so that the plugin takes them for two clusters.
	if fast, err = double.New(ctx, double.Options{Cluster: "double.example"}); err != nil {
		return err
	}
	for _, cluster := range []teleport.Cluster{fast, slow} {
		if err := teleport.Populate(ctx, cluster); err != nil {
			return err
		}
	}
	return nil
}

func stopAll() {
	if set != nil {
		set.Close()
	}
	if slow != nil {
		slow.Close()
	}
	if fast != nil {
		fast.Close()
	}
	if modern != nil {
		modern.Close()
	}
}

// scene is what one test plays in: a channel of its own, and clients of a cluster that has no requests yet.
type scene struct {
	*testing.T
	ctx     context.Context
	cluster teleport.Cluster
	// channel is where requests are posted; recipient names it in the settings.
	channel   *model.Channel
	recipient string
	// requester and admin are users of Teleport.
	requester, admin *teleport.Client
	// signed are the plugin's credentials.
	signed *teleport.Credentials
}

// onBoth runs a test with the double and with a real Teleport. On the oldest Mattermost the double is enough: the two are
// compared on the newest.
func onBoth(t *testing.T, test func(s *scene)) {
	if mattermost.OnOldest() {
		onDouble(t, test)
		return
	}
	for _, cluster := range []teleport.Cluster{fast, slow} {
		t.Run(cluster.Kind(), func(t *testing.T) { test(newScene(t, cluster)) })
	}
}

// onDouble runs a test with the double that all tests share.
func onDouble(t *testing.T, test func(s *scene)) { test(newScene(t, fast)) }

// onModern runs a test with the double of the newest Enterprise, where only the people of people.yaml and what the test adds
// have any rights.
func onModern(t *testing.T, resources string, test func(s *scene)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if modern == nil {
		made, err := double.New(ctx, double.Options{Cluster: "modern.example", Version: "18.11.0", Enterprise: true})
		if err != nil {
			t.Fatal(err)
		}
		modern = made
	}
	// What another test has changed is set back.
	if err := teleport.Populate(ctx, modern); err != nil {
		t.Fatal(err)
	}
	if err := modern.CreateResources(ctx, resources); err != nil {
		t.Fatal(err)
	}
	test(newScene(t, modern))
}

// newScene makes a scene on the cluster. The plugin is not connected to it yet.
func newScene(t *testing.T, cluster teleport.Cluster) *scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	s := &scene{T: t, ctx: ctx, cluster: cluster}
	channels++
	var err error
	s.channel, s.recipient, err = set.Channel(ctx, fmt.Sprintf("requests-%d", channels))
	s.must(err)
	s.requester, s.admin = s.dial(teleport.Requester), s.dial(teleport.Admin)
	// Requests that another test left would be posted here.
	s.removeAll()
	t.Cleanup(func() {
		if t.Failed() && ctx.Err() == nil {
			if status, err := set.Status(ctx, s.channel.Id); err == nil {
				t.Logf("the status in the end:\n%s", status)
			}
		}
	})
	s.signed, err = cluster.Sign(ctx, teleport.PluginUser, credentialsLast)
	s.must(err)
	return s
}

// must ends the test where there is an error.
func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) dial(user string) *teleport.Client {
	s.Helper()
	client, err := teleport.Dial(s.ctx, s.cluster, user)
	s.must(err)
	s.Cleanup(client.Close)
	return client
}

// removeAll removes all requests from the cluster.
func (s *scene) removeAll() {
	s.Helper()
	requests, err := s.admin.List(s.ctx)
	s.must(err)
	for _, request := range requests {
		s.must(s.admin.Delete(s.ctx, request.GetName()))
	}
}

// settings are good ones for this scene: the auth server, the three files, the channel, the approver.
func (s *scene) settings() stage.Settings {
	return stage.Triple(s.cluster.AuthAddress(), s.signed).With("Recipients", s.recipient).With("Approvers", "* = "+set.Approver.Username)
}

// connect configures the plugin and waits until it watches.
func (s *scene) connect(settings stage.Settings) {
	s.Helper()
	s.must(set.Configure(s.ctx, settings))
	s.must(set.WaitForWatch(s.ctx, s.channel.Id))
	// The watch may be the one of the settings before: what counts is this cluster at this address.
	address, _ := settings["TeleportAddress"].(string)
	_, err := set.WaitForStatus(s.ctx, s.channel.Id, func(status string) bool {
		here := strings.Contains(stage.Line(status, "Teleport"), address) && strings.Contains(stage.Line(status, "Teleport"), "`"+s.cluster.Name()+"`")
		return here && strings.Contains(stage.Line(status, "Watch"), "✅")
	})
	s.must(err)
}

// file files a request as the requester and answers its id.
func (s *scene) file(reason string) string {
	s.Helper()
	id, err := s.requester.File(s.ctx, teleport.Wish{Roles: []string{teleport.RequestedRole}, Reason: reason})
	s.must(err)
	return id
}

// post waits for the request's post with its buttons.
func (s *scene) post(id string) *model.Post {
	s.Helper()
	post, err := set.WaitForPost(s.ctx, s.channel.Id, id, stage.IsDecidable)
	s.must(err)
	return post
}

// settled waits for the request's post to lose its buttons and to hold the words.
func (s *scene) settled(id string, words ...string) *model.Post {
	s.Helper()
	post, err := set.WaitForPost(s.ctx, s.channel.Id, id, func(post *model.Post) bool {
		for _, word := range words {
			if !strings.Contains(stage.Text(post), word) {
				return false
			}
		}
		return len(stage.Buttons(post)) == 0
	})
	s.must(err)
	return post
}

// state is the request's state in Teleport.
func (s *scene) state(id string) types.RequestState {
	s.Helper()
	request, err := s.admin.Get(s.ctx, id)
	s.must(err)
	if request == nil {
		s.Fatalf("Teleport has no request %s any more", id)
	}
	return request.GetState()
}

// decisions are the audit events of decisions about the request.
func (s *scene) decisions(id string) []teleport.AuditEvent {
	s.Helper()
	events, err := s.cluster.Audit(s.ctx, id)
	s.must(err)
	return teleport.Updates(events)
}

// untouched fails the test where the request is not pending, was ever decided, or its post has no buttons.
func (s *scene) untouched(id string) {
	s.Helper()
	if state := s.state(id); !state.IsPending() {
		s.Errorf("the request is %s, want PENDING", state)
	}
	if decisions := s.decisions(id); len(decisions) != 0 {
		s.Errorf("Teleport's audit log has decisions: %+v", decisions)
	}
	posts, err := set.PostsOf(s.ctx, s.channel.Id, id)
	s.must(err)
	if len(posts) != 1 || !stage.IsDecidable(posts[0]) {
		s.Errorf("the post has changed: %d posts", len(posts))
	}
}

// holds fails the test where a text lacks any of the words; case does not count.
func (s *scene) holds(text string, words ...string) {
	s.Helper()
	for _, word := range words {
		if !strings.Contains(strings.ToLower(text), strings.ToLower(word)) {
			s.Errorf("want %q in: %s", word, text)
		}
	}
}
