package endurance

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

// shortCredentials is how long credentials last whose end a test waits for.
const shortCredentials = 20 * time.Second

// noWatch fails while the plugin watches.
func (s *scene) noWatch() error {
	status, err := s.set.Status(s.ctx, s.channel.Id)
	if err != nil {
		return err
	}
	if watchStands(status) {
		return errors.New("the plugin still watches")
	}
	return nil
}

func TestATeleportThatComesBackAtTheSameAddressIsFoundAgain(t *testing.T) {
	t.Parallel()
	cluster := newDoubleProcess(t, double.Options{})
	s := newScene(t, newStage(t), cluster)
	s.connect(s.settings())
	before := s.file(teleport.Wish{})
	s.pending(before)
	for name, end := range map[string]func(){"stopped": cluster.Stop, "killed": cluster.Kill} {
		end()
		s.eventually(soon, "the plugin notices that Teleport is "+name, s.noWatch)
		s.must(cluster.Start(s.ctx))
		during := s.file(teleport.Wish{Reason: "as soon as it was back, after being " + name})
		s.pending(during)
		s.eventually(soon, "the plugin watches", s.watches)
	}
	answer, err := s.set.Approver.Decide(s.ctx, s.pending(before), stage.Approve, "")
	s.must(err)
	s.must(holds(answer, "You approved"))
	s.settled(before, "✅ Approved by `@bob`")
}

// A machine that went away without a word: the connection stands, and nothing comes.
func TestATeleportThatFallsSilentIsNoticed(t *testing.T) {
	t.Parallel()
	cluster := newDouble(t, double.Options{})
	s := newScene(t, newStage(t), cluster)
	s.connect(s.settings())
	id := s.file(teleport.Wish{})
	post := s.pending(id)
	cluster.Faults.Freeze(true)
	// A click gets its answer even so.
	answer, err := s.set.Approver.Decide(s.ctx, post, stage.Approve, "")
	s.must(err)
	s.Log("the clicker reads: ", answer)
	s.must(holds(answer, "no connection to Teleport"))
	s.eventually(late, "the plugin notices", s.noWatch)
	status, err := s.set.Status(s.ctx, s.channel.Id)
	s.must(err)
	s.Log(stage.Line(status, "Teleport"), stage.Line(status, "Watch"))
	cluster.Faults.Freeze(false)
	s.eventually(soon, "the plugin watches", s.watches)
	s.pending(s.file(teleport.Wish{}))
	// The answer was true.
	request, err := s.tctl.Get(s.ctx, id)
	s.must(err)
	if !request.GetState().IsPending() {
		s.Errorf("the request is %s, though the clicker was told that nothing was changed", request.GetState())
	}
	s.pending(id)
}

func TestCredentialsThatAreRenewedOnDiskAreTakenUpWithoutARestart(t *testing.T) {
	t.Parallel()
	cluster := newDouble(t, double.Options{})
	s := newScene(t, newStage(t), cluster)
	// The plugin has the server's rights, so a folder of the server's own is as good as any.
	path := filepath.Join(t.TempDir(), "identity")
	write := func(lasts time.Duration) time.Time {
		signed, err := cluster.Sign(s.ctx, teleport.PluginUser, lasts)
		s.must(err)
		// As Machine ID does: a new file in the place of the old one.
		s.must(os.WriteFile(path+".new", []byte(signed.Identity), 0o600))
		s.must(os.Rename(path+".new", path))
		certificate, err := teleport.ParseCertificate(signed.Certificate)
		s.must(err)
		return certificate.NotAfter
	}
	// Long enough that the plugin looks at the file before they expire: it does so twice a minute.
	expires := write(45 * time.Second)
	s.connect(s.settings().With("Identity", path))
	processes, err := s.set.Mattermost.PluginProcesses(s.set.PluginID)
	s.must(err)
	s.statusSays(soon, "Credentials", "✅", expires.UTC().Format("2006-01-02 15:04"))
	id := s.file(teleport.Wish{})
	s.pending(id)
	renewed := write(credentialsLast)
	s.statusSays(soon, "Credentials", "✅", renewed.UTC().Format("2006-01-02 15:04"))
	s.eventually(soon, "the old ones have expired, and the plugin watches", func() error {
		if time.Now().Before(expires) {
			return errors.New("they have not expired yet")
		}
		return s.watches()
	})
	// New connections are made with the new ones.
	cluster.Cut()
	s.requester = s.dial(teleport.Requester)
	s.pending(s.file(teleport.Wish{}))
	s.eventually(soon, "the plugin watches", s.watches)
	answer, err := s.set.Approver.Decide(s.ctx, s.pending(id), stage.Approve, "")
	s.must(err)
	s.must(holds(answer, "You approved"))
	now, err := s.set.Mattermost.PluginProcesses(s.set.PluginID)
	s.must(err)
	if len(now) != 1 || len(processes) != 1 || now[0] != processes[0] {
		t.Errorf("the plugin's processes were %v and are %v", processes, now)
	}
}

func TestCredentialsThatExpireAreSaidToHaveAndNewOnesHelp(t *testing.T) {
	t.Parallel()
	s := newScene(t, newStage(t), newDouble(t, double.Options{}))
	good := s.settings()
	signed, err := s.cluster.Sign(s.ctx, teleport.PluginUser, shortCredentials)
	s.must(err)
	s.connect(good.With("Identity", signed.Identity))
	id := s.file(teleport.Wish{})
	post := s.pending(id)
	s.Log(s.statusSays(soon, "Credentials", "❌", teleport.PluginUser, "expired", "tctl auth sign"))
	missed := s.file(teleport.Wish{})
	answer, err := s.set.Approver.Decide(s.ctx, post, stage.Approve, "")
	s.must(err)
	s.Log("the clicker reads: ", answer)
	s.must(holds(answer, "no connection to Teleport", "expired"))
	s.none(missed)
	s.connect(good)
	s.pending(missed)
	s.pending(id)
}
