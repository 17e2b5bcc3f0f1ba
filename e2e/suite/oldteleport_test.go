package suite

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/real"
)

// onRealOld runs a test with a real Teleport of each version of the plugin's first days. Only the plugin's user and the people
// of people.yaml have any rights there.
func onRealOld(t *testing.T, test func(s *scene, server *real.Server)) {
	for _, version := range real.OldVersions() {
		t.Run(version, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
			defer cancel()
			server, err := real.StartOld(ctx, version)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Close)
			if err := teleport.Populate(ctx, server); err != nil {
				t.Fatal(err)
			}
			test(newScene(t, server), server)
		})
	}
}

// checked is a check of a self-test.
type checked struct {
	name, message, command string
	outcome                uint64
}

// Outcomes of checks.
const (
	checkOK     = 1
	checkFailed = 3
)

// tried tries settings out as the settings page does, and answers how each check came out in the end.
func (s *scene) tried(settings stage.Settings) []checked {
	s.Helper()
	text, err := json.Marshal(settings)
	s.must(err)
	field := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), text)
	body := string(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(field)))) + string(field)
	code, answer, err := set.Mattermost.Admin.Do(s.ctx, http.MethodPost, "/plugins/"+set.PluginID+"/panel.Panel/SelfTest", "application/grpc-web+proto", strings.NewReader(body))
	s.must(err)
	if code != http.StatusOK {
		s.Fatalf("the self-test answered %d %q", code, answer)
	}
	var checks []checked
	for rest := []byte(answer); len(rest) >= 5; {
		length := int(binary.BigEndian.Uint32(rest[1:5]))
		if length > len(rest)-5 {
			s.Fatalf("the answer is cut off: %q", answer)
		}
		if flags := rest[0]; flags == 0 {
			checks = keepLast(checks, s.readCheck(rest[5:5+length]))
		}
		rest = rest[5+length:]
	}
	return checks
}

// keepLast puts a check in the place of the one of the same name.
func keepLast(checks []checked, check checked) []checked {
	for at := range checks {
		if checks[at].name == check.name {
			checks[at] = check
			return checks
		}
	}
	return append(checks, check)
}

func (s *scene) readCheck(message []byte) checked {
	s.Helper()
	var check checked
	for len(message) > 0 {
		number, kind, tag := protowire.ConsumeTag(message)
		length := protowire.ConsumeFieldValue(number, kind, message[max(0, tag):])
		if tag < 0 || length < 0 {
			s.Fatalf("a check cannot be read: %x", message)
		}
		value := message[tag : tag+length]
		text, _ := protowire.ConsumeString(value)
		switch number {
		case 1:
			check.name = text
		case 2:
			check.outcome, _ = protowire.ConsumeVarint(value)
		case 3:
			check.message = text
		case 4:
			check.command = text
		}
		message = message[tag+length:]
	}
	return check
}

// guided are the guide's command blocks, as `/teleport setup` shows them while the plugin is connected.
func (s *scene) guided() []string {
	s.Helper()
	guide, err := set.Mattermost.Admin.Command(s.ctx, s.channel.Id, "/teleport setup")
	s.must(err)
	var blocks []string
	for at, part := range strings.Split(guide, "```") {
		if at%2 == 1 {
			blocks = append(blocks, strings.TrimSpace(part))
		}
	}
	return blocks
}

// followed does what the guide says, step by step, and answers the folder with the credentials.
func (s *scene) followed(server *real.Server) string {
	s.Helper()
	dir, signs := s.TempDir(), 0
	for _, block := range s.guided() {
		if file, ok := strings.CutPrefix(block, "cat > access-plugin.yaml <<'EOF'\n"); ok {
			s.must(server.CreateResources(s.ctx, strings.TrimSuffix(file, "EOF")))
		}
		if line, ok := strings.CutPrefix(block, "tctl auth sign "); ok {
			args := strings.Fields(strings.Replace(line, "--out=", "--out="+dir+string(filepath.Separator), 1))
			_, err := server.Tctl(s.ctx, append([]string{"auth", "sign"}, args...)...)
			s.must(err)
			signs++
		}
	}
	if signs != 2 {
		s.Fatalf("the guide signs credentials %d times: %q", signs, s.guided())
	}
	return dir
}

