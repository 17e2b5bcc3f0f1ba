package bridge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin/plugintest"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

// store stands for a Mattermost server, as far as sealing asks it.
type store struct {
	plugintest.API

	mu       sync.Mutex
	settings map[string]any
	values   map[string][]byte
	// broken makes the key-value store, and unreadable the settings, fail.
	broken, unreadable bool
	// beforeSet is called before a value is set.
	beforeSet func()
}

func newStore() *store {
	return &store{settings: map[string]any{}, values: map[string][]byte{}}
}

func (s *store) LoadPluginConfiguration(dest any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unreadable {
		return errors.New("unreadable")
	}
	encoded, err := json.Marshal(s.settings)
	if err != nil {
		return err
	}
	return json.Unmarshal(encoded, dest)
}

func (s *store) KVGet(key string) ([]byte, *model.AppError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return nil, model.NewAppError("KVGet", "broken", nil, "", http.StatusInternalServerError)
	}
	return s.values[key], nil
}

func (s *store) KVSetWithOptions(key string, value []byte, options model.PluginKVSetOptions) (bool, *model.AppError) {
	if s.beforeSet != nil {
		s.beforeSet()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return false, model.NewAppError("KVSet", "broken", nil, "", http.StatusInternalServerError)
	}
	if options.Atomic && !slices.Equal(s.values[key], options.OldValue) {
		return false, nil
	}
	s.values[key] = value
	return true, nil
}

func (s *store) LogError(string, ...any) {}

func seal(t testing.TB, b *Bridge, text string) string {
	t.Helper()
	return sealFor(t, b, text, "Identity")
}

func sealFor(t testing.TB, b *Bridge, text, usage string) string {
	t.Helper()
	answer, err := b.Seal(context.Background(), connect.NewRequest(&pb.SealRequest{Text: text, Use: usage}))
	if err != nil {
		t.Fatal(err)
	}
	return answer.Msg.GetSealed()
}

func unseal(b *Bridge, sealed string) (string, error) { return unsealFor(b, sealed, "Identity") }

func unsealFor(b *Bridge, sealed, usage string) (string, error) {
	answer, err := b.Unseal(context.Background(), connect.NewRequest(&pb.UnsealRequest{Sealed: sealed, Use: usage}))
	if err != nil {
		return "", err
	}
	return answer.Msg.GetText(), nil
}

const pasted = "-----BEGIN RSA PRIVATE KEY-----\nsecret\n-----END RSA PRIVATE KEY-----\n"

func TestWhatIsSealedIsHiddenAndComesBackAsItWas(t *testing.T) {
	for name, settings := range map[string]map[string]any{
		"with a key of the settings":     {"sealingkey": "abcdefghijklmnopqrstuvwxyz012345"},
		"with a key that was made":       {},
		"where the setting is empty":     {"sealingkey": ""},
		"where the setting is nothing":   {"sealingkey": nil},
		"where the setting is no text":   {"sealingkey": 1.5},
		"with a key in another spelling": {"SealingKey": "abcdefghijklmnopqrstuvwxyz012345"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore()
			s.settings = settings
			b := New(s)
			for _, text := range []string{pasted, "", "ü\x00", strings.Repeat("x", largestText)} {
				sealed := seal(t, b, text)
				encoded, is := strings.CutPrefix(sealed, "sealed:v2:")
				bytes, err := base64.StdEncoding.DecodeString(encoded)
				if !is || err != nil || (text != "" && strings.Contains(string(bytes), text)) {
					t.Fatalf("it is sealed as %.80q", sealed)
				}
				// Another process of the same plugin.
				if opened, err := unseal(New(s), "\n"+sealed+" \r\n"); err != nil || opened != text {
					t.Errorf("%.20q came back as %.20q, %v", text, opened, err)
				}
				if again := seal(t, b, text); again == sealed {
					t.Error("the same text is sealed in the same way twice")
				}
			}
			if set, _ := settings["sealingkey"].(string); set != "" && len(s.values) > 0 {
				t.Error("a key was made although there is one")
			}
		})
	}
}

