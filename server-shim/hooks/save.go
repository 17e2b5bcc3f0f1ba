package hooks

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
)

// checkTimeout bounds how long somebody who saves any of the server's settings may wait for us.
var checkTimeout = 5 * time.Second

// ConfigurationWillBeSaved refuses settings of this plugin that the core finds wrong. Mattermost calls it whenever any
// setting of the server is saved, so it holds up nothing else; and where the core cannot answer, it holds up nothing.
//
// It never gives Mattermost another configuration to save. On the way there and back the settings lose every false, 0
// and empty text, and all that this build's SDK does not know: the server would put its defaults in their place, such
// as letting everybody create an account. What the core wants saved in another form is saved afterwards, see sealSoon.
func (p *Plugin) ConfigurationWillBeSaved(config *model.Config) (_ *model.Config, refusal error) {
	// A panic would end the whole plugin.
	defer func() {
		if problem := recover(); problem != nil {
			p.API.LogError("Checking settings failed; they are saved as they are.",
				"panic", fmt.Sprint(problem), "stack", string(debug.Stack()))
			refusal = nil
		}
	}()
	if !p.ready.Load() || config == nil {
		return nil, nil
	}
	problems := p.check(config.PluginSettings.Plugins[p.manifest.Id], isMultiFactorOff(config))
	if problems == "" {
		return nil, nil
	}
	// Of any other error Mattermost shows only that there was one. The text must not be looked up as a translation's name.
	return nil, &model.AppError{
		Id:              p.manifest.Id + ".settings",
		Message:         problems,
		Where:           "ConfigurationWillBeSaved",
		StatusCode:      http.StatusBadRequest,
		SkipTranslation: true,
	}
}

// check asks the core about settings that are about to be saved, and returns its objections, one a line. It is empty
// where there are none.
func (p *Plugin) check(given map[string]any, multiFactorOff bool) string {
	if p.saves.isOwn(p.asRead(given)) {
		return p.compareAgain()
	}
	p.saves.enter()
	defer p.saves.passed()
	stored, ok := p.storedSettings()
	if !ok {
		p.API.LogWarn("The settings could not be compared with those that are stored; they are saved unchecked.")
		return ""
	}
	after, before := p.asSaved(given, stored), p.asRead(stored)
	if isUnchanged(after, before) {
		return ""
	}
	answer, err := p.ask(after, before, multiFactorOff)
	if err != nil {
		p.API.LogWarn("The settings could not be checked; they are saved as they are.", "error", err.Error())
		return ""
	}
	var problems []string
	for _, problem := range answer.GetProblems() {
		text := problem.GetMessage()
		if problem.GetSetting() != "" {
			text = problem.GetSetting() + ": " + text
		}
		problems = append(problems, text)
	}
	if len(problems) == 0 {
		p.noteSealed(after, answer.GetSettingsJson())
	}
	return strings.Join(problems, "\n")
}

// textChangedMeanwhile keeps the plugin's own save from undoing somebody else's.
const textChangedMeanwhile = "the plugin's settings have changed meanwhile"

// compareAgain looks at the stored settings once more, right before Mattermost writes the plugin's own: what another node
// or another process has saved since they were read would be lost. It is empty where nothing has changed.
func (p *Plugin) compareAgain() string {
	stored, ok := p.storedSettings()
	if !ok || !p.saves.isBase(stored) {
		return textChangedMeanwhile
	}
	return ""
}

// ask asks the core.
func (p *Plugin) ask(after, before map[string]any, multiFactorOff bool) (*pb.CheckConfigurationResponse, error) {
	request := &pb.CheckConfigurationRequest{MultiFactorOff: multiFactorOff}
	var err error
	if request.NewSettingsJson, err = json.Marshal(after); err != nil {
		return nil, err
	}
	if request.OldSettingsJson, err = json.Marshal(before); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	answer, err := client(p.actor.Own()).CheckConfiguration(ctx, connect.NewRequest(request))
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}

// storedSettings are the plugin's settings exactly as Mattermost keeps them, secrets included.
func (p *Plugin) storedSettings() (map[string]any, bool) {
	// Neither GetPluginConfig, which hides secrets, nor LoadPluginConfiguration, which changes keys and adds defaults:
	// what is saved later must not differ in any of that.
	config := p.API.GetUnsanitizedConfig()
	if config == nil {
		return nil, false
	}
	return config.PluginSettings.Plugins[p.manifest.Id], true
}

