package suite

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/child"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

// trouble is a wrong setting, and what the status has to say about it.
type trouble struct {
	name     string
	settings stage.Settings
	// line is the part of the status where the words must stand, or onSave.
	line  string
	words []string
}

// onSave says that the settings are not even saved, and that whoever saves them reads the words.
const onSave = ""

// isRefused tries to save the settings, and reads why they are not.
func (s *scene) isRefused(wrong trouble) {
	s.Helper()
	err := set.Configure(s.ctx, wrong.settings)
	if err == nil {
		s.Errorf("%s: it was saved", wrong.name)
		return
	}
	for _, word := range wrong.words {
		if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(word)) {
			s.Errorf("%s: want %q, it says %v", wrong.name, wrong.words, err)
		}
	}
	s.Logf("%s: %v", wrong.name, err)
}

// says configures the plugin wrongly and waits for the status to say so. The plugin must stay up.
func (s *scene) says(wrong trouble) {
	s.Helper()
	if wrong.line == onSave {
		s.isRefused(wrong)
		return
	}
	s.must(set.Configure(s.ctx, wrong.settings))
	s.shows(wrong)
}

// shows waits for the status to say what is wrong. The plugin must stay up.
func (s *scene) shows(wrong trouble) {
	s.Helper()
	status, err := set.WaitForStatus(s.ctx, s.channel.Id, func(status string) bool {
		part := strings.ToLower(stage.Line(status, wrong.line))
		for _, word := range wrong.words {
			if !strings.Contains(part, strings.ToLower(word)) {
				return false
			}
		}
		return strings.Contains(part, "❌")
	})
	if err != nil {
		s.Errorf("%s: want %q under %s: %v", wrong.name, wrong.words, wrong.line, err)
		return
	}
	s.Logf("%s: %s", wrong.name, strings.TrimSpace(stage.Line(status, wrong.line)))
	state, complaint, err := set.Mattermost.PluginState(s.ctx, set.PluginID)
	s.must(err)
	if state != model.PluginStateRunning {
		s.Errorf("%s: the plugin is in state %d: %s", wrong.name, state, complaint)
	}
}

// process is the id of the plugin's only process.
func (s *scene) process() int {
	s.Helper()
	processes, err := set.Mattermost.PluginProcesses(set.PluginID)
	s.must(err)
	if len(processes) != 1 {
		s.Fatalf("the plugin has processes %v, want one", processes)
	}
	return processes[0]
}

