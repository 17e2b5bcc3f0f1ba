package hooks

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/coretest"
	bridgepb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin/pluginconnect"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/wasm"
)

// checker is a core that answers as it is told when settings are about to be saved.
type checker struct {
	pluginconnect.UnimplementedPluginHandler
	answer func(context.Context, *pb.CheckConfigurationRequest) (*pb.CheckConfigurationResponse, error)

	mu    sync.Mutex
	asked []*pb.CheckConfigurationRequest
}

func (c *checker) CheckConfiguration(
	ctx context.Context, request *connect.Request[pb.CheckConfigurationRequest],
) (*connect.Response[pb.CheckConfigurationResponse], error) {
	c.mu.Lock()
	c.asked = append(c.asked, request.Msg)
	c.mu.Unlock()
	answer, err := c.answer(ctx, request.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(answer), nil
}

func (c *checker) times() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.asked)
}

// asItIs lets settings be saved as they are.
func asItIs(_ context.Context, request *pb.CheckConfigurationRequest) (*pb.CheckConfigurationResponse, error) {
	return &pb.CheckConfigurationResponse{SettingsJson: request.GetNewSettingsJson()}, nil
}

// sealing lets settings be saved with what begins with "pasted" sealed.
func sealing(_ context.Context, request *pb.CheckConfigurationRequest) (*pb.CheckConfigurationResponse, error) {
	var settings map[string]any
	if err := json.Unmarshal(request.GetNewSettingsJson(), &settings); err != nil {
		return nil, err
	}
	for key, value := range settings {
		if text, is := value.(string); is && strings.HasPrefix(text, "pasted") {
			settings[key] = "sealed:v1:" + text[len("pasted"):]
		}
	}
	encoded, err := json.Marshal(settings)
	return &pb.CheckConfigurationResponse{SettingsJson: encoded}, err
}

// withChecker runs the plugin with a fake core, on a server with settings.
func withChecker(
	t testing.TB, settings map[string]any,
	answer func(context.Context, *pb.CheckConfigurationRequest) (*pb.CheckConfigurationResponse, error),
) (*server, *Plugin, *checker) {
	t.Helper()
	s := newServer(t)
	p := activate(t, s)
	fake := &checker{answer: answer}
	replaceCore(t, p, startFake(t, fake, nil))
	// The real core hears of no settings any more: it would have what is in them sealed.
	eventually(t, "the core has started", func() bool {
		p.core.mu.Lock()
		defer p.core.mu.Unlock()
		started := p.core.newest != nil
		p.core.newest = nil
		return started
	})
	s.mu.Lock()
	s.settings = settings
	s.mu.Unlock()
	return s, p, fake
}

func TestWrongSettingsAreRefusedInTheCoresWords(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	appErr := s.save(map[string]any{"teleportaddress": "not an address", "askreason": "perhaps"}, nil)
	if appErr == nil {
		t.Fatal("they were saved")
	}
	lines := strings.Split(appErr.Message, "\n")
	if len(lines) != 2 || !strings.Contains(appErr.Message, "TeleportAddress: ") || !strings.Contains(appErr.Message, "AskReason: ") {
		t.Errorf("the admin reads %q", appErr.Message)
	}
	// So that Mattermost shows the text instead of looking for a translation of it.
	if !appErr.SkipTranslation || appErr.StatusCode != http.StatusBadRequest {
		t.Errorf("the error is %#v", appErr)
	}
	if s.saved != 0 {
		t.Error("something was saved")
	}
	// What is only missing may be saved.
	if appErr := s.save(map[string]any{"recipients": "ops/access"}, nil); appErr != nil {
		t.Errorf("settings that are not complete: %v", appErr)
	}
	if text := run(t, p, member, "/teleport help"); !strings.Contains(text, "status") {
		t.Errorf("afterwards help says %q", text)
	}
}

func TestMFAIsNotRequiredOnAServerThatHasItSwitchedOff(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	required := map[string]any{"recipients": "ops/access", "requiremfa": true}
	switchTo := func(on *bool) func(*model.Config) {
		return func(config *model.Config) { config.ServiceSettings.EnableMultifactorAuthentication = on }
	}
	// On its way to the plugin a configuration loses every false.
	for _, off := range []*bool{nil, model.NewPointer(false)} {
		appErr := s.save(required, switchTo(off))
		if appErr == nil || !strings.Contains(appErr.Message, "RequireMFA: Nobody can decide") {
			t.Errorf("switched off: %v", appErr)
		}
	}
	if appErr := s.save(required, switchTo(model.NewPointer(true))); appErr != nil {
		t.Errorf("switched on: %v", appErr)
	}
	// And where it is switched off later the status says so: this server's own configuration has it off.
	eventually(t, "the status says so", func() bool {
		return strings.Contains(run(t, p, admin, "/teleport status"), "❌ **Multi-factor authentication**")
	})
}

