package suite

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/balancer"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

// balance starts a load balancer that ends TLS before a cluster's proxy.
func (s *scene) balance(cluster teleport.Cluster, options balancer.Options) *balancer.Balancer {
	s.Helper()
	b, err := balancer.Start(cluster.ProxyAddress(), options)
	s.must(err)
	s.Cleanup(b.Close)
	return b
}

// behind are good settings for the scene's cluster behind a load balancer.
func (s *scene) behind(b *balancer.Balancer) stage.Settings {
	return stage.Identity(b.Address(), s.signed).With("LoadBalancerCA", b.Authority()).
		With("Recipients", s.recipient).With("Approvers", "* = "+set.Approver.Username).With("AskReason", "never")
}

// decidesOne files a request and has it approved by a click.
func (s *scene) decidesOne(reason string) {
	s.Helper()
	id := s.file(reason)
	s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved")
	s.settled(id, "Approved")
	if state := s.state(id); !state.IsApproved() {
		s.Errorf("%s: the request is %s", reason, state)
	}
}

// upgradeForm is the form of the connection upgrade that a cluster of this version takes, and how it is told.
func upgradeForm(cluster teleport.Cluster) (form, words string) {
	if strings.HasPrefix(cluster.Version(), "13.") || strings.HasPrefix(cluster.Version(), "15.0.") {
		return "alpn-ping", "the form before 15.1"
	}
	return "websocket", "WebSocket"
}

func TestTeleportIsReachedThroughALoadBalancerThatEndsTLS(t *testing.T) {
	onBoth(t, func(s *scene) {
		form, words := upgradeForm(s.cluster)
		for name, options := range map[string]balancer.Options{
			"with HTTP/2":         {},
			"with HTTP/1.1":       {Protocols: []string{"http/1.1"}},
			"without any choices": {Protocols: []string{}},
		} {
			for _, mode := range []string{"auto", "always"} {
				b := s.balance(s.cluster, options)
				settings := s.behind(b).With("ConnectionUpgrade", mode)
				steps := s.selfTest(settings)
				s.holds(steps["Secure connection"].message, "proved to be of cluster", "load balancer", words)
				for step, check := range steps {
					if check.outcome != outcomeOK && check.outcome != outcomeWarning {
						s.Errorf("%s, %s: the self-test says of %s: %s", name, mode, step, check.message)
					}
				}
				s.connect(settings)
				status, err := set.Status(s.ctx, s.channel.Id)
				s.must(err)
				s.holds(stage.Line(status, "Teleport"), "load balancer", words)
				s.decidesOne(name + ", " + mode)
				if b.Upgrades(form) == 0 {
					s.Errorf("%s, %s: there was no upgrade of the form %s", name, mode, form)
				}
			}
		}
		// The straight way is told, too.
		s.holds(s.selfTest(s.settings())["Secure connection"].message, "straight to Teleport")
	})
}

func TestAProxyBefore15_1IsReachedInTheEarlierForm(t *testing.T) {
	s := newScene(t, newDouble(t, double.Options{Version: "15.0.0", Cluster: "earlier.example"}))
	b := s.balance(s.cluster, balancer.Options{})
	s.connect(s.behind(b))
	s.decidesOne("before 15.1")
	if b.Upgrades("alpn-ping") == 0 {
		s.Error("the earlier form was not used")
	}
}

func TestAFurtherClusterHasALoadBalancerOfItsOwn(t *testing.T) {
	onDouble(t, func(s *scene) {
		other := newDouble(t, double.Options{Cluster: "further.example"})
		signed, err := other.Sign(s.ctx, teleport.PluginUser, credentialsLast)
		s.must(err)
		b := s.balance(other, balancer.Options{})
		further := func(mode, authority string) string {
			list, err := json.Marshal([]map[string]string{{
				"TeleportAddress": b.Address(), "Identity": signed.Identity, "ConnectionUpgrade": mode, "LoadBalancerCA": authority,
			}})
			s.must(err)
			return string(list)
		}
		line := func(status string) string {
			for text := range strings.Lines(status) {
				if strings.Contains(text, "**Teleport**") && (strings.Contains(text, other.Name()) || strings.Contains(text, b.Address())) {
					return text
				}
			}
			return ""
		}
		// The first cluster's settings are not the second one's.
		for _, mode := range []string{"auto", "always"} {
			s.must(set.Configure(s.ctx, s.settings().With("ConnectionUpgrade", "never").With("MoreClusters", further(mode, b.Authority()))))
			_, err = set.WaitForStatus(s.ctx, s.channel.Id, func(status string) bool {
				return strings.Contains(line(status), "✅") && strings.Contains(line(status), "WebSocket")
			})
			s.must(err)
		}
		s.must(set.Configure(s.ctx, s.settings().With("MoreClusters", further("never", b.Authority()))))
		_, err = set.WaitForStatus(s.ctx, s.channel.Id, func(status string) bool {
			return strings.Contains(line(status), "❌") && strings.Contains(line(status), "Connection upgrade")
		})
		s.must(err)
	})
}

