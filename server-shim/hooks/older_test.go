package hooks

import (
	"strings"
	"testing"
)

func TestThePluginSavesNothingWhereTheServerWouldLoseItsOwnSecrets(t *testing.T) {
	for name, test := range map[string]struct {
		version, replica string
		lossy            bool
	}{
		"the oldest server with replicas":    {"9.9.0", "postgres://replica", true},
		"the oldest server without replicas": {"9.9.0", "", false},
		"a server of which nobody knows":     {"10.11.4", "postgres://replica", true},
		"a new server with replicas":         {"11.4.0", "postgres://replica", false},
	} {
		t.Run(name, func(t *testing.T) {
			s, p, _ := withChecker(t, map[string]any{"identity": "pasted"}, asItIs)
			s.set(func() { s.version, s.replica = test.version, test.replica })
			p.seal([]sealed{{key: "identity", pasted: "pasted", text: "sealed:v2:"}})
			if isSealed := s.stored("identity") == "sealed:v2:"; isSealed == test.lossy {
				t.Errorf("the identity is %v", s.stored("identity"))
			}
			if isLogged := len(s.logged("ReplicaLagSettings")) > 0; isLogged != test.lossy {
				t.Errorf("the log says %v", s.logged(""))
			}
			notes := strings.Join(p.aboutSettings(s.GetConfig(), test.version), " ")
			if strings.Contains(notes, "paste them there") != test.lossy {
				t.Errorf("the status says %q", notes)
			}
		})
	}
}

func TestAServerThatShowsTheSealingKeyIsSaidInTheStatus(t *testing.T) {
	for name, test := range map[string]struct {
		settings map[string]any
		shows    bool
		said     bool
	}{
		"it shows the key":      {map[string]any{"SealingKey": "a key of an admin's own make"}, true, true},
		"it shows asterisks":    {map[string]any{"sealingkey": "********************************"}, true, false},
		"no key is set":         {map[string]any{"sealingkey": "", "identity": "/path"}, true, false},
		"it shows nothing":      {map[string]any{"sealingkey": "a key of an admin's own make"}, false, false},
		"the key is no text":    {map[string]any{"sealingkey": 7.0}, true, false},
		"there are no settings": {nil, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.settings, s.shows, s.version = test.settings, test.shows, "9.9.0"
			p := activate(t, s)
			status := run(t, p, admin, "/teleport status")
			if strings.Contains(status, "shows the setting Sealing key") != test.said {
				t.Errorf("the status is\n%s", status)
			}
		})
	}
}
