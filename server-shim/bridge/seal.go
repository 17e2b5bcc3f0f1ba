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
	sealedPrefix = "sealed:v2:"
	// sealedPrefixV1 is what those begin with that earlier versions sealed. They are bound to no use.
	sealedPrefixV1 = "sealed:v1:"
	// sealLabel and sealLabelV1 bind keys and sealed texts to sealing.
	sealLabel   = "teleport-access sealed credentials v2"
	sealLabelV1 = "teleport-access sealed credentials v1"
	// largestText is the most that is sealed, in bytes.
	largestText = 1 << 20
)

// Seal encrypts a text.
func (b *Bridge) Seal(
	ctx context.Context, request *connect.Request[pb.SealRequest],
) (*connect.Response[pb.SealResponse], error) {
	text, usage := request.Msg.GetText(), request.Msg.GetUse()
	if usage == "" {
		return nil, refused(connect.CodeInvalidArgument, "use is missing: say what the text is sealed for")
	}
	if len(text) > largestText {
		return nil, refused(connect.CodeInvalidArgument, "the text is larger than 1 MiB")
	}
	secret, err := b.keys.forSealing(ctx)
	if err != nil {
		return nil, err
	}
	aead, err := cipherOf(secret, sealLabel)
	if err != nil {
		return nil, refused(connect.CodeInternal, "nothing can be sealed here: %w", err)
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	// Never fails: without randomness the process ends.
	_, _ = rand.Read(nonce)
	sealed := aead.Seal(nonce, nonce, []byte(text), boundTo(usage))
	return connect.NewResponse(&pb.SealResponse{
		Sealed: sealedPrefix + base64.StdEncoding.EncodeToString(sealed),
	}), nil
}

// Unseal decrypts what Seal made.
func (b *Bridge) Unseal(
	_ context.Context, request *connect.Request[pb.UnsealRequest],
) (*connect.Response[pb.UnsealResponse], error) {
	trimmed := strings.TrimSpace(request.Msg.GetSealed())
	label, bound := sealLabel, boundTo(request.Msg.GetUse())
	encoded, is := strings.CutPrefix(trimmed, sealedPrefix)
	if !is {
		label, bound = sealLabelV1, []byte(sealLabelV1)
		encoded, is = strings.CutPrefix(trimmed, sealedPrefixV1)
	}
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
		if text, ok := open(secret, sealed, label, bound); ok {
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
		"the sealed text was changed, or sealed with another key or for another setting or cluster: paste the credentials again")
}

// boundTo is what a text is sealed with, so that it opens for the same use only.
func boundTo(usage string) []byte {
	return []byte(sealLabel + "\x00" + usage)
}

// open decrypts with one key; it is false where that is not the one, or the text was changed or sealed for another use.
func open(secret string, sealed []byte, label string, bound []byte) (string, bool) {
	aead, err := cipherOf(secret, label)
	if err != nil || len(sealed) < aead.NonceSize() {
		return "", false
	}
	text, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], bound)
	return string(text), err == nil
}

// cipherOf makes the cipher of a secret.
func cipherOf(secret, label string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, label, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
