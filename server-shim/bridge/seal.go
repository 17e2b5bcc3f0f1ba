package bridge

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"connectrpc.com/connect"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

const (
	// sealedPrefix is what sealed texts begin with: which way they were sealed.
	sealedPrefix = "sealed:v1:"
	// sealLabel binds keys and sealed texts to this use of them.
	sealLabel = "teleport-access sealed credentials v1"
	// largestText is the most that is sealed, in bytes.
	largestText = 1 << 20
)

// Seal encrypts a text.
func (b *Bridge) Seal(
	ctx context.Context, request *connect.Request[pb.SealRequest],
) (*connect.Response[pb.SealResponse], error) {
	text := request.Msg.GetText()
	if len(text) > largestText {
		return nil, refused(connect.CodeInvalidArgument, "the text is larger than 1 MiB")
	}
	secret, err := b.keys.forSealing(ctx)
	if err != nil {
		return nil, err
	}
	aead, err := cipherOf(secret)
	if err != nil {
		return nil, refused(connect.CodeInternal, "nothing can be sealed here: %w", err)
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	// Never fails: without randomness the process ends.
	_, _ = rand.Read(nonce)
	sealed := aead.Seal(nonce, nonce, []byte(text), []byte(sealLabel))
	return connect.NewResponse(&pb.SealResponse{
		Sealed: sealedPrefix + base64.StdEncoding.EncodeToString(sealed),
	}), nil
}

// Unseal decrypts what Seal made.
func (b *Bridge) Unseal(
	_ context.Context, request *connect.Request[pb.UnsealRequest],
) (*connect.Response[pb.UnsealResponse], error) {
	encoded, is := strings.CutPrefix(strings.TrimSpace(request.Msg.GetSealed()), sealedPrefix)
	if !is {
		return nil, refused(connect.CodeInvalidArgument, "a sealed text begins with %s, this one does not", sealedPrefix)
	}
	if len(encoded) > base64.StdEncoding.EncodedLen(largestText+64) {
		return nil, refused(connect.CodeInvalidArgument, "the sealed text is too large to be one of ours")
	}
	sealed, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, refused(connect.CodeInvalidArgument, "the sealed text is damaged or was cut off: paste the credentials again")
	}
	secrets, err := b.keys.forUnsealing()
	for _, secret := range secrets {
		if text, ok := open(secret, sealed); ok {
			return connect.NewResponse(&pb.UnsealResponse{Text: text}), nil
		}
	}
	if err != nil {
		// Perhaps it is the key that could not be had: this is no verdict on the text.
		return nil, err
	}
	if len(secrets) == 0 {
		return nil, refused(connect.CodeInvalidArgument, "there is no sealing key any more: paste the credentials again")
	}
	return nil, refused(connect.CodeInvalidArgument,
		"the sealed text was changed, or sealed with another key: paste the credentials again")
}

// open decrypts with one key; it is false where that is not the one, or the text was changed.
func open(secret string, sealed []byte) (string, bool) {
	aead, err := cipherOf(secret)
	if err != nil || len(sealed) < aead.NonceSize() {
		return "", false
	}
	text, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(sealLabel))
	return string(text), err == nil
}

// cipherOf makes the cipher of a secret.
func cipherOf(secret string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, sealLabel, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
