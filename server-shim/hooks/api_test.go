package hooks

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin"
	"github.com/mattermost/mattermost/server/public/plugin/plugintest"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/coretest"
)

// soon is how long a test waits for what should happen at once.
const soon = 2 * time.Minute

const (
	admin  = "adminadminadminadminadmina"
	member = "membermembermembermemberme"
	botID  = "botbotbotbotbotbotbotbotbo"

	pluginID = "io.github.teleport-access"
)

// server stands for a Mattermost server, as far as the shim and the core ask it. What is not here panics.
type server struct {
	plugintest.API
	bundle string

	mu       sync.Mutex
	settings map[string]any
	values   map[string][]byte
	lines    []string
	commands []*model.Command
	picture  []byte
	pictures int
	users    map[string]*model.User
	// bots are those of the users that are bots, and made how many were.
	bots map[string]*model.Bot
	made int
	// botFails makes the server not tell about bots; creating is called while one is made.
	botFails bool
	creating func(*model.Bot)
	// kvFails makes the key-value store fail.
	kvFails bool
	// version of the server; empty: a new one.
	version string
	// replica is the address of a replica that the server watches, and shows makes it show secret settings.
	replica string
	shows   bool
	// noConfig makes the server not tell its configuration, and saveFails not save any.
	noConfig, saveFails bool
	// overtake is called before the plugin's own save reaches the server.
	overtake func()
	// running is the plugin that hears of settings that are saved.
	running *Plugin
	// saved counts how often settings were saved.
	saved int
	// getUser is called within GetUser.
	getUser func()
	// whispers are the posts that only one user sees, by the user's id; whisperFails makes none of them arrive.
	whispers     map[string][]*model.Post
	whisperFails bool
}

func newServer(t testing.TB) *server {
	t.Helper()
	return &server{
		bundle:   bundle(t),
		settings: map[string]any{},
		values:   map[string][]byte{},
		bots:     map[string]*model.Bot{},
		users: map[string]*model.User{
			admin:  {Id: admin, Username: "admin", Roles: "system_user system_admin"},
			member: {Id: member, Username: "member", Roles: "system_user"},
		},
	}
}

// bundle is the plugin as Mattermost unpacks it.
func bundle(t testing.TB) string {
	t.Helper()
	directory := t.TempDir()
	top := filepath.Join(filepath.Dir(coretest.Path(t)), "..")
	for from, to := range map[string]string{
		filepath.Join(top, "plugin.json"):        "plugin.json",
		coretest.Path(t):                         "core/core.wasm",
		filepath.Join(top, "assets", "icon.svg"): "assets/icon.svg",
		filepath.Join(top, "assets", "bot.png"):  "assets/bot.png",
	} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(directory, to)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// All tests share what the first one compiled, in the user's cache.
	if err := os.WriteFile(filepath.Join(directory, "cache"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return directory
}

// compiled is a directory for the compiled core.
var compiled string

func TestMain(m *testing.M) {
	sealPause = 10 * time.Millisecond
	var err error
	if compiled, err = os.MkdirTemp("", "compiled-"); err != nil {
		panic(err)
	}
	if err := os.Setenv("XDG_CACHE_HOME", compiled); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(compiled)
	os.Exit(code)
}

func (s *server) log(level, message string, pairs []any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, level+" "+message+" "+fmt.Sprintln(pairs...))
}

// logged are the lines of the log that hold a text.
func (s *server) logged(part string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.lines), func(line string) bool { return !strings.Contains(line, part) })
}

func (s *server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *server) LogDebug(message string, pairs ...any) { s.log("debug", message, pairs) }
func (s *server) LogInfo(message string, pairs ...any)  { s.log("info", message, pairs) }
func (s *server) LogWarn(message string, pairs ...any)  { s.log("warn", message, pairs) }
func (s *server) LogError(message string, pairs ...any) { s.log("error", message, pairs) }