func TestWrongSettingsAreSaidInTheStatusAndThePluginStaysUp(t *testing.T) {
	onBoth(t, func(s *scene) {
		before := s.process()
		good := s.settings()
		foreign := newDouble(s.T, double.Options{Cluster: s.cluster.Name()})
		other, err := foreign.Sign(s.ctx, teleport.PluginUser, credentialsLast)
		s.must(err)
		stranger, err := s.cluster.Sign(s.ctx, teleport.Stranger, credentialsLast)
		s.must(err)
		nobody, err := child.FreeAddress()
		s.must(err)
		expired, err := foreign.Sign(s.ctx, teleport.PluginUser, -time.Hour)
		s.must(err)
		missing := "/tmp/no-such-identity"
		identity := stage.Identity(s.cluster.AuthAddress(), s.signed).With("Recipients", s.recipient)
		for _, wrong := range []trouble{
			{"nothing set", stage.Settings{}, "Settings", []string{"TeleportAddress"}},
			{"no address", good.With("TeleportAddress", ""), "Settings", []string{"TeleportAddress", "address"}},
			{"an address that is none", good.With("TeleportAddress", "not an address"), onSave, []string{"TeleportAddress"}},
			{"nobody listens", good.With("TeleportAddress", nobody), "Teleport", []string{nobody, "listens"}},
			{"no such host", good.With("TeleportAddress", "teleport.invalid:443"), "Teleport", []string{"no host"}},
			{"another cluster's authority", good.With("ClusterCA", other.Authorities), "Teleport", []string{"another authority"}},
			{"another cluster's certificate", good.With("ClientCertificate", other.Certificate).With("ClientKey", other.Key), "Credentials", []string{"refuses", "certificate"}},
			{"an expired certificate", stage.Triple(s.cluster.AuthAddress(), expired).With("Recipients", s.recipient), onSave, []string{"expired", "sign"}},
			{"a key of another certificate", good.With("ClientKey", other.Key), onSave, []string{"key", "certificate"}},
			{"a key that is none", good.With("ClientKey", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"), onSave, []string{"key"}},
			{"an identity file cut in half", identity.With("Identity", s.signed.Identity[:len(s.signed.Identity)/2]), onSave, []string{"identity"}},
			{"an identity file cut in the key", identity.With("Identity", s.signed.Identity[:400]), onSave, []string{"cut off"}},
			{"an identity file that is none", identity.With("Identity", "hello"), onSave, []string{"identity"}},
			{"an identity file that is not there", identity.With("Identity", missing), "Credentials", []string{missing}},
			{"both forms of credentials", good.With("Identity", s.signed.Identity), onSave, []string{"identity", "both"}},
			{"one of the three files missing", good.With("ClientKey", ""), onSave, []string{"ClientKey"}},
			{"a channel that is not there", good.With("Recipients", "ops/no-such-channel"), onSave, []string{"no-such-channel"}},
			{"a team that is not there", good.With("Recipients", "nowhere/requests"), onSave, []string{"nowhere"}},
			{"an approver who is nobody", good.With("Approvers", "* = no-such-user"), onSave, []string{"no-such-user"}},
			{"a line without a role", good.With("Approvers", "bob"), onSave, []string{"* = bob"}},
			{"no recipients", good.With("Recipients", ""), "Recipients", []string{"none"}},
			{"a user who may do nothing with requests", stage.Triple(s.cluster.AuthAddress(), stranger).With("Recipients", s.recipient), "Permissions", []string{"access_request", "list, read, update"}},
		} {
			s.says(wrong)
		}
		if after := s.process(); after != before {
			s.Errorf("the plugin's process was %d and is %d: it did not stay up", before, after)
		}
		// And it works again as soon as the settings are right.
		s.connect(good)
		s.post(s.file("after all that"))
	})
}

func TestSettingsThatWereSavedWhileThePluginWasOffAreSaidInTheStatus(t *testing.T) {
	onDouble(t, func(s *scene) {
		good := s.settings()
		foreign := newDouble(s.T, double.Options{Cluster: s.cluster.Name()})
		other, err := foreign.Sign(s.ctx, teleport.PluginUser, credentialsLast)
		s.must(err)
		expired, err := foreign.Sign(s.ctx, teleport.PluginUser, -time.Hour)
		s.must(err)
		identity := stage.Identity(s.cluster.AuthAddress(), s.signed).With("Recipients", s.recipient)
		// While the plugin is off nobody looks at its settings, and a file can be edited at any time.
		for _, wrong := range []trouble{
			{"an address that is none", good.With("TeleportAddress", "not an address"), "Settings", []string{"TeleportAddress"}},
			{"an expired certificate", stage.Triple(s.cluster.AuthAddress(), expired).With("Recipients", s.recipient), "Credentials", []string{"expired", "sign"}},
			{"a key of another certificate", good.With("ClientKey", other.Key), "Credentials", []string{"key", "certificate"}},
			{"a key that is none", good.With("ClientKey", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"), "Credentials", []string{"key"}},
			{"an identity file cut in half", identity.With("Identity", s.signed.Identity[:len(s.signed.Identity)/2]), "Credentials", []string{"identity"}},
			{"an identity file cut in the key", identity.With("Identity", s.signed.Identity[:400]), "Credentials", []string{"cut off"}},
			{"an identity file that is none", identity.With("Identity", "hello"), "Credentials", []string{"identity"}},
			{"both forms of credentials", good.With("Identity", s.signed.Identity), "Settings", []string{"identity", "both"}},
			{"one of the three files missing", good.With("ClientKey", ""), "Settings", []string{"ClientKey"}},
			{"a channel that is not there", good.With("Recipients", "ops/no-such-channel"), "Recipients", []string{"no-such-channel"}},
			{"an approver who is nobody", good.With("Approvers", "* = no-such-user"), "Names", []string{"no-such-user"}},
		} {
			_, err := set.Mattermost.Admin.Client.DisablePlugin(s.ctx, set.PluginID)
			s.must(err)
			s.must(set.Configure(s.ctx, wrong.settings))
			_, err = set.Mattermost.Admin.Client.EnablePlugin(s.ctx, set.PluginID)
			s.must(err)
			s.must(set.Mattermost.WaitForPlugin(s.ctx, set.PluginID))
			s.shows(wrong)
		}
	})
}

func TestServersThatAreNotTeleportAreRecognised(t *testing.T) {
	onDouble(t, func(s *scene) {
		page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello</html>")) })
		plain := httptest.NewServer(page)
		defer plain.Close()
		secure := newTLSServer(page, nil)
		defer secure.Close()
		// A server that takes connections and says nothing.
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		s.must(err)
		defer silent.Close()
		go func() {
			for {
				conn, err := silent.Accept()
				if err != nil {
					return
				}
				s.Cleanup(func() { _ = conn.Close() })
			}
		}()
		good := s.settings()
		s.says(trouble{"a web page without TLS", good.With("TeleportAddress", plain.Listener.Addr().String()), "Teleport", []string{"does not speak TLS"}})
		s.says(trouble{"a web page with TLS", good.With("TeleportAddress", secure.Listener.Addr().String()), "Teleport", []string{"not the auth server"}})
		s.says(trouble{"a server that says nothing", good.With("TeleportAddress", silent.Addr().String()), "Teleport", []string{"does not answer"}})

		// Mutual TLS of the right cluster, and yet a web page behind it: a proxy that is set up wrongly.
		config := fast.ServerTLS()
		pretender := newTLSServer(page, config)
		defer pretender.Close()
		s.says(trouble{"a web page in the auth server's place", good.With("TeleportAddress", pretender.Listener.Addr().String()), "Teleport", []string{"not as Teleport"}})
		config = config.Clone()
		config.NextProtos = []string{"http/1.1"}
		old, err := tls.Listen("tcp", "127.0.0.1:0", config)
		s.must(err)
		silently := &http.Server{Handler: page, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
		defer silently.Close()
		go func() { _ = silently.Serve(old) }()
		s.says(trouble{"a server without HTTP/2 in its place", good.With("TeleportAddress", old.Addr().String()), "Teleport", []string{"not Teleport's API"}})
	})
}

// newTLSServer serves pages over TLS, with HTTP/2, and says nothing of failed handshakes. Without a configuration it has a
// certificate of its own.
func newTLSServer(page http.Handler, config *tls.Config) *httptest.Server {
	server := httptest.NewUnstartedServer(page)
	server.TLS, server.EnableHTTP2 = config, true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	return server
}

func TestOnlySystemAdminsSeeTheStatus(t *testing.T) {
	onDouble(t, func(s *scene) {
		for _, line := range []string{"/teleport status", "/teleport setup"} {
			answer, err := set.Bystander.Command(s.ctx, s.channel.Id, line)
			s.must(err)
			s.holds(answer, "system admins")
		}
		for _, line := range []string{"/teleport", "/teleport help", "/teleport nonsense"} {
			answer, err := set.Bystander.Command(s.ctx, s.channel.Id, line)
			s.must(err)
			s.holds(answer, "/teleport status")
		}
	})
}
