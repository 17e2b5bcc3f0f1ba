package suite

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
)

// stored is a setting as the server's API shows it.
func (s *scene) stored(key string) string {
	s.Helper()
	config, _, err := set.Mattermost.Admin.Client.GetConfig(s.ctx)
	s.must(err)
	for name, value := range config.PluginSettings.Plugins[set.PluginID] {
		if strings.EqualFold(name, key) {
			text, _ := value.(string)
			return text
		}
	}
	return ""
}

// sealed waits until there is something sealed in the server's configuration, and answers the configuration.
func (s *scene) sealed() string {
	s.Helper()
	for {
		content, err := set.Mattermost.Config()
		s.must(err)
		if strings.Contains(content, `"sealed:v2:`) {
			return content
		}
		select {
		case <-s.ctx.Done():
			s.Fatal("nothing is sealed in the configuration")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestWrongSettingsAreNotSavedAndTheAdminReadsWhy(t *testing.T) {
	onDouble(t, func(s *scene) {
		good := s.settings()
		s.connect(good)
		err := set.Configure(s.ctx, good.With("TeleportAddress", "not an address").With("Approvers", "=").With("ClientKey", "hello"))
		var appErr *model.AppError
		if !errors.As(err, &appErr) || appErr.StatusCode != 400 {
			s.Fatalf("saving gave %v", err)
		}
		s.holds(appErr.Message, "TeleportAddress: ", "ClientKey: ")
		if address := s.stored("TeleportAddress"); address != s.cluster.AuthAddress() {
			s.Errorf("the address is %q now", address)
		}
		s.post(s.file("it goes on with what was saved before"))
	})
}

func TestSavingOtherSettingsIsNotHeldUpAndLosesNone(t *testing.T) {
	onDouble(t, func(s *scene) {
		client := set.Mattermost.Admin.Client
		before, _, err := client.GetConfig(s.ctx)
		s.must(err)
		patch := func(creation bool, name string) {
			s.Helper()
			_, _, err := client.PatchConfig(s.ctx, &model.Config{TeamSettings: model.TeamSettings{
				EnableUserCreation: model.NewPointer(creation), SiteName: model.NewPointer(name),
			}})
			s.must(err)
		}
		defer patch(*before.TeamSettings.EnableUserCreation, *before.TeamSettings.SiteName)
		// What differs from the default, and is nothing: it would be lost on the way through a plugin and back.
		patch(false, "Somewhere")
		s.connect(s.settings())
		patch(false, "Elsewhere")
		after, _, err := client.GetConfig(s.ctx)
		s.must(err)
		if *after.TeamSettings.EnableUserCreation || *after.TeamSettings.SiteName != "Elsewhere" {
			s.Errorf("everybody may create an account: %v, at %q", *after.TeamSettings.EnableUserCreation, *after.TeamSettings.SiteName)
		}
		s.post(s.file("the plugin goes on"))
	})
}

func TestPastedCredentialsAreSealedInTheServersConfiguration(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(stage.Identity(s.cluster.AuthAddress(), s.signed).With("Recipients", s.recipient).With("Approvers", "* = "+set.Approver.Username))
		content := s.sealed()
		for _, line := range strings.Split(s.signed.Identity, "\n") {
			if len(line) > 40 && strings.Contains(content, line) {
				s.Fatal("the pasted credentials are still in the configuration")
			}
		}
		// Older servers mask no settings of plugins: their API shows what is stored.
		shown := s.stored("Identity")
		if shown != model.FakeSetting && !(mattermost.OnOldest() && strings.HasPrefix(shown, "sealed:v2:")) {
			s.Errorf("the API shows %.40q", shown)
		}
		// What was sealed opens after a restart, and when what the API shows in its place is saved again.
		s.must(set.Mattermost.RestartPlugin(s.ctx, set.PluginID))
		s.must(set.WaitForWatch(s.ctx, s.channel.Id))
		s.connect(stage.Settings{"TeleportAddress": s.cluster.ProxyAddress(), "Identity": shown}.
			With("Recipients", s.recipient).With("Approvers", "* = "+set.Approver.Username))
		s.post(s.file("with what was sealed"))
	})
}

func TestSealingLosesNoneOfTheServersOwnSecrets(t *testing.T) {
	onDouble(t, func(s *scene) {
		client := set.Mattermost.Admin.Client
		lag := func(settings ...*model.ReplicaLagSettings) {
			s.Helper()
			_, _, err := client.PatchConfig(s.ctx, &model.Config{SqlSettings: model.SqlSettings{ReplicaLagSettings: settings}})
			s.must(err)
		}
		const address = "postgres://lag:only-the-server-knows@replica.invalid/mattermost"
		lag(&model.ReplicaLagSettings{DataSource: model.NewPointer(address), QueryAbsoluteLag: model.NewPointer(""), QueryTimeLag: model.NewPointer("")})
		s.Cleanup(func() { lag([]*model.ReplicaLagSettings{}...) })
		s.connect(s.settings())
		// The oldest server would lose it if the plugin saved: there it does not, and says so.
		_, err := set.WaitForStatus(s.ctx, s.channel.Id, func(status string) bool {
			content, err := set.Mattermost.Config()
			s.must(err)
			return strings.Contains(status, "ReplicaLagSettings") || strings.Contains(content, `"sealed:v2:`)
		})
		s.must(err)
		time.Sleep(2 * time.Second)
		content, err := set.Mattermost.Config()
		s.must(err)
		if !strings.Contains(content, address) {
			s.Error("the address of the replica is lost")
		}
		if isThere := strings.Contains(content, "PRIVATE KEY"); isThere != mattermost.OnOldest() {
			s.Errorf("a pasted key is in the configuration: %v", isThere)
		}
	})
}