// connects says whether the core can use the credentials: it gets as far as to a port where nobody listens.
func connects(t testing.TB, p *Plugin) func() bool {
	return func() bool { return strings.Contains(run(t, p, admin, "/teleport status"), "Nobody listens") }
}

func TestPastedCredentialsAreSealedRightAfterTheSave(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	identity := coretest.Identity(t)
	s.settings = map[string]any{"Approvers": "alice", "auditretentiondays": 7.0, "unknown": []any{"kept"}}
	settings := map[string]any{
		"Approvers": "alice", "auditretentiondays": 7.0, "unknown": []any{"kept"},
		// Nobody listens there.
		"teleportaddress": "127.0.0.1:1", "loglevel": "info",
		"identity": identity,
	}
	if appErr := s.save(settings, nil); appErr != nil {
		t.Fatal(appErr)
	}
	isSealed := func() bool {
		text, _ := s.stored("identity").(string)
		return strings.HasPrefix(text, "sealed:v2:")
	}
	eventually(t, "the key is sealed", isSealed)
	for name, value := range settings {
		if name != "identity" && !reflect.DeepEqual(s.stored(name), value) {
			t.Errorf("%s is %v now", name, s.stored(name))
		}
	}
	opened, err := p.bridge.Unseal(context.Background(),
		connect.NewRequest(&bridgepb.UnsealRequest{Sealed: s.stored("identity").(string), Use: "Identity"}))
	if err != nil || strings.TrimSpace(opened.Msg.GetText()) != strings.TrimSpace(identity) {
		t.Errorf("it opens as %q, %v", opened.Msg.GetText(), err)
	}
	eventually(t, "a plugin that is started anew uses what was sealed", connects(t, activate(t, s)))
	// The page shows asterisks from now on.
	sealed := s.stored("identity")
	settings["identity"], settings["loglevel"] = model.FakeSetting, "warn"
	if appErr := s.save(settings, nil); appErr != nil {
		t.Fatal(appErr)
	}
	if s.stored("identity") != sealed || s.stored("loglevel") != "warn" {
		t.Error("saving another setting changed the key, or did not change the setting")
	}
	if lines := s.logged("-----BEGIN PRIVATE KEY"); len(lines) > 0 {
		t.Error("the log tells the key")
	}
}

func TestCredentialsThatWereSavedUnsealedGoOnWorking(t *testing.T) {
	s := newServer(t)
	identity := coretest.Identity(t)
	s.settings = map[string]any{
		"teleportaddress": "127.0.0.1:1", "loglevel": "info",
		"identity": identity,
	}
	p := activate(t, s)
	eventually(t, "the core uses them", connects(t, p))
	isSealed := func() bool {
		text, _ := s.stored("identity").(string)
		return strings.HasPrefix(text, "sealed:v2:")
	}
	eventually(t, "they are sealed", isSealed)
	eventually(t, "the core uses them all the same", connects(t, p))
	appErr := s.save(map[string]any{
		"teleportaddress": "127.0.0.1:1", "loglevel": "warn",
		"identity": model.FakeSetting,
	}, nil)
	if appErr != nil || !isSealed() || s.stored("loglevel") != "warn" {
		t.Errorf("saving another setting: %v", appErr)
	}
}

func TestSavesThatDoNotConcernThePluginAreNotHeldUp(t *testing.T) {
	stored := map[string]any{
		"teleportaddress": "wrong since long ago", "identity": "secret", "Approvers": "alice",
		"auditretentiondays": 365.0, "userstrait": nil, "more": map[string]any{"a": []any{1.0}},
	}
	for name, settings := range map[string]map[string]any{
		"as they are stored": stored,
		"with masks": {
			"teleportaddress": "wrong since long ago", "identity": model.FakeSetting, "Approvers": "alice",
			"auditretentiondays": 365.0, "userstrait": nil, "more": map[string]any{"a": []any{1.0}},
		},
		"with other spellings and without defaults": {
			"TeleportAddress": "wrong since long ago", "identity": model.FakeSetting, "approvers": "alice",
			"userstrait": nil, "more": map[string]any{"a": []any{1.0}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, fake := withChecker(t, stored, asItIs)
			appErr := s.save(settings, func(config *model.Config) {
				config.TeamSettings.EnableUserCreation = model.NewPointer(false)
			})
			if appErr != nil || fake.times() != 0 || s.saved != 1 {
				t.Errorf("the core was asked %d times, %v", fake.times(), appErr)
			}
		})
	}
}