func TestWhatIsNoSealedTextIsRefusedWithAReason(t *testing.T) {
	b := New(newStore())
	good := seal(t, b, pasted)
	other := seal(t, New(newStore()), pasted)
	body := strings.TrimPrefix(good, "sealed:v2:")
	for name, test := range map[string]struct{ sealed, says string }{
		"nothing":               {"", "begins with sealed:v2:"},
		"what was pasted":       {pasted, "begins with sealed:v2:"},
		"of another version":    {"sealed:v3:" + body, "begins with sealed:v2:"},
		"as an earlier version": {"sealed:v1:" + body, "changed"},
		"only the beginning":    {"sealed:v2:", "changed"},
		"no base64":             {"sealed:v2:ü" + body, "damaged"},
		"one cut off":           {good[:len(good)-1], "damaged"},
		"half of one":           {good[:len(good)/8*4+2], "changed"},
		"one too large":         {"sealed:v2:" + strings.Repeat("A", 2*largestText), "too large"},
		"with another key":      {other, "another key"},
		"bits that say nothing": {"sealed:v2:QUJ=", "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := unseal(b, test.sealed)
			if connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), test.says) || text != "" {
				t.Errorf("it is %q, %v", text, err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells the text: %v", err)
			}
		})
	}
}

func TestAnyChangedByteIsNoticed(t *testing.T) {
	b := New(newStore())
	sealed, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(seal(t, b, pasted), "sealed:v2:"))
	if err != nil {
		t.Fatal(err)
	}
	for place := range sealed {
		changed := slices.Clone(sealed)
		changed[place] ^= 1
		_, err := unseal(b, "sealed:v2:"+base64.StdEncoding.EncodeToString(changed))
		if connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Fatalf("a change of byte %d: %v", place, err)
		}
	}
}

func TestWithAnotherKeyInTheSettingsWhatTheFirstOneSealedIsLost(t *testing.T) {
	s := newStore()
	s.settings["sealingkey"] = "the first one"
	b := New(s)
	sealed := seal(t, b, pasted)
	s.settings["sealingkey"] = "the second one"
	if _, err := unseal(b, sealed); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("with another key: %v", err)
	}
	delete(s.settings, "sealingkey")
	if _, err := unseal(b, sealed); connect.CodeOf(err) != connect.CodeInvalidArgument ||
		!strings.Contains(err.Error(), "no sealing key") {
		t.Errorf("without a key: %v", err)
	}
	if len(s.values) > 0 {
		t.Error("unsealing made a key")
	}
}

func TestWhatTheKeyMadeByItselfSealedOpensAfterAKeyWasSet(t *testing.T) {
	s := newStore()
	b := New(s)
	before := seal(t, b, pasted)
	s.settings["sealingkey"] = "abcdefghijklmnopqrstuvwxyz012345"
	after := seal(t, b, pasted)
	for _, sealed := range []string{before, after} {
		if text, err := unseal(b, sealed); err != nil || text != pasted {
			t.Errorf("it is %q, %v", text, err)
		}
	}
	// And the new key was really used.
	s.values = map[string][]byte{}
	if text, err := unseal(b, after); err != nil || text != pasted {
		t.Errorf("it is %q, %v", text, err)
	}
}

func TestManyWhoSealAtOnceUseOneKey(t *testing.T) {
	s := newStore()
	// All look for a key before any of them makes one.
	var looked sync.WaitGroup
	looked.Add(8)
	s.beforeSet = func() { looked.Done(); looked.Wait() }
	nodes := make([]*Bridge, 8)
	texts := make([]string, len(nodes))
	var all sync.WaitGroup
	for n := range nodes {
		nodes[n] = New(s)
		all.Go(func() { texts[n] = seal(t, nodes[n], pasted) })
	}
	all.Wait()
	for n, sealed := range texts {
		if text, err := unseal(nodes[(n+1)%len(nodes)], sealed); err != nil || text != pasted {
			t.Errorf("node %d sealed what opens as %q, %v", n, text, err)
		}
	}
}