// content is what is in a file.
func (s *scene) content(path string) string {
	s.Helper()
	content, err := os.ReadFile(path)
	s.must(err)
	return string(content)
}

func TestTheGuideLeadsToAConnectionWithOldTeleports(t *testing.T) {
	onRealOld(t, func(s *scene, server *real.Server) {
		// The guide is for the version that is there.
		s.connect(s.settings())
		dir := s.followed(server)
		at := func(name string) string { return filepath.Join(dir, name) }
		address := server.AuthAddress()
		for form, settings := range map[string]stage.Settings{
			"three files, by path": {"TeleportAddress": address, "ClientCertificate": at("auth.crt"), "ClientKey": at("auth.key"), "ClusterCA": at("auth.cas")},
			"three files, pasted":  {"TeleportAddress": address, "ClientCertificate": s.content(at("auth.crt")), "ClientKey": s.content(at("auth.key")), "ClusterCA": s.content(at("auth.cas"))},
			"identity, by path":    {"TeleportAddress": address, "Identity": at("identity")},
			"identity, pasted":     {"TeleportAddress": address, "Identity": s.content(at("identity"))},
		} {
			settings = settings.With("Recipients", s.recipient).With("Approvers", "* = bob").With("AskReason", "never")
			for _, check := range s.tried(settings) {
				// The settings map no accounts, so requesters hear nothing.
				if check.outcome != checkOK && check.name != "Requesters" {
					s.Errorf("%s: %+v", form, check)
				}
			}
			s.connect(settings)
			id := s.file(form)
			_, err := set.Approver.Decide(s.ctx, s.post(id), stage.Approve, "")
			s.must(err)
			if state := s.state(id); !state.IsApproved() {
				s.Errorf("%s: the request is %s", form, state)
			}
		}
	})
}

func TestTheMainJobIsDoneWithOldTeleports(t *testing.T) {
	onRealOld(t, func(s *scene, server *real.Server) {
		before := s.file("filed before the plugin came")
		s.connect(s.settings().With("UserMapping", mapping("alice", teleport.Requester, "bob", teleport.Admin)).With("NotifyRequesters", true))
		s.holds(stage.Text(s.post(before)), "alice@example.com", "dba", before, "Request expires", server.Name())
		decide := func(id, button string, want types.RequestState) {
			s.Helper()
			answer, err := set.Approver.Decide(s.ctx, s.post(id), button, "not on a Friday")
			s.must(err)
			s.holds(answer, want.String(), teleport.Requester)
			if state := s.state(id); state != want {
				s.Errorf("after %s Teleport says %s", button, state)
			}
			made := s.decisions(id)
			if len(made) != 1 || made[0].Delegator != "mattermost:bob" || made[0].UpdatedBy != teleport.PluginUser || made[0].State != want.String() {
				s.Errorf("after %s the audit log has %+v", button, made)
			}
			s.settled(id, want.String()[:1]+strings.ToLower(want.String()[1:]))
			s.once(id)
		}
		decide(before, stage.Approve, types.RequestState_APPROVED)
		denied := s.file("to be denied")
		decide(denied, stage.DenyWithReason, types.RequestState_DENIED)
		// What Teleport does not keep, the plugin does.
		s.settled(denied, "bob", "not on a Friday")
		s.settled(before, "bob")

		approved, refused, removed := s.file("one"), s.file("two"), s.file("three")
		for id, args := range map[string][]string{approved: {"requests", "approve"}, refused: {"requests", "deny"}, removed: {"requests", "rm"}} {
			s.post(id)
			_, err := server.Tctl(s.ctx, append(args, id)...)
			s.must(err)
		}
		s.settled(approved, "Approved")
		s.settled(refused, "Denied")
		s.settled(removed, "Deleted")
		s.once(approved, refused, removed)

		id, err := s.requester.File(s.ctx, teleport.Wish{Roles: []string{teleport.RequestedRole}, Lasts: 8 * time.Second})
		s.must(err)
		bot := bot(s.post(id))
		s.settled(id, "Expired")
		s.holds(s.waitTold(bot, id, 1)[0], "expired", "nobody decided in time")
	})
}