func TestTheCoreIsAskedAboutSettingsAsTheyWouldBeSaved(t *testing.T) {
	s, _, fake := withChecker(t, map[string]any{"identity": "secret", "approvers": "alice"}, asItIs)
	appErr := s.save(map[string]any{
		"identity": model.FakeSetting, "Approvers": "bob", "clientkey": model.FakeSetting, "requiremfa": true,
	}, nil)
	if appErr != nil || fake.times() != 1 {
		t.Fatalf("the core was asked %d times, %v", fake.times(), appErr)
	}
	var after, before map[string]any
	if err := errors.Join(json.Unmarshal(fake.asked[0].GetNewSettingsJson(), &after),
		json.Unmarshal(fake.asked[0].GetOldSettingsJson(), &before)); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string][2]any{
		"identity":  {model.FakeSetting, "secret"},
		"approvers": {"bob", "alice"},
		// Nothing is stored that Mattermost could put there.
		"clientkey":  {nil, nil},
		"requiremfa": {true, false},
		// A default.
		"loglevel": {"info", "info"},
	} {
		if got := [2]any{after[key], before[key]}; got != want {
			t.Errorf("%s would be %v and is %v", key, got[0], got[1])
		}
	}
	if len(after) != len(before) {
		t.Errorf("there are %d new settings and %d old ones", len(after), len(before))
	}
}

func TestEveryObjectionStandsInALineOfItsOwn(t *testing.T) {
	s, _, _ := withChecker(t, map[string]any{}, func(
		context.Context, *pb.CheckConfigurationRequest,
	) (*pb.CheckConfigurationResponse, error) {
		return &pb.CheckConfigurationResponse{Problems: []*pb.SettingProblem{
			{Setting: "Identity", Message: "It has expired."}, {Message: "All is wrong."},
		}}, nil
	})
	appErr := s.save(map[string]any{"identity": "x"}, nil)
	if appErr == nil || appErr.Message != "Identity: It has expired.\nAll is wrong." || s.saved != 0 {
		t.Errorf("the admin reads %v", appErr)
	}
}