func TestWhereTheKeyCannotBeHadThatIsNoVerdictOnTheText(t *testing.T) {
	s := newStore()
	b := New(s)
	sealed := seal(t, b, pasted)
	check := func(what string) {
		t.Helper()
		if _, err := unseal(b, sealed); connect.CodeOf(err) != connect.CodeUnavailable {
			t.Errorf("unsealing while %s: %v", what, err)
		}
		_, err := b.Seal(context.Background(), connect.NewRequest(&pb.SealRequest{Text: pasted, Use: "Identity"}))
		if connect.CodeOf(err) != connect.CodeUnavailable {
			t.Errorf("sealing while %s: %v", what, err)
		}
	}
	s.broken = true
	check("the key-value store is broken")
	s.broken = false
	s.unreadable = true
	// With the other key it opens all the same.
	if text, err := unseal(b, sealed); err != nil || text != pasted {
		t.Errorf("it is %q, %v", text, err)
	}
	s.broken = true
	check("the settings cannot be read")
}

func TestAKeyThatIsNeverToldIsGivenUp(t *testing.T) {
	s := newStore()
	b := New(s)
	// Somebody else has made one, and the replica that is read does not know it.
	s.values[sealingKey] = []byte("theirs")
	b.keys = keys{blind{s}}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, ctx := range []context.Context{ctx, context.Background()} {
		_, err := b.Seal(ctx, connect.NewRequest(&pb.SealRequest{Text: pasted, Use: "Identity"}))
		if connect.CodeOf(err) != connect.CodeUnavailable {
			t.Errorf("the error is %v", err)
		}
	}
}

// blind never sees a value.
type blind struct{ *store }

func (blind) KVGet(string) ([]byte, *model.AppError) { return nil, nil }

func TestMoreThanAMebibyteIsNotSealed(t *testing.T) {
	_, err := New(newStore()).Seal(context.Background(),
		connect.NewRequest(&pb.SealRequest{Text: strings.Repeat("x", largestText+1), Use: "Identity"}))
	if connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("the error is %v", err)
	}
}

func TestASealedTextOpensOnlyForTheUseThatItWasSealedFor(t *testing.T) {
	b := New(newStore())
	sealed := sealFor(t, b, pasted, "ClientKey of one")
	if text, err := unsealFor(b, sealed, "ClientKey of one"); err != nil || text != pasted {
		t.Errorf("for its own use it is %q, %v", text, err)
	}
	for _, usage := range []string{"", "Identity", "ClientKey", "ClientKey of two", "ClientKey of one ", "\x00ClientKey of one"} {
		text, err := unsealFor(b, sealed, usage)
		if connect.CodeOf(err) != connect.CodeInvalidArgument || text != "" {
			t.Errorf("for %q it is %q, %v", usage, text, err)
		}
	}
	_, err := b.Seal(context.Background(), connect.NewRequest(&pb.SealRequest{Text: pasted}))
	if connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("sealing for no use: %v", err)
	}
}

func TestWhatAnEarlierVersionSealedStillOpensForAnyUse(t *testing.T) {
	s := newStore()
	s.settings["sealingkey"] = "abcdefghijklmnopqrstuvwxyz012345"
	b := New(s)
	// Written by version 0.1.0 with this key.
	const before = "sealed:v1:Byfw2YhpQ1QOJFTTm/B4BZJTw32lZlhtimfHyHYAk/Iw1jCPoPIRvIGQIIa/5GWFhXEZIRo8nV2C/g3Tl3a0z4Ovm3ZFnyqLhdp5tPDUXsrVVosOSiEv/CA+jA64UQZLtA=="
	for _, usage := range []string{"", "Identity", "ClientKey of one"} {
		if text, err := unsealFor(b, before, usage); err != nil || text != pasted {
			t.Errorf("for %q it is %q, %v", usage, text, err)
		}
	}
	// And cannot be passed off as a newer one, which is bound.
	if _, err := unseal(b, "sealed:v2:"+strings.TrimPrefix(before, "sealed:v1:")); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("as a newer one: %v", err)
	}
}
