// Package endurance tests that the plugin loses and doubles nothing, whatever dies or falls silent around it: the built
// bundle on real Mattermost servers, with Teleport doubles that can be killed.
package endurance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/child"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/postgres"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

const (
	// testTimeout bounds one test.
	testTimeout = 5 * time.Minute
	// soon bounds what takes seconds on an idle machine.
	soon = 90 * time.Second
	// late bounds what takes a round of Mattermost's health check, of the plugin's, or its second look at posts.
	late = 3 * time.Minute
	// credentialsLast is how long the plugin's credentials are good: so long that nothing warns.
	credentialsLast = 365 * 24 * time.Hour
)

// database serves all tests; each stage has a database of its own there.
var database *postgres.Cluster

func TestMain(m *testing.M) {
	double.Become()
	os.Exit(func() int {
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		err := mattermost.ChooseOnOldest(
			TestKillsOfPluginMattermostAndTeleportLoseAndDoubleNothing,
			TestAllPostsOfARequestWithSeveralRecipientsStayTrue,
		)
		if err == nil {
			database, err = postgres.Start(ctx)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer database.Close()
		return m.Run()
	}())
}

// setting makes stages one at a time: the first one makes the template of the database for all.
var setting sync.Mutex

// newStage makes a Mattermost server with the plugin, for one test.
func newStage(t *testing.T) *stage.Stage {
	t.Helper()
	setting.Lock()
	defer setting.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	set, err := stage.SetOn(ctx, database, func(string, ...any) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return set
}

// scene is what one test plays in: a channel of its own, and clients of a cluster.
type scene struct {
	*testing.T
	ctx     context.Context
	set     *stage.Stage
	cluster teleport.Cluster
	// channel is where requests are posted; recipient names it in the settings.
	channel   *model.Channel
	recipient string
	// requester and tctl are users of Teleport; tctl may do everything with access requests.
	requester, tctl *teleport.Client
}

// newScene populates the cluster and makes a channel. The plugin is not connected yet.
func newScene(t *testing.T, set *stage.Stage, cluster teleport.Cluster) *scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	s := &scene{T: t, ctx: ctx, set: set, cluster: cluster}
	s.must(teleport.Populate(ctx, cluster))
	var err error
	s.channel, s.recipient, err = set.Channel(ctx, "requests-"+strings.ToLower(model.NewId()[:8]))
	s.must(err)
	s.requester, s.tctl = s.dial(teleport.Requester), s.dial(teleport.Admin)
	t.Cleanup(s.explain)
	return s
}

// explain says how things stand where the test failed.
func (s *scene) explain() {
	if !s.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	status, err := s.set.Status(ctx, s.channel.Id)
	s.Logf("the status in the end (%v):\n%s", err, status)
	log := ""
	for line := range strings.Lines(child.Tail(s.set.Mattermost.LogPath(), 1<<20)) {
		if strings.Contains(line, `"plugin_id":"`+s.set.PluginID) && !strings.Contains(line, `"level":"debug"`) {
			log += line
		}
	}
	s.Logf("the plugin's log:\n%s", log[max(0, len(log)-8000):])
}

// newDouble makes a double in this process.
func newDouble(t *testing.T, options double.Options) *double.Double {
	t.Helper()
	cluster, err := double.New(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// newDoubleProcess makes a double in a process of its own, with its state on disk.
func newDoubleProcess(t *testing.T, options double.Options) *double.Process {
	t.Helper()
	cluster, err := double.StartProcess(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
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

// settings are good ones: the proxy, an identity file, the channel, the approver; a click decides.
func (s *scene) settings() stage.Settings {
	s.Helper()
	signed, err := s.cluster.Sign(s.ctx, teleport.PluginUser, credentialsLast)
	s.must(err)
	return stage.Identity(s.cluster.ProxyAddress(), signed).With("Recipients", s.recipient).
		With("Approvers", "* = "+s.set.Approver.Username).With("AskReason", "never")
}

// connect configures the plugin and waits until it watches this cluster.
func (s *scene) connect(settings stage.Settings) {
	s.Helper()
	s.must(s.set.Configure(s.ctx, settings))
	// What is pasted without the settings page is saved once more, sealed.
	s.eventually(soon, "what was pasted is sealed", s.holdsNoKey)
	s.eventually(soon, "the plugin watches", s.watches)
}

// holdsNoKey fails while a pasted key stands in the server's configuration.
func (s *scene) holdsNoKey() error {
	content, err := s.set.Mattermost.Config()
	if err == nil && strings.Contains(content, "PRIVATE KEY") {
		err = errors.New("the configuration holds a private key")
	}
	return err
}

// watches fails unless the plugin watches this cluster.
func (s *scene) watches() error {
	status, err := s.set.Status(s.ctx, s.channel.Id)
	if err != nil {
		return err
	}
	if !strings.Contains(stage.Line(status, "Teleport"), "`"+s.cluster.Name()+"`") || !watchStands(status) {
		return fmt.Errorf("the status is:\n%s", status)
	}
	return nil
}

func watchStands(status string) bool {
	return strings.Contains(stage.Line(status, "Watch"), "✅ **Watch**: running")
}

// statusSays waits until a part of the status holds the words.
func (s *scene) statusSays(within time.Duration, part string, words ...string) string {
	s.Helper()
	found := ""
	s.eventually(within, fmt.Sprintf("the status says %q about %s", words, part), func() error {
		status, err := s.set.Status(s.ctx, s.channel.Id)
		if err != nil {
			return err
		}
		found = strings.TrimSpace(stage.Line(status, part))
		return holds(found, words...)
	})
	return found
}

// holds fails where a text lacks any of the words.
func holds(text string, words ...string) error {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return fmt.Errorf("want %q in:\n%s", word, text)
		}
	}
	return nil
}

// eventually asks until there is no error, and ends the test where that takes too long.
func (s *scene) eventually(within time.Duration, what string, ask func() error) {
	s.Helper()
	begin := time.Now()
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Since(begin) > within || s.ctx.Err() != nil {
			s.Fatalf("%s: not within %s: %v", what, time.Since(begin).Round(time.Second), err)
		}
		select {
		case <-s.ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// file files a request and answers its id.
func (s *scene) file(wish teleport.Wish) string {
	s.Helper()
	if wish.Roles == nil {
		wish.Roles = []string{teleport.RequestedRole}
	}
	id, err := s.requester.File(s.ctx, wish)
	s.must(err)
	return id
}

// pending waits until the request has one post, with two buttons.
func (s *scene) pending(id string) *model.Post {
	s.Helper()
	return s.shows(s.channel.Id, id, isOpen)
}

// settled waits until the request has one post, without buttons and with the words.
func (s *scene) settled(id string, words ...string) *model.Post {
	s.Helper()
	return s.shows(s.channel.Id, id, isClosed, words...)
}

// What the buttons of a post let people do: approve and deny, or nothing.
const (
	isOpen   = true
	isClosed = false
)

// offers tells whether a post has the buttons that it should have.
func offers(post *model.Post, decidable bool) bool {
	if decidable {
		return stage.IsDecidable(post)
	}
	return len(stage.Buttons(post)) == 0
}

// shows waits until a request has one post in a channel, with buttons or without, and these words.
func (s *scene) shows(channelID, id string, decidable bool, words ...string) *model.Post {
	s.Helper()
	var post *model.Post
	s.eventually(soon, fmt.Sprintf("one post of request %s, decidable: %t", id, decidable), func() error {
		posts, err := s.set.PostsOf(s.ctx, channelID, id)
		if err != nil {
			return err
		}
		if len(posts) != 1 {
			return fmt.Errorf("there are %d posts", len(posts))
		}
		post = posts[0]
		if !offers(post, decidable) {
			return fmt.Errorf("it has the buttons %v:\n%s", stage.Buttons(post), stage.Text(post))
		}
		return holds(stage.Text(post), words...)
	})
	return post
}

// none fails the test where a request has a post.
func (s *scene) none(id string) {
	s.Helper()
	posts, err := s.set.PostsOf(s.ctx, s.channel.Id, id)
	s.must(err)
	if len(posts) != 0 {
		s.Errorf("request %s has %d posts already", id, len(posts))
	}
}

// replies are the messages in a post's thread, oldest first.
func (s *scene) replies(root *model.Post) []string {
	s.Helper()
	posts, err := s.set.Mattermost.Posts(s.ctx, root.ChannelId)
	s.must(err)
	var messages []string
	for _, post := range posts {
		if post.RootId == root.Id {
			messages = append(messages, stage.Text(post))
		}
	}
	return messages
}

// tells waits until a post's thread has as many replies as are given words for, in this order.
func (s *scene) tells(root *model.Post, replies ...[]string) {
	s.Helper()
	s.eventually(soon, "the thread's replies", func() error {
		found := s.replies(root)
		if len(found) != len(replies) {
			return fmt.Errorf("there are %d, want %d: %q", len(found), len(replies), found)
		}
		for index, words := range replies {
			if err := holds(found[index], words...); err != nil {
				return err
			}
		}
		return nil
	})
}
