package bridge

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"connectrpc.com/connect"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

const (
	// sealedPrefix begins every sealed text; its number names how the rest is made.
	sealedPrefix = "sealed:v1:"
	// sealedLabel is what a sealed text is for: no other use of the key can be taken for it.
	sealedLabel = "teleport-access credentials v1"
	// largestSealed is the most that is sealed or unsealed, in bytes.
	largestSealed = 2 << 20
)

// Keys keeps the key that texts are sealed with.
type Keys interface {
	// SealingKey is the key as it is kept, empty where there is none. Where create is true, one is made then.
	SealingKey(create bool) (string, error)
}

// Seal encrypts a text.
func (b *Bridge) Seal(
	_ context.Context, request *connect.Request[pb.SealRequest],
) (*connect.Response[pb.SealResponse], error) {
	if len(request.Msg.GetText()) > largestSealed {
		return nil, refused(connect.CodeInvalidArgument, "the text is too large to be sealed")
	}
	key, err := b.keys.SealingKey(true)
	if err != nil {
		return nil, connect.NewError(connect.CodeUnavailable, err)
	}
	box, err := box(key)
	if err != nil {
		return nil, connect.NewError(connect.CodeUnavailable, err)
	}
	nonce := make([]byte, box.NonceSize())
	// Never fails, as its documentation says.
	_, _ = rand.Read(nonce)
	sealed := box.Seal(nonce, nonce, []byte(request.Msg.GetText()), []byte(sealedLabel))
	return connect.NewResponse(&pb.SealResponse{Sealed: sealedPrefix + base64.StdEncoding.EncodeToString(sealed)}), nil
}

// Unseal decrypts what Seal made.
func (b *Bridge) Unseal(
	_ context.Context, request *connect.Request[pb.UnsealRequest],
) (*connect.Response[pb.UnsealResponse], error) {
	encoded, ok := strings.CutPrefix(request.Msg.GetSealed(), sealedPrefix)
	if !ok || len(encoded) > 2*largestSealed {
		return nil, refused(connect.CodeInvalidArgument, "this is no sealed text")
	}
	sealed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, refused(connect.CodeInvalidArgument, "this is no sealed text: %v", err)
	}
	key, err := b.keys.SealingKey(false)
	if err != nil {
		return nil, connect.NewError(connect.CodeUnavailable, err)
	}
	if key == "" {
		return nil, refused(connect.CodeInvalidArgument, "there is no sealing key")
	}
	box, err := box(key)
	if err != nil {
		return nil, connect.NewError(connect.CodeUnavailable, err)
	}
	if len(sealed) < box.NonceSize() {
		return nil, refused(connect.CodeInvalidArgument, "this is no sealed text: it is too short")
	}
	text, err := box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], []byte(sealedLabel))
	if err != nil {
		return nil, refused(connect.CodeInvalidArgument, "the text was changed, or sealed with another key")
	}
	return connect.NewResponse(&pb.UnsealResponse{Text: string(text)}), nil
}

// box seals and opens with a key as it is kept in the settings.
func box(kept string) (cipher.AEAD, error) {
	if kept == "" {
		return nil, errors.New("there is no sealing key")
	}
	key, err := hkdf.Key(sha256.New, []byte(kept), nil, sealedLabel, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
