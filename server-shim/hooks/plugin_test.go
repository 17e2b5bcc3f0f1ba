package hooks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattermost/mattermost/server/public/model"
)

func run(t testing.TB, p *Plugin, user, command string) string {
	t.Helper()
	answer, appErr := p.ExecuteCommand(contextOf(user), &model.CommandArgs{UserId: user, Command: command})
	if appErr != nil {
		t.Fatal(appErr)
	}
	if answer.ResponseType != model.CommandResponseTypeEphemeral {
		t.Errorf("others can see the answer to %s", command)
	}
	return answer.Text
}

func TestThePluginRunsWithoutSettingsAndSaysWhatIsMissing(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	if text := run(t, p, member, "/teleport help"); !strings.Contains(text, "/teleport status") {
		t.Errorf("help says %q", text)
	}
	if text := run(t, p, member, "/teleport status"); !strings.Contains(text, "system admins") {
		t.Errorf("a member's status says %q", text)
	}
	text := run(t, p, admin, "/teleport status")
	for _, part := range []string{"address", p.manifest.Version, "test-build"} {
		if !strings.Contains(text, part) {
			t.Errorf("the status does not mention %q:\n%s", part, text)
		}
	}
	if len(s.logged("warn")) == 0 {
		t.Error("the log does not say what is missing")
	}
}

func TestChangedSettingsReachTheCore(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	before := run(t, p, admin, "/teleport status")
	// Nobody listens on that port.
	s.set(func() { s.settings = map[string]any{"teleportaddress": "not an address"} })
	if err := p.OnConfigurationChange(); err != nil {
		t.Fatal(err)
	}
	if after := run(t, p, admin, "/teleport status"); after == before {
		t.Errorf("the status is still\n%s", after)
	}
}

func TestTheBotIsMadeWithItsPictureOnce(t *testing.T) {
	s := newServer(t)
	for range 2 {
		p := activate(t, s)
		if p.bot.id() != botID || s.users[botID].Username != "teleport" {
			t.Errorf("the bot is %q", p.bot.id())
		}
		if err := p.OnDeactivate(); err != nil {
			t.Fatal(err)
		}
	}
	if s.pictures != 1 || len(s.picture) == 0 {
		t.Errorf("the picture was set %d times", s.pictures)
	}
	if len(s.commands) != 2 || s.commands[0].Trigger != "teleport" ||
		!strings.HasPrefix(s.commands[0].AutocompleteIconData, "data:image/svg+xml;base64,") {
		t.Errorf("registered are %v", s.commands)
	}
}

func TestOneOfTwoNodesLeadsAndTheOtherFollowsWhenItStops(t *testing.T) {
	s := newServer(t)
	first := activate(t, s)
	leads := func(p *Plugin) bool {
		p.core.mu.Lock()
		defer p.core.mu.Unlock()
		return p.core.leads
	}
	eventually(t, "the first node leads", func() bool { return leads(first) })
	second := activate(t, s)
	if text := run(t, second, admin, "/teleport help"); text == "" || leads(second) {
		t.Error("the second node leads, too")
	}
	if err := first.OnDeactivate(); err != nil {
		t.Fatal(err)
	}
	if leads(first) {
		t.Error("the first node still leads")
	}
	eventually(t, "the second node leads", func() bool { return leads(second) })
}

func TestTheCoreIsToldEverythingAgainAfterItWasLost(t *testing.T) {
	s := newServer(t)
	s.settings = map[string]any{"TeleportAddress": "not an address"}
	p := activate(t, s)
	before := run(t, p, admin, "/teleport status")
	p.core.mu.Lock()
	lost := p.core.newest
	p.core.mu.Unlock()
	lost.Restart()
	eventually(t, "there is another core", func() bool {
		p.core.mu.Lock()
		defer p.core.mu.Unlock()
		return p.core.newest != lost
	})
	if after := run(t, p, admin, "/teleport status"); after != before {
		t.Errorf("the status was\n%s\nand is\n%s", before, after)
	}
}

func TestHooksMayComeBeforeAndAfterThePluginIsActive(t *testing.T) {
	s := newServer(t)
	p := New("")
	p.SetAPI(s)
	check := func() {
		t.Helper()
		if err := p.OnConfigurationChange(); err != nil {
			t.Error(err)
		}
		if text := run(t, p, admin, "/teleport status"); text != textRestarting {
			t.Errorf("the command says %q", text)
		}
		if response := request(t, p, "POST", "/click", "{}", admin); response.Code != 503 {
			t.Errorf("a click gets %d", response.Code)
		}
	}
	check()
	if err := p.OnDeactivate(); err != nil {
		t.Error(err)
	}
	if err := p.OnActivate(); err != nil {
		t.Fatal(err)
	}
	if err := p.OnDeactivate(); err != nil {
		t.Error(err)
	}
	check()
}

func TestAnIncompleteBundleIsSaidToBe(t *testing.T) {
	s := newServer(t)
	if err := os.Remove(filepath.Join(s.bundle, "plugin.json")); err != nil {
		t.Fatal(err)
	}
	p := New("")
	p.SetAPI(s)
	if err := p.OnActivate(); err == nil || !strings.Contains(err.Error(), "upload it again") {
		t.Errorf("the error is %v", err)
	}
}

func TestWithoutAKeyValueStoreThePluginStillAnswers(t *testing.T) {
	s := newServer(t)
	s.kvFails = true
	p := activate(t, s)
	if text := run(t, p, member, "/teleport help"); !strings.Contains(text, "/teleport status") {
		t.Errorf("help says %q", text)
	}
	eventually(t, "the log says that no node can lead", func() bool {
		return len(s.logged("which node watches")) == 1
	})
}

// mute is a server that does not answer: it has no version.
type mute struct{ *server }

func (mute) GetServerVersion() string { return "" }

func TestAServerThatDoesNotAnswerIsAnErrorFromTheStart(t *testing.T) {
	p := New("test-build")
	s := newServer(t)
	s.running = p
	p.SetAPI(mute{s})
	if value, appErr := p.API.KVGet("a key"); appErr == nil {
		t.Errorf("the key is taken to have the value %q", value)
	}
	if appErr := p.API.SavePluginConfig(map[string]any{}); appErr == nil {
		t.Error("the settings are taken for saved")
	}
}
