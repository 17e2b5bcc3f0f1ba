package hooks

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/coretest"
)

// saving is a server whose settings go through the plugin's hook.
func saving(t *testing.T) (*server, *Plugin) {
	t.Helper()
	s := newServer(t)
	p := activate(t, s)
	s.plugin = p
	return s, p
}

func TestWrongSettingsAreNotSavedAndTheAdminReadsWhy(t *testing.T) {
	s, _ := saving(t)
	err := s.save(map[string]any{"teleportaddress": "http://tp", "authority": "nobody", "recipients": "ops/x"})
	if err == nil {
		t.Fatal("wrong settings were saved")
	}
	for _, part := range []string{"TeleportAddress: ", "plain HTTP", "Authority: "} {
		if !strings.Contains(err.Message, part) {
			t.Errorf("%q does not say %q", err.Message, part)
		}
	}
	if len(s.settings) != 0 {
		t.Errorf("saved is %v", s.settings)
	}
	// What is only missing may be saved.
	if err := s.save(map[string]any{"teleportaddress": "", "recipients": "ops/x"}); err != nil {
		t.Error(err)
	}
}

func TestPastedCredentialsAreSealedBeforeTheyAreSaved(t *testing.T) {
	s, p := saving(t)
	identity := coretest.Identity(t)
	if err := s.save(map[string]any{"teleportaddress": "127.0.0.1:1", "identity": identity, "recipients": "ops/x"}); err != nil {
		t.Fatal(err)
	}
	sealed, _ := s.settings["identity"].(string)
	key, _ := s.settings["sealingkey"].(string)
	if !strings.HasPrefix(sealed, "sealed:v1:") || strings.Contains(sealed, "PRIVATE") || len(key) < 32 {
		t.Errorf("saved is %q with the key %q", sealed, key)
	}
	// A page that knows of no key, and shows the secret as asterisks, changes neither, whatever the case of its letters.
	for _, name := range []string{"sealingkey", "SealingKey"} {
		if err := s.save(map[string]any{"teleportaddress": "127.0.0.1:1", "identity": model.FakeSetting, "recipients": "ops/y", name: ""}); err != nil {
			t.Fatal(err)
		}
		if s.settings["identity"] != sealed || s.settings["sealingkey"] != key || s.settings["recipients"] != "ops/y" {
			t.Errorf("saved is %v", s.settings)
		}
	}
	var status string
	eventually(t, "the connection was tried", func() bool {
		status = run(t, p, admin, "/teleport status")
		return !strings.Contains(status, "**Credentials**: in progress")
	})
	if strings.Contains(status, "cannot be opened") || !strings.Contains(status, "Nobody listens at 127.0.0.1:1") {
		t.Errorf("the status says %s", status)
	}
}

func TestASaveThatIsNotAboutThePluginIsLetThrough(t *testing.T) {
	s, p := saving(t)
	// What is wrong already, from before anybody looked.
	s.set(func() { s.settings = map[string]any{"teleportaddress": "http://tp", "recipients": nil} })
	if err := s.save(map[string]any{"TeleportAddress": "http://tp"}); err != nil {
		t.Error(err)
	}
	other := &model.Config{}
	if changed, err := p.ConfigurationWillBeSaved(other); changed != nil || err != nil {
		t.Errorf("%v, %v", changed, err)
	}
}

func TestAnAdminIsNotLockedOutWhileTheCoreIsAway(t *testing.T) {
	s, p := saving(t)
	p.actor.Close()
	if err := s.save(map[string]any{"teleportaddress": "http://tp"}); err != nil {
		t.Error(err)
	}
	if len(s.logged("without a look")) != 1 {
		t.Errorf("the log says %q", s.lines)
	}
}

func TestMetricsAndSupportDataTellMuchAndNoSecret(t *testing.T) {
	s, p := saving(t)
	identity := coretest.Identity(t)
	if err := s.save(map[string]any{"teleportaddress": "127.0.0.1:1", "identity": identity, "recipients": "ops/x"}); err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	p.ServeMetrics(&plugin.Context{}, answer, httptest.NewRequest("GET", "/metrics", nil))
	text := answer.Body.String()
	for _, part := range []string{"teleport_access_requests_seen", "teleport_access_click_seconds", "teleport_access_wasm_memory_bytes", "# EOF"} {
		if !strings.Contains(text, part) {
			t.Errorf("the metrics do not tell %s:\n%s", part, text)
		}
	}
	if strings.Contains(text, "wasm_memory_bytes 0\n") {
		t.Error("the module has no memory")
	}
	files, err := p.GenerateSupportData(&plugin.Context{})
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	key, _ := s.settings["sealingkey"].(string)
	for _, file := range files {
		for _, secret := range []string{"PRIVATE KEY", "sealed:v1:", key} {
			if strings.Contains(string(file.Body), secret) {
				t.Errorf("%s holds a secret", file.Filename)
			}
		}
	}
}