func (s *server) GetBundlePath() (string, error) { return s.bundle, nil }

func (s *server) GetServerVersion() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.version, "11.4.0")
}

func (s *server) GetConfig() *model.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	config := &model.Config{}
	config.SetDefaults()
	if s.shows {
		config.PluginSettings.Plugins[pluginID] = maps.Clone(s.settings)
	}
	config.ServiceSettings.SiteURL = model.NewPointer("https://chat.example")
	return config
}

func (s *server) LoadPluginConfiguration(dest any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	encoded, err := json.Marshal(s.settings)
	if err != nil {
		return err
	}
	return json.Unmarshal(encoded, dest)
}

func (s *server) GetUnsanitizedConfig() *model.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.noConfig {
		return nil
	}
	config := &model.Config{}
	config.SetDefaults()
	config.PluginSettings.Plugins[pluginID] = maps.Clone(s.settings)
	if s.replica != "" {
		config.SqlSettings.ReplicaLagSettings = []*model.ReplicaLagSettings{{DataSource: &s.replica}}
	}
	return config
}

// SavePluginConfig saves the plugin's settings, as Mattermost does.
func (s *server) SavePluginConfig(settings map[string]any) *model.AppError {
	if s.overtake != nil {
		s.overtake()
	}
	return s.save(settings, nil)
}

// save saves settings of the plugin, and perhaps others, as Mattermost does whoever wants it.
func (s *server) save(settings map[string]any, others func(*model.Config)) *model.AppError {
	config := &model.Config{}
	config.SetDefaults()
	config.PluginSettings.Plugins[pluginID] = maps.Clone(settings)
	if others != nil {
		others(config)
	}
	another, err := s.running.ConfigurationWillBeSaved(config)
	if err != nil {
		var appErr *model.AppError
		if errors.As(err, &appErr) {
			return appErr
		}
		return model.NewAppError("saveConfig", "app.save_config.plugin_hook_error", nil, "", http.StatusBadRequest)
	}
	if another != nil {
		panic("what the plugin gives back loses settings of the server")
	}
	changed := false
	s.set(func() {
		if s.saveFails {
			err = errBroken
			return
		}
		s.saved++
		after := maps.Clone(settings)
		for key, value := range after {
			if value == model.FakeSetting {
				after[key] = s.settings[key]
			}
		}
		changed = !reflect.DeepEqual(s.settings, after)
		s.settings = after
	})
	if err != nil {
		return model.NewAppError("saveConfig", "broken", nil, "", http.StatusInternalServerError)
	}
	if changed {
		if err := s.running.OnConfigurationChange(); err != nil {
			panic(err)
		}
	}
	return nil
}

// stored is what a setting is now.
func (s *server) stored(key string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings[key]
}

func (s *server) RegisterCommand(command *model.Command) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands = append(s.commands, command)
	return command.AutocompleteData.IsValid()
}

func (s *server) GetUserByUsername(name string) (*model.User, *model.AppError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, user := range s.users {
		if user.Username == name {
			return user, nil
		}
	}
	return nil, model.NewAppError("GetUserByUsername", "no such user", nil, "", http.StatusNotFound)
}

func (s *server) GetBot(id string, deleted bool) (*model.Bot, *model.AppError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.botFails {
		return nil, model.NewAppError("GetBot", "broken", nil, "", http.StatusInternalServerError)
	}
	account, is := s.bots[id]
	if !is || (account.DeleteAt != 0 && !deleted) {
		return nil, model.NewAppError("GetBot", "no such bot", nil, "", http.StatusNotFound)
	}
	account.Username = s.users[id].Username
	copied := *account
	return &copied, nil
}