func TestNobodyIsLockedOutWhereTheCoreCannotAnswer(t *testing.T) {
	answers := map[string]func(context.Context, *pb.CheckConfigurationRequest) (*pb.CheckConfigurationResponse, error){
		"it fails": func(context.Context, *pb.CheckConfigurationRequest) (*pb.CheckConfigurationResponse, error) {
			return nil, connect.NewError(connect.CodeUnavailable, errBroken)
		},
		"it never answers": func(ctx context.Context, _ *pb.CheckConfigurationRequest) (*pb.CheckConfigurationResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"its answer makes no sense": func(context.Context, *pb.CheckConfigurationRequest) (*pb.CheckConfigurationResponse, error) {
			return &pb.CheckConfigurationResponse{SettingsJson: []byte("[")}, nil
		},
	}
	before := checkTimeout
	checkTimeout = 300 * time.Millisecond
	defer func() { checkTimeout = before }()
	for name, answer := range answers {
		t.Run("where "+name, func(t *testing.T) {
			s, _, fake := withChecker(t, map[string]any{}, answer)
			if appErr := s.save(map[string]any{"teleportaddress": "wrong"}, nil); appErr != nil {
				t.Error(appErr)
			}
			if s.saved != 1 || fake.times() != 1 || len(s.logged("saved as they are")) != 1 {
				t.Errorf("saved %d times, the log says %v", s.saved, s.logged("warn"))
			}
		})
	}
	t.Run("where the plugin is not active", func(t *testing.T) {
		s := newServer(t)
		s.running = New("")
		s.running.SetAPI(s)
		if appErr := s.save(map[string]any{"teleportaddress": "wrong"}, nil); appErr != nil || s.saved != 1 {
			t.Error(appErr)
		}
	})
	t.Run("where the settings cannot be read", func(t *testing.T) {
		s, _, fake := withChecker(t, map[string]any{}, asItIs)
		s.noConfig = true
		if appErr := s.save(map[string]any{"teleportaddress": "wrong"}, nil); appErr != nil || s.saved != 1 {
			t.Error(appErr)
		}
		if fake.times() != 0 || len(s.logged("saved unchecked")) != 1 {
			t.Errorf("the log says %v", s.logged(""))
		}
	})
	t.Run("where it panics", func(t *testing.T) {
		s, p, _ := withChecker(t, map[string]any{}, asItIs)
		replaceCore(t, p, (*wasm.Actor)(nil))
		if appErr := s.save(map[string]any{"teleportaddress": "wrong"}, nil); appErr != nil || s.saved != 1 {
			t.Error(appErr)
		}
		if len(s.logged("panic")) != 1 {
			t.Errorf("the log says %v", s.logged(""))
		}
	})
	t.Run("where there is no configuration", func(t *testing.T) {
		_, p, _ := withChecker(t, map[string]any{}, asItIs)
		if config, err := p.ConfigurationWillBeSaved(nil); config != nil || err != nil {
			t.Errorf("it says %v, %v", config, err)
		}
	})
}

func TestSealingTouchesOnlyWhatIsStillStoredAsItWasPasted(t *testing.T) {
	s, p, fake := withChecker(t, map[string]any{}, sealing)
	isDone := func() bool {
		p.saves.mu.Lock()
		defer p.saves.mu.Unlock()
		return len(p.saves.due) == 0
	}
	if appErr := s.save(map[string]any{
		"Identity": "pasted one", "clientkey": "pasted two", "approvers": "alice",
	}, nil); appErr != nil {
		t.Fatal(appErr)
	}
	eventually(t, "both are sealed, under their own names", func() bool {
		return s.stored("Identity") == "sealed:v1: one" && s.stored("clientkey") == "sealed:v1: two"
	})
	if s.stored("approvers") != "alice" || s.stored("identity") != nil {
		t.Errorf("the settings are %v", s.settings)
	}
	if fake.times() != 1 {
		t.Errorf("the core was asked %d times, about what the plugin saves itself, too", fake.times())
	}

	// A save that the core was asked about, and that failed later.
	s.set(func() { s.saveFails = true })
	if appErr := s.save(map[string]any{"Identity": "pasted three"}, nil); appErr == nil {
		t.Fatal("it did not fail")
	}
	if isDone() {
		t.Fatal("nothing is to be sealed")
	}
	var saved int
	s.set(func() { s.saveFails = false; saved = s.saved })
	if err := p.OnConfigurationChange(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is forgotten", isDone)
	p.saves.running.Lock()
	defer p.saves.running.Unlock()
	if s.saved != saved || s.stored("Identity") != "sealed:v1: one" {
		t.Errorf("saved %d times, the identity is %v", s.saved-saved, s.stored("Identity"))
	}
}

func TestWhoSavesWhileThePluginDoesWaitsUntilItHas(t *testing.T) {
	s, p, _ := withChecker(t, map[string]any{"identity": "pasted", "approvers": "alice"}, asItIs)
	begin(p)
	saved := make(chan *model.AppError)
	go func() { saved <- s.save(map[string]any{"identity": "pasted", "approvers": "bob"}, nil) }()
	// It has not asked yet what is stored, and will see what is stored now.
	own := map[string]any{"identity": "sealed:v1:", "approvers": "alice"}
	p.saves.setOwn(p.asRead(own), map[string]any{"identity": "pasted", "approvers": "alice"})
	if appErr := p.API.SavePluginConfig(own); appErr != nil {
		t.Fatal(appErr)
	}
	select {
	case <-saved:
		t.Error("it did not wait")
	default:
	}
	p.saves.end()
	if appErr := <-saved; appErr != nil || s.stored("approvers") != "bob" {
		t.Errorf("the approvers are %v, %v", s.stored("approvers"), appErr)
	}
	// One that never ends holds up nobody for ever.
	before := checkTimeout
	checkTimeout = 10 * time.Millisecond
	defer func() { checkTimeout = before }()
	begin(p)
	if appErr := s.save(map[string]any{"approvers": "bob"}, nil); appErr != nil {
		t.Error(appErr)
	}
	p.saves.end()
}

// begin waits until the plugin may save.
func begin(p *Plugin) {
	for !p.saves.begin() {
		time.Sleep(p.saves.rest())
	}
}

func TestThePluginSavesNothingWhileSomebodyElsesSaveIsBeingCheckedOrWritten(t *testing.T) {
	_, p, _ := withChecker(t, map[string]any{"identity": "pasted"}, asItIs)
	begin(p)
	p.saves.end()
	p.saves.enter()
	p.saves.enter()
	if p.saves.begin() || p.saves.rest() <= 0 {
		t.Error("two others are saving")
	}
	p.saves.passed()
	if p.saves.begin() || p.saves.rest() <= 0 {
		t.Error("another one is saving")
	}
	p.saves.passed()
	if p.saves.begin() {
		t.Error("what was checked just now may not be written yet")
	}
	begin(p)
	p.saves.end()
}

func TestSealingNeverUndoesWhatAnotherNodeSavesMeanwhile(t *testing.T) {
	due := []sealed{{key: "identity", pasted: "pasted", text: "sealed:v1:"}, {key: "clientkey", pasted: "pasted", text: "sealed:v1:"}}
	for name, test := range map[string]struct {
		// times is how often another node saves first.
		times int
		after map[string]any
		want  map[string]any
		fails bool
	}{
		"other settings": {
			1, map[string]any{"identity": "pasted", "clientkey": "pasted", "approvers": "bob"},
			map[string]any{"identity": "sealed:v1:", "clientkey": "sealed:v1:", "approvers": "bob"}, false,
		},
		"one of the secrets": {
			1, map[string]any{"identity": "another", "clientkey": "pasted", "approvers": "bob"},
			map[string]any{"identity": "another", "clientkey": "sealed:v1:", "approvers": "bob"}, false,
		},
		"both of the secrets": {
			1, map[string]any{"identity": "another", "clientkey": "another", "approvers": "bob"},
			map[string]any{"identity": "another", "clientkey": "another", "approvers": "bob"}, false,
		},
		"another setting is new": {
			1, map[string]any{"identity": "pasted", "approvers": "bob", "loglevel": "debug"},
			map[string]any{"identity": "sealed:v1:", "approvers": "bob", "loglevel": "debug"}, false,
		},
		"again and again": {
			mostSeals, map[string]any{"identity": "pasted", "approvers": "bob"},
			map[string]any{"identity": "pasted", "approvers": "bob", "times": mostSeals}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, p, _ := withChecker(t, map[string]any{"identity": "pasted", "clientkey": "pasted", "approvers": "alice"}, asItIs)
			times := 0
			s.overtake = func() {
				if times++; times <= test.times {
					s.set(func() {
						s.settings = maps.Clone(test.after)
						if test.fails {
							s.settings["times"] = times
						}
					})
				}
			}
			p.seal(due)
			if !reflect.DeepEqual(s.settings, test.want) {
				t.Errorf("stored are %v", s.settings)
			}
			if failed := len(s.logged("could not be sealed")) == 1; failed != test.fails {
				t.Errorf("the log says %v", s.logged(""))
			}
		})
	}
}

func TestSealingThatFailsIsToldInTheLog(t *testing.T) {
	s, p, _ := withChecker(t, map[string]any{"identity": "pasted"}, asItIs)
	due := []sealed{{key: "identity", pasted: "pasted", text: "sealed:v1:"}}
	seal := func() {
		begin(p)
		defer p.saves.end()
		p.seal(due)
	}
	s.set(func() { s.saveFails = true })
	seal()
	s.set(func() { s.saveFails, s.noConfig = false, true })
	seal()
	if len(s.logged("could not be sealed")) != 2 || s.stored("identity") != "pasted" {
		t.Errorf("the log says %v", s.logged(""))
	}
	// Whatever failed, the next save is checked again.
	if p.saves.own != nil {
		t.Error("it is still taken for the plugin's own save")
	}
	s.set(func() { s.noConfig = false })
	seal()
	if s.stored("identity") != "sealed:v1:" {
		t.Errorf("the identity is %v", s.stored("identity"))
	}
}

func TestAllHooksHaveTheSignaturesThatMattermostCalls(t *testing.T) {
	hooks, ours := reflect.TypeFor[plugin.Hooks](), reflect.TypeFor[*Plugin]()
	found := 0
	for n := range hooks.NumMethod() {
		hook := hooks.Method(n)
		method, is := ours.MethodByName(hook.Name)
		if !is {
			continue
		}
		found++
		takes, gives := hook.Type, method.Type
		same := takes.NumIn()+1 == gives.NumIn() && takes.NumOut() == gives.NumOut()
		for n := 0; same && n < takes.NumIn(); n++ {
			same = takes.In(n) == gives.In(n+1)
		}
		for n := 0; same && n < takes.NumOut(); n++ {
			same = takes.Out(n) == gives.Out(n)
		}
		if !same {
			t.Errorf("%s is %v, not %v", hook.Name, gives, takes)
		}
	}
	for _, name := range []string{
		"OnActivate", "OnDeactivate", "OnConfigurationChange", "ServeHTTP", "ExecuteCommand",
		"ConfigurationWillBeSaved", "ServeMetrics", "GenerateSupportData",
	} {
		if _, is := ours.MethodByName(name); !is {
			t.Errorf("there is no %s", name)
		}
	}
	if found < 8 {
		t.Errorf("only %d hooks are there", found)
	}
}
