package hooks

import (
	"strings"
	"testing"

	"github.com/mattermost/mattermost/server/public/model"
)

// person gives a username to an account that is no bot.
func (s *server) person(name string) {
	id := "person " + name
	s.users[id] = &model.User{Id: id, Username: name, Roles: "system_user"}
}

// botOf makes a bot of somebody's, and returns its id.
func (s *server) botOf(name, owner string) string {
	id := "bot " + name
	s.users[id] = &model.User{Id: id, Username: name, IsBot: true}
	s.bots[id] = &model.Bot{UserId: id, Username: name, OwnerId: owner}
	return id
}

// Each line is a server as the plugin may find it, and which account it uses then.
func TestTheBotIsOursOrMadeAnew(t *testing.T) {
	for name, test := range map[string]struct {
		// prepare makes the server, and returns the id that is to be used; empty: a new account is made.
		prepare  func(*server) string
		username string
		note     bool
	}{
		"a new server": {func(*server) string { return "" }, "teleport", false},
		"the bot that was used before": {func(s *server) string {
			id := s.botOf("teleport", pluginID)
			s.values[botKey] = []byte(id)
			return id
		}, "teleport", false},
		"the bot that was used before, renamed": {func(s *server) string {
			id := s.botOf("gatekeeper", pluginID)
			s.values[botKey] = []byte(id)
			s.person("teleport")
			return id
		}, "gatekeeper", true},
		"a bot of an earlier version":                    {func(s *server) string { return s.botOf("teleport", pluginID) }, "teleport", false},
		"a bot of an earlier version under another name": {func(s *server) string { return s.botOf("teleport-access", pluginID) }, "teleport-access", true},
		"a person of that name": {func(s *server) string {
			s.person("teleport")
			return ""
		}, "teleport-access", true},
		"persons of both names": {func(s *server) string {
			s.person("teleport")
			s.person("teleport-access")
			return ""
		}, "teleport-access-2", true},
		"a bot of somebody else": {func(s *server) string {
			s.botOf("teleport", member)
			return ""
		}, "teleport-access", true},
		"a bot of another plugin": {func(s *server) string {
			s.botOf("teleport", "com.example")
			return ""
		}, "teleport-access", true},
		"somebody else's bot under the stored id": {func(s *server) string {
			s.values[botKey] = []byte(s.botOf("gatekeeper", member))
			return ""
		}, "teleport", false},
		"a person under the stored id": {func(s *server) string {
			s.values[botKey] = []byte(member)
			return ""
		}, "teleport", false},
		"nobody under the stored id, and ours by name": {func(s *server) string {
			s.values[botKey] = []byte("gone")
			return s.botOf("teleport-access-3", pluginID)
		}, "teleport-access-3", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			want := test.prepare(s)
			p := activate(t, s)
			id := p.bot.id()
			if id == "" || s.users[id].Username != test.username || s.bots[id].OwnerId != pluginID {
				t.Fatalf("the bot is %q, %+v", id, s.bots[id])
			}
			if made := s.made == 1; made != (want == "") || (want != "" && id != want) || s.made > 1 {
				t.Errorf("the bot is %q, not %q; made were %d", id, want, s.made)
			}
			if string(s.values[botKey]) != id {
				t.Errorf("remembered is %q", s.values[botKey])
			}
			text := run(t, p, admin, "/teleport status")
			if said := strings.Contains(text, "bot account is @"+test.username+"."); said != test.note {
				t.Errorf("said: %v, in\n%s", said, text)
			}
			// It stays.
			if p.makeBot() || p.bot.id() != id || s.pictures != 1 {
				t.Errorf("the bot is %q now, with %d pictures", p.bot.id(), s.pictures)
			}
		})
	}
}