func TestARestartedOldTeleportIsWatchedAgain(t *testing.T) {
	onRealOld(t, func(s *scene, server *real.Server) {
		s.connect(s.settings().With("AskReason", "never"))
		for name, end := range map[string]func(){"stopped": server.Stop, "killed": server.Kill} {
			before := s.file("before it is " + name)
			s.post(before)
			end()
			_, err := set.WaitForStatus(s.ctx, s.channel.Id, func(status string) bool { return stage.Line(status, "Watch") != "" && !isUp(status) })
			s.must(err)
			s.must(server.Start(s.ctx))
			after := s.file("after it was " + name)
			// The newer one is posted once the plugin is connected again.
			for _, id := range []string{after, before} {
				s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved")
				s.settled(id, "Approved")
				s.once(id)
			}
		}
	})
}

func TestAnOldTeleportsProxyIsNamedAsTheWrongAddress(t *testing.T) {
	onRealOld(t, func(s *scene, server *real.Server) {
		settings := s.settings().With("TeleportAddress", server.ProxyAddress())
		s.says(trouble{"a proxy without TLS routing", settings, "Teleport", []string{"a proxy without TLS routing", "before Teleport 8", "auth server, port 3025"}})
	})
}

// mayList tells whether a user may list requests.
func (s *scene) mayList(client *teleport.Client) bool {
	_, err := client.Auth().GetPluginData(s.ctx, &types.PluginDataFilter{Kind: types.KindAccessRequest, Resource: uuid.NewString()})
	return err == nil
}

// mayUpdate tells whether a user may decide requests: those learn that a request does not exist.
func (s *scene) mayUpdate(client *teleport.Client) bool {
	err := client.SetState(s.ctx, uuid.NewString(), types.RequestState_DENIED, "")
	return err != nil && strings.Contains(err.Error(), "cannot set state of access request")
}

func TestARightThatIsMissingAtAnOldTeleportIsSaidAndTakesNothingForGone(t *testing.T) {
	onRealOld(t, func(s *scene, server *real.Server) {
		own := s.dial(teleport.PluginUser)
		role := func(verbs string) {
			s.Helper()
			s.must(server.CreateResources(s.ctx, teleport.Resources(server, `
kind: role
version: v5
metadata: {name: access-plugin}
spec:
  allow:
    logins: [access-plugin]
    rules:
      - {resources: [access_request], verbs: [`+verbs+`]}
`)))
			// The server hears of it through its cache, a moment later.
			lists := strings.Contains(verbs, "list") && strings.Contains(verbs, "read")
			for s.mayList(own) != lists || s.mayUpdate(own) != strings.Contains(verbs, "update") {
				time.Sleep(50 * time.Millisecond)
				s.must(s.ctx.Err())
			}
		}
		settings := s.settings().With("AskReason", "never")
		s.connect(settings)
		// Pasted credentials are saved once more, sealed, and what is being written then is written again: that takes the rights.
		for config, err := set.Mattermost.Config(); err == nil && strings.Contains(config, "PRIVATE KEY"); config, err = set.Mattermost.Config() {
			time.Sleep(50 * time.Millisecond)
			s.must(s.ctx.Err())
		}
		id := s.file("because")
		post := s.post(id)
		role("list, read")
		s.holds(s.clickOnce(set.Approver, post, stage.Approve), "verbs: [list, read, update]", "tctl create -f")
		s.untouched(id)

		role("update")
		// What the first click left in the post may still be on its way there.
		answer := s.clickOnce(set.Approver, post, stage.Approve)
		for strings.Contains(answer, "click again") && s.ctx.Err() == nil {
			answer = s.clickOnce(set.Approver, s.post(id), stage.Approve)
		}
		s.holds(answer, "access_request", "list", "read")
		for _, verbs := range []string{"list, read", "read, update", "list, update"} {
			role(verbs)
			found := false
			for _, check := range s.tried(settings) {
				if check.name == "Permissions" {
					found = true
					s.holds(check.message, "list, read, update")
				}
				if check.name == "Permissions" && check.outcome != checkFailed {
					s.Errorf("%s: %+v", verbs, check)
				}
			}
			if !found {
				s.Errorf("%s: nothing is said of permissions", verbs)
			}
		}
		// Nothing of that was taken for the end of the request.
		role("list, read, update")
		s.connect(settings)
		s.untouched(id)
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved")
		s.settled(id, "Approved")
	})
}