// asRead are settings as Mattermost hands them over: with keys in lower case, and defaults where nothing is set.
func (p *Plugin) asRead(stored map[string]any) map[string]any {
	read := map[string]any{}
	if p.manifest.SettingsSchema != nil {
		for _, setting := range p.manifest.SettingsSchema.Settings {
			read[strings.ToLower(setting.Key)] = setting.Default
		}
	}
	maps.Copy(read, inLowerCase(stored))
	return read
}

// inLowerCase are settings with their keys in lower case.
func inLowerCase(settings map[string]any) map[string]any {
	lower := make(map[string]any, len(settings))
	// Where a key is there in several spellings, always the same one counts.
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		lower[strings.ToLower(key)] = settings[key]
	}
	return lower
}

// asSaved are given settings as they will be read when they have been saved, except that what stays as it is stays
// masked.
func (p *Plugin) asSaved(given, stored map[string]any) map[string]any {
	saved := maps.Clone(given)
	for key, value := range saved {
		// Mattermost puts back what is stored under the very same key; where that is nothing, so it remains.
		if _, is := stored[key]; isMask(value) && !is {
			saved[key] = nil
		}
	}
	return p.asRead(saved)
}

// isMask says whether a value stands for the one that is stored.
func isMask(value any) bool { return value == model.FakeSetting }

// isUnchanged says whether settings are the stored ones.
func isUnchanged(after, before map[string]any) bool {
	for key, value := range after {
		old, is := before[key]
		if !is || (!isMask(value) && !reflect.DeepEqual(value, old)) {
			return false
		}
	}
	return len(after) == len(before)
}

// mostPauses bounds how often it is waited for the saves of others.
const mostPauses = 60

// sealPause is how long it takes after any save until settings are saved again in the form that the core wants. The save
// that we heard of must be over by then, with all that Mattermost tells the other nodes of it: nothing else keeps two
// saves apart.
var sealPause = time.Second

// sealed is what to save in place of what was pasted: a text, or a list of the kind that a configuration file may have.
type sealed struct {
	key    string
	pasted any
	text   string
}

// saves is what the plugin itself saves.
type saves struct {
	// running is held while it is saved.
	running sync.Mutex

	mu sync.Mutex
	// due is what to save in another form.
	due []sealed
	// last is when somebody else last saved something; inside counts those whose saves are being checked.
	last   time.Time
	inside int
	// own is what is being saved now, as it will be read; base is what it was made of, as it was stored.
	own, base map[string]any
	// changed is true once the stored settings were seen to differ from base.
	changed bool
	// over is closed when that is over; nil while nothing is being saved.
	over chan struct{}
}

// isOwn says whether settings are those that the plugin itself is saving.
func (s *saves) isOwn(after map[string]any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.own != nil && reflect.DeepEqual(after, s.own)
}

// begin keeps the saves of others waiting until end. It answers false, and does nothing, while there are saves of others that
// may not be over yet: what they save would be lost.
func (s *saves) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inside > 0 || time.Since(s.last) < sealPause {
		return false
	}
	s.over = make(chan struct{})
	return true
}

// setOwn says what is being saved, and what it was made of.
func (s *saves) setOwn(own, base map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own, s.base, s.changed = own, base, false
}

// isBase says whether settings are still those that the plugin's own save was made of.
func (s *saves) isBase(stored map[string]any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	is := len(stored) == len(s.base) && (len(stored) == 0 || reflect.DeepEqual(stored, s.base))
	s.changed = s.changed || !is
	return is
}

// wasOvertaken says whether the plugin's own save was given up because of another one.
func (s *saves) wasOvertaken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *saves) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own, s.base = nil, nil
	close(s.over)
	s.over = nil
}

// enter takes note of a save of somebody else's that is about to be checked, once the plugin itself saves nothing. It does
// not wait for ever: it may be the plugin's own save that it does not recognise, because another plugin has changed it.
func (s *saves) enter() {
	patience := time.After(checkTimeout)
	for {
		s.mu.Lock()
		over := s.over
		if over == nil {
			s.inside++
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		select {
		case <-over:
		case <-patience:
			s.mu.Lock()
			s.inside++
			s.mu.Unlock()
			return
		}
	}
}

// passed takes note that it has been checked; Mattermost writes it in the next moments.
func (s *saves) passed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside--
	s.last = time.Now()
}