func TestWithoutABotTheStatusSaysWhy(t *testing.T) {
	s := newServer(t)
	for n := range botNames {
		s.person(botName(n))
	}
	p := activate(t, s)
	if p.bot.id() != "" || s.pictures != 0 || s.made != 0 {
		t.Errorf("the bot is %q", p.bot.id())
	}
	text := run(t, p, admin, "/teleport status")
	if !strings.Contains(text, "rename one of these accounts") || strings.Contains(text, "convert") {
		t.Errorf("the status says\n%s", text)
	}
	// Nothing is logged again while it stays so.
	logged := len(s.logged("could not be made"))
	if p.makeBot() || len(s.logged("could not be made")) != logged {
		t.Errorf("the log says %v", s.logged("could not be made"))
	}
	s.set(func() { delete(s.users, "person teleport") })
	if !p.makeBot() || p.bot.id() == "" {
		t.Errorf("the bot is %q", p.bot.id())
	}
}

func TestADeactivatedBotIsAFailureWithItsCure(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	id := p.bot.id()
	s.set(func() { s.bots[id].DeleteAt = 1 })
	if !p.makeBot() || p.bot.id() != id || s.made != 1 {
		t.Errorf("the bot is %q", p.bot.id())
	}
	p.core.configure()
	if text := run(t, p, admin, "/teleport status"); !strings.Contains(text, "@teleport is deactivated") ||
		!strings.Contains(text, "mmctl bot enable teleport") {
		t.Errorf("the status says\n%s", text)
	}
	s.set(func() { s.bots[id].DeleteAt = 0 })
	if !p.makeBot() || len(p.bot.failures()) != 0 {
		t.Errorf("it is still said that %v", p.bot.failures())
	}
}

func TestNoSecondBotIsMadeWhereMattermostDoesNotSayWhatThereIs(t *testing.T) {
	for name, fails := range map[string]func(*server){
		"no key-value store": func(s *server) { s.kvFails = true },
		"no bots":            func(s *server) { s.botFails = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			id := s.botOf("teleport", pluginID)
			s.values[botKey] = []byte(id)
			fails(s)
			p := activate(t, s)
			if p.bot.id() != "" || s.made != 0 {
				t.Errorf("the bot is %q", p.bot.id())
			}
			s.set(func() { s.kvFails, s.botFails = false, false })
			if !p.makeBot() || p.bot.id() != id || s.made != 0 {
				t.Errorf("the bot is %q", p.bot.id())
			}
		})
	}
}

// A database that does not answer says nothing about the bot: whoever took its id away then would stop every click.
func TestAPassingFailureLeavesTheBotAsItWas(t *testing.T) {
	for name, fails := range map[string]func(*server){
		"no key-value store":                    func(s *server) { s.kvFails = true },
		"no bots":                               func(s *server) { s.botFails = true },
		"no key-value store for a disabled bot": func(s *server) { s.kvFails = true; s.bots["bot teleport"].DeleteAt = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			id := s.botOf("teleport", pluginID)
			if strings.Contains(name, "disabled") {
				s.bots[id].DeleteAt = 1
			}
			p := activate(t, s)
			before := p.bot.get()
			s.set(func() { fails(s) })
			if !p.makeBot() || p.makeBot() {
				t.Error("the problem is not said once")
			}
			now := p.bot.get()
			if now.problem == "" {
				t.Error("there is no problem")
			}
			if now.problem = ""; now != before || now.userID != id {
				t.Errorf("the bot is %+v, it was %+v", now, before)
			}
			if failures := p.bot.failures(); (len(failures) != 0) != before.disabled {
				t.Errorf("the core would begin anew for %v", failures)
			}
			p.core.configure()
			text := run(t, p, admin, "/teleport status")
			if !strings.Contains(text, "could not be looked at") || strings.Contains(text, "could not be made") {
				t.Errorf("the status says\n%s", text)
			}
			if strings.Contains(text, "@teleport is deactivated") != before.disabled {
				t.Errorf("the status says\n%s", text)
			}
			s.set(func() { s.kvFails, s.botFails = false, false })
			if !p.makeBot() || p.bot.get() != before || s.made != 0 || s.pictures != 1 {
				t.Errorf("the bot is %+v", p.bot.get())
			}
		})
	}
}