func TestALoadBalancerThatCannotBePassedIsNamedWithTheCure(t *testing.T) {
	onBoth(t, func(s *scene) {
		b := s.balance(s.cluster, balancer.Options{})
		deaf := s.balance(s.cluster, balancer.Options{NoUpgrades: true})
		// Whoever is in between cannot be the cluster: another one of the same name has other authorities.
		pretender := newDouble(s.T, double.Options{Cluster: s.cluster.Name()})
		astray := s.balance(pretender, balancer.Options{})
		good := s.behind(b)
		for _, wrong := range []trouble{
			{"the upgrade is never to be used", good.With("ConnectionUpgrade", "never"), "Teleport", []string{"load balancer", "Connection upgrade", "auto"}},
			{"its certificate is of an authority of its own", good.With("LoadBalancerCA", ""), "Teleport", []string{"load balancer", "does not trust its certificate", "Load balancer certificate authority"}},
			{"its certificate is of another authority", good.With("LoadBalancerCA", astray.Authority()), "Teleport", []string{"does not trust its certificate"}},
			{"it lets no upgrades through", s.behind(deaf), "Teleport", []string{"load balancer", "400 Bad Request", "/webapi/connectionupgrade"}},
			{"it leads to another cluster of the same name", s.behind(astray), "Teleport", []string{"another authority"}},
			{"its authority is a file that is not there", good.With("LoadBalancerCA", "/tmp/no-such-authority"), "Teleport", []string{"LoadBalancerCA", "/tmp/no-such-authority"}},
			{"its authority is none", good.With("LoadBalancerCA", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), onSave, []string{"LoadBalancerCA", "cannot be read"}},
			{"the choice is none", good.With("ConnectionUpgrade", "perhaps"), onSave, []string{"ConnectionUpgrade", "auto, always, never"}},
		} {
			s.says(wrong)
			if wrong.line == onSave {
				continue
			}
			// The self-test finds the same, before anything is saved.
			failed := 0
			for _, check := range s.selfTest(wrong.settings) {
				if check.outcome == outcomeFailed {
					failed++
					s.holds(check.message, wrong.words...)
				}
			}
			if failed != 1 {
				s.Errorf("%s: %d steps of the self-test failed, want one", wrong.name, failed)
			}
		}
		s.connect(good)
		s.decidesOne("after all that")
	})
}

func TestSignsOfLifeKeepALoadBalancerFromCuttingAnIdleWatch(t *testing.T) {
	const idle = 5 * time.Second
	d := newDouble(t, double.Options{Cluster: "pings.example", PingInterval: idle / 20})
	s := newScene(t, d)
	b := s.balance(d, balancer.Options{Idle: idle})
	s.connect(s.behind(b))
	// What is saved as it was pasted is saved once more, sealed; what comes of that is over by then.
	time.Sleep(idle)
	upgrades, cuts := b.Upgrades("websocket"), b.Cuts()
	time.Sleep(3 * idle)
	if b.Upgrades("websocket") != upgrades || b.Cuts() != cuts {
		s.Errorf("there were %d upgrades and %d cuts, and are %d and %d", upgrades, cuts, b.Upgrades("websocket"), b.Cuts())
	}
	s.decidesOne("while nothing else happened")
}

func TestAWatchThatALoadBalancerCutsComesBack(t *testing.T) {
	d := newDouble(t, double.Options{Cluster: "silent.example", PingInterval: -1})
	s := newScene(t, d)
	b := s.balance(d, balancer.Options{Idle: 2 * time.Second})
	s.connect(s.behind(b))
	for before := b.Cuts(); b.Cuts() < before+2; time.Sleep(50 * time.Millisecond) {
		s.must(s.ctx.Err())
	}
	s.post(s.file("after the connection was cut"))
}

// Outcomes of a check, as proto/panel/panel.proto numbers them.
const (
	outcomeOK      = 1
	outcomeWarning = 2
	outcomeFailed  = 3
)

// check is a step of the self-test, as it ended.
type check struct {
	outcome int
	message string
}

// selfTest tries settings out as the settings page does. A step that several clusters have is the last one's.
func (s *scene) selfTest(settings stage.Settings) map[string]check {
	s.Helper()
	content, err := json.Marshal(settings)
	s.must(err)
	message := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), content)
	body := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	status, answer, err := set.Mattermost.Admin.Do(s.ctx, http.MethodPost, "/plugins/"+set.PluginID+"/panel.Panel/SelfTest", "application/grpc-web+proto", bytes.NewReader(body))
	s.must(err)
	if status != http.StatusOK {
		s.Fatalf("the self-test is answered with %d: %s", status, answer)
	}
	steps := map[string]check{}
	for rest := []byte(answer); len(rest) >= 5; {
		length := int(binary.BigEndian.Uint32(rest[1:5]))
		if len(rest) < 5+length {
			s.Fatal("the self-test's answer is cut off")
		}
		if rest[0] == 0 {
			name, step, err := readCheck(rest[5 : 5+length])
			s.must(err)
			steps[name] = step
		}
		rest = rest[5+length:]
	}
	if len(steps) == 0 {
		s.Fatalf("the self-test says nothing: %q", answer)
	}
	return steps
}

// readCheck reads a panel.Check.
func readCheck(message []byte) (name string, step check, err error) {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return "", step, protowire.ParseError(n)
		}
		message = message[n:]
		switch {
		case kind == protowire.VarintType:
			value, n := protowire.ConsumeVarint(message)
			if n < 0 {
				return "", step, protowire.ParseError(n)
			}
			if number == 2 {
				step.outcome = int(value)
			}
			message = message[n:]
		case kind == protowire.BytesType:
			value, n := protowire.ConsumeBytes(message)
			if n < 0 {
				return "", step, protowire.ParseError(n)
			}
			switch number {
			case 1:
				name = string(value)
			case 3:
				step.message = string(value)
			}
			message = message[n:]
		default:
			return "", step, errors.New("a field of a kind that no check has")
		}
	}
	return name, step, nil
}