// rest is how long it has still to be waited for the saves of others.
func (s *saves) rest() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inside > 0 {
		return sealPause
	}
	return sealPause - time.Since(s.last)
}

// take returns what is due, which it is no more then.
func (s *saves) take() []sealed {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := s.due
	s.due = nil
	return due
}

// noteSealed remembers which texts the core wants saved in another form.
func (p *Plugin) noteSealed(after map[string]any, settingsJSON []byte) {
	var wanted map[string]any
	if err := json.Unmarshal(settingsJSON, &wanted); err != nil {
		p.API.LogWarn("The core did not say how to save the settings; they are saved as they are.", "error", err.Error())
		return
	}
	p.saves.mu.Lock()
	defer p.saves.mu.Unlock()
	for key, value := range inLowerCase(wanted) {
		pasted := after[key]
		text, is := value.(string)
		isKnown := slices.ContainsFunc(p.saves.due, func(one sealed) bool {
			return one.key == key && reflect.DeepEqual(one.pasted, pasted)
		})
		if is && pasted != nil && !reflect.DeepEqual(pasted, value) && !isMask(pasted) && !isKnown {
			p.saves.due = append(p.saves.due, sealed{key: key, pasted: pasted, text: text})
		}
	}
}

// sealStored saves stored settings in the form that the core wants: what was stored as it was pasted while no core could
// be asked is sealed. wanted is empty where all is as it should be.
func (p *Plugin) sealStored(stored json.RawMessage, wanted []byte) {
	if len(wanted) == 0 {
		return
	}
	var settings map[string]any
	if err := json.Unmarshal(stored, &settings); err != nil {
		p.API.LogWarn("The settings cannot be sealed: they are no object.", "error", err.Error())
		return
	}
	p.noteSealed(inLowerCase(settings), wanted)
	p.sealSoon()
}

// sealSoon saves what is due in the form that the core wants, once the save that is going on is over.
func (p *Plugin) sealSoon() {
	p.saves.mu.Lock()
	due := len(p.saves.due) > 0
	p.saves.mu.Unlock()
	if !due {
		return
	}
	// OnDeactivate does not wait for it: saving waits for Mattermost, which may be waiting for OnDeactivate.
	go func() {
		defer func() {
			if problem := recover(); problem != nil {
				p.API.LogError("Sealing what was pasted failed.",
					"panic", fmt.Sprint(problem), "stack", string(debug.Stack()))
			}
		}()
		p.saves.running.Lock()
		defer p.saves.running.Unlock()
		for range mostPauses {
			if p.saves.begin() {
				defer p.saves.end()
				if p.ready.Load() {
					p.seal(p.saves.take())
				}
				return
			}
			time.Sleep(p.saves.rest())
		}
		p.API.LogWarn("What was pasted could not be sealed yet: settings are being saved all the time. It is tried again with the next save.")
	}()
}

// mostSeals bounds how often it is tried to seal while others save.
const mostSeals = 5

// seal saves texts in the form that the core wants, where they are still stored as they were pasted. All other settings
// are left as they are: where they change between look and save, it is looked again.
func (p *Plugin) seal(due []sealed) {
	if p.isLossy() {
		return
	}
	var appErr *model.AppError
	for range mostSeals {
		stored, ok := p.storedSettings()
		if !ok {
			p.API.LogError("What was pasted could not be sealed and is stored as it was pasted: the settings cannot be read. " +
				"Save it once more.")
			return
		}
		after, changed := withSealed(stored, due)
		if !changed {
			return
		}
		// Mattermost asks us about this save, too, and there it is compared again.
		p.saves.setOwn(p.asRead(after), maps.Clone(stored))
		if appErr = p.API.SavePluginConfig(after); appErr == nil {
			return
		}
		if !p.saves.wasOvertaken() {
			break
		}
	}
	p.API.LogError("What was pasted could not be sealed and is stored as it was pasted. Save it once more.",
		"error", appErr.Error())
}

// withSealed are stored settings with texts in their sealed form, where they are still as they were pasted, and whether
// there is any.
func withSealed(stored map[string]any, due []sealed) (map[string]any, bool) {
	after, changed := maps.Clone(stored), false
	for key, value := range stored {
		for _, one := range due {
			if strings.ToLower(key) == one.key && reflect.DeepEqual(value, one.pasted) {
				after[key], changed = one.text, true
			}
		}
	}
	return after, changed
}
