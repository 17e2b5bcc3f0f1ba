// Command upgrade-fixture lets a bundle of the plugin play through a scene and keeps what it leaves behind, for the tests of the
// versions to come:
//
//	BUNDLE=path/to/earlier/bundle.tar.gz go run ./cmd/upgrade-fixture suite/testdata/upgrade-1.2.3.json
//
// It runs at the commit that the bundle was built from, or one that has the same settings.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/upgrade"
)

const (
	// patience bounds the whole.
	patience = 5 * time.Minute
	// lasts is how long credentials and requests are good: the double's authorities last ten years.
	lasts = 9*365*24*time.Hour + 300*24*time.Hour
)

func main() {
	double.Become()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "Say which file to write.")
		os.Exit(2)
	}
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// scene is what is played in.
type scene struct {
	ctx       context.Context
	set       *stage.Stage
	teleport  *double.Double
	requester *teleport.Client
	channel   *model.Channel
	fixture   *upgrade.Fixture
}

func run(ctx context.Context, path string) error {
	dir, err := os.MkdirTemp("", "upgrade-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	set, err := stage.Set(ctx, func(format string, values ...any) { fmt.Printf(format+"\n", values...) })
	if err != nil {
		return err
	}
	defer set.Close()
	cluster, err := double.New(ctx, double.Options{Cluster: upgrade.Cluster, Dir: dir})
	if err != nil {
		return err
	}
	defer cluster.Close()
	if err := teleport.Populate(ctx, cluster); err != nil {
		return err
	}
	s := &scene{ctx: ctx, set: set, teleport: cluster, fixture: &upgrade.Fixture{Requests: map[string]string{}}}
	if s.requester, err = teleport.Dial(ctx, cluster, teleport.Requester); err != nil {
		return err
	}
	defer s.requester.Close()
	if s.channel, _, err = set.Channel(ctx, "requests"); err != nil {
		return err
	}
	if err := errors.Join(s.configure(), s.play()); err != nil {
		return err
	}
	// What is under way is written down, and nobody leads any more.
	if _, err := set.Mattermost.Admin.Client.DisablePlugin(ctx, set.PluginID); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	if err := errors.Join(s.takeSettings(), s.fixture.TakeRows(ctx, set.Mattermost.DSN()), s.fixture.TakeTeleport(dir)); err != nil {
		return err
	}
	return s.fixture.Write(path)
}

// configure sets the plugin up as an admin of that version could: with pasted credentials, with an address that nobody has
// verified, and with names that are separated by blanks.
func (s *scene) configure() error {
	signed, err := s.teleport.Sign(s.ctx, teleport.PluginUser, lasts)
	if err != nil {
		return err
	}
	// What is saved before the core is there is not sealed.
	if _, err := s.set.WaitForStatus(s.ctx, s.channel.Id, func(status string) bool { return strings.Contains(status, "**Settings**") }); err != nil {
		return err
	}
	settings := stage.Identity(s.teleport.AuthAddress(), signed).With("Recipients", "ops/requests, carol@example.com").
		With("Approvers", "bob\nprod-read = carol bob").With("AskReason", "never").With("UserMapping", "alice = "+teleport.Requester).
		With("AuditRetentionDays", 3660).With("RequestRetentionDays", 3660)
	if err := s.set.Configure(s.ctx, settings); err != nil {
		return err
	}
	if err := s.set.WaitForWatch(s.ctx, s.channel.Id); err != nil {
		return err
	}
	if err := s.waitSealed(); err != nil {
		return err
	}
	status, err := s.set.Status(s.ctx, s.channel.Id)
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(status, "\n")
	s.fixture.Version = strings.TrimPrefix(first, "#### Teleport access requests ")
	return nil
}

// waitSealed waits until the credentials that were pasted are sealed, which happens a moment after they were saved.
func (s *scene) waitSealed() error {
	for {
		content, err := s.set.Mattermost.Config()
		if err != nil || strings.Contains(content, `"sealed:`) {
			return err
		}
		select {
		case <-s.ctx.Done():
			return errors.New("nothing is sealed in the configuration")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// file files a request and waits for its post.
func (s *scene) file(name, role string) (*model.Post, error) {
	id, err := s.requester.File(s.ctx, teleport.Wish{Roles: []string{role}, Reason: "Before the upgrade: " + name})
	if err != nil {
		return nil, err
	}
	s.fixture.Requests[name] = id
	return s.set.WaitForPost(s.ctx, s.channel.Id, id, func(post *model.Post) bool { return len(stage.Buttons(post)) == 2 })
}

// play lets people decide, be refused, and leave requests pending.
func (s *scene) play() error {
	decided, err := s.file("approved", "dba")
	if err != nil {
		return err
	}
	for _, user := range []struct {
		click func(ctx context.Context, post *model.Post, button, reason string) (string, error)
		words string
	}{{s.set.Requester.Decide, "own request"}, {s.set.Approver.Decide, "You approved"}} {
		answer, err := user.click(s.ctx, decided, stage.Approve, "")
		if err != nil {
			return err
		}
		if !strings.Contains(answer, user.words) {
			return fmt.Errorf("want %q, a click is answered with %q", user.words, answer)
		}
	}
	if _, err := s.set.Requester.Command(s.ctx, s.channel.Id, "/teleport notifications off"); err != nil {
		return err
	}
	until := time.Now().Add(lasts).UTC().Truncate(time.Second)
	for name, role := range map[string]string{"pending": "dba", "pending by blanks": "prod-read"} {
		if _, err := s.file(name, role); err != nil {
			return err
		}
		id := s.fixture.Requests[name]
		if err := s.teleport.LetLast(id, until); err != nil {
			return err
		}
		_, err := s.set.WaitForPost(s.ctx, s.channel.Id, id, func(post *model.Post) bool {
			return strings.Contains(stage.Text(post), until.Format("2006-01-02"))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// takeSettings keeps the settings as they stand in the configuration, which has the sealed texts.
func (s *scene) takeSettings() error {
	content, err := s.set.Mattermost.Config()
	if err != nil {
		return err
	}
	var config struct {
		PluginSettings struct{ Plugins map[string]map[string]any }
	}
	if err := json.Unmarshal([]byte(content), &config); err != nil {
		return err
	}
	s.fixture.Settings = config.PluginSettings.Plugins[s.set.PluginID]
	for key, value := range s.fixture.Settings {
		if text, isText := value.(string); isText && strings.EqualFold(key, "identity") && !strings.HasPrefix(text, "sealed:") {
			return fmt.Errorf("the credentials are not sealed in the configuration: %s is %.40q", key, text)
		}
	}
	return nil
}
