package bridge

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

func sign(b *Bridge, message string) (*pb.SignResponse, error) {
	answer, err := b.Sign(context.Background(), connect.NewRequest(&pb.SignRequest{Message: []byte(message)}))
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}

// signed signs, checks the signature, and returns the public key.
func signed(t *testing.T, b *Bridge, message string) ed25519.PublicKey {
	t.Helper()
	answer, err := sign(b, message)
	if err != nil {
		t.Error(err)
		return nil
	}
	public := ed25519.PublicKey(answer.GetPublicKey())
	if len(public) != ed25519.PublicKeySize || !ed25519.Verify(public, []byte(message), answer.GetSignature()) {
		t.Errorf("the signature of %q is none", message)
	}
	if len(public) == ed25519.PublicKeySize && ed25519.Verify(public, []byte(message+"x"), answer.GetSignature()) {
		t.Error("the signature is one of anything")
	}
	return public
}

func TestAKeyToSignWithIsMadeOnceAndKept(t *testing.T) {
	s := newStore()
	first := signed(t, New(s), "head 1")
	// Another process of the same plugin.
	if second := signed(t, New(s), ""); !first.Equal(second) {
		t.Error("the next one signs with another key")
	}
	if other := signed(t, New(newStore()), "head 1"); first.Equal(other) {
		t.Error("two servers sign with the same key")
	}
	if bytes.Contains(s.values[signingKey], first) || len(s.values[sealingKey]) > 0 {
		t.Error("the key is not one of its own")
	}
}

func TestManyWhoSignAtOnceUseOneKey(t *testing.T) {
	s := newStore()
	var looked, all sync.WaitGroup
	looked.Add(8)
	s.beforeSet = func() { looked.Done(); looked.Wait() }
	keys := make([]ed25519.PublicKey, 8)
	for n := range keys {
		all.Go(func() { keys[n] = signed(t, New(s), "head") })
	}
	all.Wait()
	for _, key := range keys {
		if !key.Equal(keys[0]) {
			t.Fatal("two nodes sign with different keys")
		}
	}
}

// pemFile writes a key to a file.
func pemFile(t *testing.T, key any) string {
	t.Helper()
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "audit.key")
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
	if err := os.WriteFile(path, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheKeyOfAFileIsSignedWithAndNoneIsMade(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newStore()
	s.settings["auditsigningkey"] = " " + pemFile(t, private) + "\n"
	if used := signed(t, New(s), "head"); !used.Equal(public) {
		t.Error("it signs with another key")
	}
	if len(s.values) > 0 {
		t.Error("a key was made although there is one")
	}
}

func TestWhereTheKeyCannotBeHadNothingIsSigned(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		prepare func(s *store)
		says    string
	}{
		"no such file":        {func(s *store) { s.settings["auditsigningkey"] = empty + ".not" }, "cannot be read"},
		"a relative path":     {func(s *store) { s.settings["auditsigningkey"] = "audit.key" }, "absolute"},
		"an empty file":       {func(s *store) { s.settings["auditsigningkey"] = empty }, "-----BEGIN PRIVATE KEY-----"},
		"another kind of key": {func(s *store) { s.settings["auditsigningkey"] = pemFile(t, other) }, "another kind"},
		"a broken store":      {func(s *store) { s.broken = true }, "signing key"},
		"no settings":         {func(s *store) { s.unreadable = true }, "settings"},
		"no key in its place": {func(s *store) { s.values[signingKey] = []byte("secret") }, "is no key"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore()
			test.prepare(s)
			_, err := sign(New(s), "head")
			if connect.CodeOf(err) != connect.CodeUnavailable || !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells the key: %v", err)
			}
		})
	}
	_, err = sign(New(newStore()), strings.Repeat("x", largestMessageToSign+1))
	if connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("a message that is too large: %v", err)
	}
}