// A certain answer counts, whatever was known before, and whatever fails after it.
func TestABotThatIsGoneIsUsedNoMore(t *testing.T) {
	for name, goes := range map[string]func(*server, string){
		"deleted":                func(s *server, id string) { delete(s.bots, id); delete(s.users, id) },
		"given to somebody else": func(s *server, id string) { s.bots[id].OwnerId = member },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			id := s.botOf("teleport", pluginID)
			p := activate(t, s)
			s.set(func() {
				goes(s, id)
				for n := range botNames {
					s.person(botName(n))
				}
			})
			if !p.makeBot() || p.bot.id() != "" {
				t.Errorf("the bot is %q", p.bot.id())
			}
			// It does not come back because the next answer fails.
			s.set(func() { s.kvFails = true })
			if p.makeBot(); p.bot.id() != "" {
				t.Errorf("the bot is %q", p.bot.id())
			}
			s.set(func() {
				s.kvFails = false
				delete(s.users, "person teleport-access")
			})
			if !p.makeBot() || p.bot.id() == "" || p.bot.id() == id || s.made != 1 {
				t.Errorf("the bot is %q", p.bot.id())
			}
		})
	}
}

func TestABotWhoseIdIsForgottenIsStillTheBot(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	id := p.bot.id()
	s.set(func() {
		delete(s.values, botKey)
		s.bots[id].Username, s.users[id].Username = "gatekeeper", "gatekeeper"
	})
	if !p.makeBot() || p.bot.id() != id || s.made != 1 || string(s.values[botKey]) != id {
		t.Errorf("the bot is %q, remembered is %q", p.bot.id(), s.values[botKey])
	}
}

func TestTwoNodesThatStartAtOnceHaveOneBot(t *testing.T) {
	s := newServer(t)
	// The other node is faster by a moment.
	s.creating = func(account *model.Bot) {
		s.creating = nil
		s.botOf(account.Username, pluginID)
	}
	p := activate(t, s)
	if p.bot.id() != "bot teleport" || s.made != 0 {
		t.Errorf("the bot is %q, made were %d", p.bot.id(), s.made)
	}
}

func TestANameThatIsTakenMeanwhileIsNotTheBots(t *testing.T) {
	s := newServer(t)
	s.creating = func(account *model.Bot) {
		s.creating = nil
		s.person(account.Username)
	}
	p := activate(t, s)
	if id := p.bot.id(); id == "" || s.users[id].Username != "teleport-access" {
		t.Errorf("the bot is %q", id)
	}
}

func TestTheNamesOfTheBotAreUsernames(t *testing.T) {
	seen := map[string]bool{}
	for n := range botNames {
		name := botName(n)
		if seen[name] || !model.IsValidUsername(name) || len(name) > model.UserNameMaxLength {
			t.Errorf("%q", name)
		}
		seen[name] = true
	}
}

func TestABotThatIsDisabledOrSomebodyElsesIsRedBeforeItIsLookedAtAgain(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	id := p.bot.id()
	line := "**Bot account**: @teleport"
	if text := run(t, p, admin, "/teleport status"); !strings.Contains(text, "✅ "+line) {
		t.Fatalf("a good bot:\n%s", text)
	}
	s.set(func() { s.bots[id].DeleteAt = 1 })
	if text := run(t, p, admin, "/teleport status"); !strings.Contains(text, "❌ "+line+" is disabled") {
		t.Errorf("a disabled bot:\n%s", text)
	}
	s.set(func() { s.bots[id].DeleteAt, s.bots[id].OwnerId = 0, member })
	if text := run(t, p, admin, "/teleport status"); !strings.Contains(text, "❌ "+line+" is not this plugin's any more") {
		t.Errorf("somebody else's bot:\n%s", text)
	}
}
