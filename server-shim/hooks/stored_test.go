package hooks

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/coretest"
)

func TestWhatWasStoredInTheClearIsSealedAtTheNextStart(t *testing.T) {
	s := newServer(t)
	identity := coretest.Identity(t)
	more, err := json.Marshal([]map[string]string{{"TeleportAddress": "127.0.0.1:2", "Identity": identity}})
	if err != nil {
		t.Fatal(err)
	}
	// Written by a configuration file, or while the plugin did not run. Nobody listens there.
	s.settings = map[string]any{
		"teleportaddress": "127.0.0.1:1", "Identity": identity, "MoreClusters": string(more), "unknown": []any{"kept"},
	}
	p := activate(t, s)
	isSealed := func() bool {
		text, _ := s.stored("Identity").(string)
		clusters, _ := s.stored("MoreClusters").(string)
		return strings.HasPrefix(text, "sealed:v2:") &&
			strings.Contains(clusters, `"sealed:v2:`) && !strings.Contains(clusters, "PRIVATE KEY")
	}
	eventually(t, "the keys are sealed", isSealed)
	if s.stored("teleportaddress") != "127.0.0.1:1" || s.stored("unknown") == nil {
		t.Error("other settings were changed")
	}
	eventually(t, "the core can use the sealed credentials", connects(t, p))
	if text := run(t, p, admin, "/teleport status"); strings.Contains(text, "stored as it was pasted") {
		t.Errorf("the status still says %q", text)
	}
}

func TestAListInTheClearIsSealedAtTheNextStart(t *testing.T) {
	s := newServer(t)
	identity := coretest.Identity(t)
	// As a configuration file may have it, where it is no text in a text.
	s.settings = map[string]any{"MoreClusters": []any{
		map[string]any{"TeleportAddress": "127.0.0.1:2", "Identity": identity, "Recipients": "ops/two"},
	}}
	activate(t, s)
	eventually(t, "the key is sealed", func() bool {
		clusters, _ := s.stored("MoreClusters").(string)
		return strings.Contains(clusters, `"sealed:v2:`) && strings.Contains(clusters, "ops/two") &&
			!strings.Contains(clusters, "PRIVATE KEY")
	})
}

func TestAListThatHasChangedMeanwhileIsLeftAlone(t *testing.T) {
	row := func(address string) []any { return []any{map[string]any{"a": address, "port": 1.0}} }
	due := []sealed{{key: "moreclusters", pasted: row("one"), text: "sealed"}}
	for name, test := range map[string]struct {
		stored  any
		changed bool
	}{
		"the same":     {row("one"), true},
		"another one":  {row("two"), false},
		"a text":       {"one", false},
		"nothing":      {nil, false},
		"another kind": {map[string]any{"a": "one"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			after, changed := withSealed(map[string]any{"MoreClusters": test.stored, "list": row("one")}, due)
			if changed != test.changed || (after["MoreClusters"] == "sealed") != test.changed || len(after) != 2 {
				t.Errorf("it is %v", after)
			}
		})
	}
}

func TestWhatIsNotStoredAnyMoreAsItWasPastedIsLeftAlone(t *testing.T) {
	s, p, _ := withChecker(t, map[string]any{"Identity": "another by now"}, asItIs)
	saved := s.saved
	p.sealStored(json.RawMessage(`{"identity":"pasted"}`), []byte(`{"identity":"sealed"}`))
	p.sealStored(json.RawMessage(`{"identity":"pasted"}`), nil)
	p.sealStored(json.RawMessage(`[]`), []byte(`{"identity":"sealed"}`))
	eventually(t, "there is nothing due any more", func() bool {
		p.saves.mu.Lock()
		defer p.saves.mu.Unlock()
		return len(p.saves.due) == 0
	})
	p.saves.running.Lock()
	defer p.saves.running.Unlock()
	if s.saved != saved || s.stored("Identity") != "another by now" {
		t.Errorf("it is %v after %d saves", s.stored("Identity"), s.saved-saved)
	}
}
