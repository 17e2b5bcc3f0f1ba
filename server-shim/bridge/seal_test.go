package bridge

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"connectrpc.com/connect"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

// memory keeps a key as the settings do.
type memory struct {
	key string
	err error
}

func (m *memory) SealingKey(create bool) (string, error) {
	if m.key == "" && create {
		m.key = "made when it was first needed"
	}
	return m.key, m.err
}

func seal(t *testing.T, b *Bridge, text string) string {
	t.Helper()
	answer, err := b.Seal(context.Background(), connect.NewRequest(&pb.SealRequest{Text: text}))
	if err != nil {
		t.Fatal(err)
	}
	return answer.Msg.GetSealed()
}

func unseal(b *Bridge, sealed string) (string, error) {
	answer, err := b.Unseal(context.Background(), connect.NewRequest(&pb.UnsealRequest{Sealed: sealed}))
	if err != nil {
		return "", err
	}
	return answer.Msg.GetText(), nil
}

func TestASealedTextOpensWithItsKeyOnly(t *testing.T) {
	keys := &memory{}
	b := New(nil, keys)
	const secret = "-----BEGIN RSA PRIVATE KEY-----"
	one, other := seal(t, b, secret), seal(t, b, secret)
	if one == other || strings.Contains(one, "PRIVATE") || !strings.HasPrefix(one, "sealed:v1:") {
		t.Errorf("sealed is %q, and %q", one, other)
	}
	for _, sealed := range []string{one, other} {
		if text, err := unseal(b, sealed); err != nil || text != secret {
			t.Errorf("opened is %q: %v", text, err)
		}
	}
	for name, key := range map[string]string{"another key": "another", "no key": ""} {
		keys.key = key
		if _, err := unseal(b, one); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("with %s: %v", name, err)
		}
	}
}

func TestWhatIsNoSealedTextIsRefused(t *testing.T) {
	b := New(nil, &memory{key: "key"})
	sealed := seal(t, b, "secret")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sealed, "sealed:v1:"))
	if err != nil {
		t.Fatal(err)
	}
	for at := range raw {
		changed := append([]byte(nil), raw...)
		changed[at] ^= 1
		if _, err := unseal(b, "sealed:v1:"+base64.StdEncoding.EncodeToString(changed)); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("with byte %d changed: %v", at, err)
		}
	}
	for _, text := range []string{"", "secret", "sealed:v1:", "sealed:v1:!", "sealed:v1:AAAA", "sealed:v2:" + sealed, strings.Repeat("sealed:v1:", 1<<20)} {
		if _, err := unseal(b, text); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestWithoutAKeyThatCanBeKeptNothingIsSealed(t *testing.T) {
	b := New(nil, &memory{key: "key", err: errors.New("the settings cannot be saved")})
	_, err := b.Seal(context.Background(), connect.NewRequest(&pb.SealRequest{Text: "secret"}))
	if connect.CodeOf(err) != connect.CodeUnavailable || !strings.Contains(err.Error(), "cannot be saved") {
		t.Errorf("%v", err)
	}
}

func TestAForgottenEndpointLeadsNowhere(t *testing.T) {
	b := New(nil, &memory{})
	defer b.Close()
	_, err := b.SetEndpoint(context.Background(), connect.NewRequest(&pb.SetEndpointRequest{
		Cluster: "trial", Kind: pb.EndpointKind_ENDPOINT_KIND_GATEWAY, Address: "http://127.0.0.1:1",
	}))
	if err != nil || b.endpoint("trial") == nil {
		t.Fatalf("there is no endpoint: %v", err)
	}
	for range 2 {
		if _, err := b.ForgetEndpoint(context.Background(), connect.NewRequest(&pb.ForgetEndpointRequest{Cluster: "trial"})); err != nil {
			t.Error(err)
		}
		if b.endpoint("trial") != nil {
			t.Error("the endpoint is still there")
		}
	}
}
