package suite

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

func TestAuthServerAndProxyWorkWithEveryFormOfCredentials(t *testing.T) {
	onBoth(t, func(s *scene) {
		dir := s.TempDir()
		s.must(s.signed.Write(dir))
		forms := map[string]func(address string) stage.Settings{
			"three files, pasted": func(address string) stage.Settings { return stage.Triple(address, s.signed) },
			"identity, pasted":    func(address string) stage.Settings { return stage.Identity(address, s.signed) },
			"identity, by path": func(address string) stage.Settings {
				return stage.Settings{"TeleportAddress": address, "Identity": filepath.Join(dir, "identity")}
			},
			"three files, by path": func(address string) stage.Settings {
				return stage.Settings{
					"TeleportAddress": address, "ClientCertificate": filepath.Join(dir, "auth.crt"),
					"ClientKey": filepath.Join(dir, "auth.key"), "ClusterCA": filepath.Join(dir, "auth.cas"),
				}
			},
		}
		for place, address := range map[string]string{"auth server": s.cluster.AuthAddress(), "proxy": s.cluster.ProxyAddress()} {
			for form, settings := range forms {
				s.connect(settings(address).With("Recipients", s.recipient).With("Approvers", "* = bob").With("AskReason", "never"))
				id := s.file(place + ", " + form)
				_, err := set.Approver.Decide(s.ctx, s.post(id), stage.Approve, "")
				s.must(err)
				if state := s.state(id); !state.IsApproved() {
					s.Errorf("%s, %s: the request is %s", place, form, state)
				}
			}
		}
	})
}

func TestPastedTextMayHaveBeenMangledOnItsWay(t *testing.T) {
	onDouble(t, func(s *scene) {
		for name, mangle := range map[string]func(string) string{
			"Windows line ends":  func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") },
			"blanks around":      func(text string) string { return "\n \n" + text + "\n\n " },
			"no last line break": func(text string) string { return strings.TrimSuffix(text, "\n") },
		} {
			s.Log(name)
			mangled := *s.signed
			mangled.Certificate, mangled.Key, mangled.Authorities = mangle(mangled.Certificate), mangle(mangled.Key), mangle(mangled.Authorities)
			mangled.Identity = mangle(mangled.Identity)
			s.connect(stage.Triple(s.cluster.AuthAddress(), &mangled).With("Recipients", s.recipient))
			s.connect(stage.Identity(s.cluster.ProxyAddress(), &mangled).With("Recipients", s.recipient))
		}
	})
}

func TestEveryKindOfKeyWorks(t *testing.T) {
	for name, kind := range map[string]double.KeyKind{"ECDSA": double.ECDSA, "Ed25519": double.Ed25519} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, newDouble(t, double.Options{Keys: kind}))
			s.connect(stage.Identity(s.cluster.ProxyAddress(), s.signed).With("Recipients", s.recipient))
		})
	}
}

// newDouble makes a double of its own for a test.
func newDouble(t *testing.T, options double.Options) *double.Double {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	d, err := double.New(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	if err := teleport.Populate(ctx, d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOldAndNewServersWork(t *testing.T) {
	// The first ones have only the unpaged listing, those before 15 also the streamed one; since 18 expiry has another place.
	for _, version := range []string{"4.2.8", "5.1.0", "8.0.0", "13.3.8", "14.3.1", "15.0.0", "18.11.0"} {
		t.Run(version, func(t *testing.T) {
			d := newDouble(t, double.Options{Version: version, Cluster: "v" + version + ".example"})
			s := newScene(t, d)
			before := s.file("filed before the plugin came")
			s.connect(s.settings())
			after := s.file("filed while it watches")
			for id, button := range map[string]string{before: stage.Approve, after: stage.Deny} {
				post := s.post(id)
				s.holds(stage.Text(post), "Request expires")
				_, err := set.Approver.Decide(s.ctx, post, button, "")
				s.must(err)
				s.settled(id, "bob")
				if decisions := s.decisions(id); len(decisions) != 1 || decisions[0].Delegator != "mattermost:bob" {
					s.Errorf("got decisions %+v", decisions)
				}
			}
		})
	}
}