func (s *server) CreateBot(account *model.Bot) (*model.Bot, *model.AppError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.creating != nil {
		s.creating(account)
	}
	for _, user := range s.users {
		if user.Username == account.Username {
			return nil, model.NewAppError("CreateBot", "app.user.save.username_exists.app_error", nil, "", http.StatusBadRequest)
		}
	}
	made := *account
	if made.OwnerId == "" {
		made.OwnerId = pluginID
	}
	made.UserId = botID
	if _, is := s.users[botID]; is {
		made.UserId = model.NewId()
	}
	s.users[made.UserId] = &model.User{Id: made.UserId, Username: made.Username, IsBot: true}
	s.bots[made.UserId] = &made
	s.made++
	copied := made
	return &copied, nil
}

func (s *server) SetProfileImage(_ string, picture []byte) *model.AppError {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.picture = picture
	s.pictures++
	return nil
}

func (s *server) GetUser(id string) (*model.User, *model.AppError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.getUser != nil {
		s.getUser()
	}
	user, ok := s.users[id]
	if !ok {
		return nil, model.NewAppError("GetUser", "no such user", nil, "", http.StatusNotFound)
	}
	return user, nil
}

// contextOf is the context in which Mattermost calls the plugin for a user, or for nobody.
func contextOf(user string) *plugin.Context {
	if user == "" {
		return &plugin.Context{}
	}
	return &plugin.Context{SessionId: "session of " + user, IPAddress: "192.0.2.1"}
}

func (s *server) SendEphemeralPost(userID string, post *model.Post) *model.Post {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.whisperFails {
		return nil
	}
	if s.whispers == nil {
		s.whispers = map[string][]*model.Post{}
	}
	s.whispers[userID] = append(s.whispers[userID], post)
	return post
}

func (s *server) GetSession(id string) (*model.Session, *model.AppError) {
	user, is := strings.CutPrefix(id, "session of ")
	if !is {
		return nil, model.NewAppError("GetSession", "no such session", nil, "", http.StatusBadRequest)
	}
	return &model.Session{Id: id, UserId: user}, nil
}

func (s *server) GetChannel(string) (*model.Channel, *model.AppError) {
	return nil, model.NewAppError("GetChannel", "no such channel", nil, "", http.StatusNotFound)
}

func (s *server) KVGet(key string) ([]byte, *model.AppError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kvFails {
		return nil, model.NewAppError("KVGet", "broken", nil, "", http.StatusInternalServerError)
	}
	return s.values[key], nil
}

func (s *server) KVSetWithOptions(key string, value []byte, options model.PluginKVSetOptions) (bool, *model.AppError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kvFails {
		return false, model.NewAppError("KVSet", "broken", nil, "", http.StatusInternalServerError)
	}
	if options.Atomic && !bytes.Equal(s.values[key], options.OldValue) {
		return false, nil
	}
	if value == nil {
		delete(s.values, key)
	} else {
		s.values[key] = value
	}
	return true, nil
}

func (s *server) KVList(page, perPage int) ([]string, *model.AppError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := slices.Sorted(maps.Keys(s.values))
	from := min(page*perPage, len(keys))
	return keys[from:min(from+perPage, len(keys))], nil
}

// activate runs the plugin on the server for the time of the test.
func activate(t testing.TB, s *server) *Plugin {
	t.Helper()
	p := New("test-build")
	p.SetAPI(s)
	s.running = p
	// As Mattermost does.
	if err := p.OnConfigurationChange(); err != nil {
		t.Fatal(err)
	}
	if err := p.OnActivate(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.OnDeactivate(); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the core is there", func() bool {
		return run(t, p, member, "/teleport help") != textRestarting
	})
	s.set(func() { s.lines = slices.DeleteFunc(s.lines, isAboutStarting) })
	return p
}

// isAboutStarting says whether a line of the log only tells that the core was not there yet.
func isAboutStarting(line string) bool { return strings.Contains(line, "the core is being started") }

func eventually(t testing.TB, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if true() {
			return
		}
	}
	t.Fatalf("it never happened that %s", what)
}

var errBroken = errors.New("broken")
