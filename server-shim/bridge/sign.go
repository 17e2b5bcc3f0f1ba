package bridge

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"

	"connectrpc.com/connect"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

// largestMessageToSign is the most that is signed, in bytes.
const largestMessageToSign = 1 << 20

// Sign signs bytes with the plugin's own key.
func (b *Bridge) Sign(
	ctx context.Context, request *connect.Request[pb.SignRequest],
) (*connect.Response[pb.SignResponse], error) {
	message := request.Msg.GetMessage()
	if len(message) > largestMessageToSign {
		return nil, refused(connect.CodeInvalidArgument, "the message is larger than 1 MiB")
	}
	key, err := b.keys.forSigning(ctx)
	if err != nil {
		return nil, err
	}
	// An Ed25519 key's public half is always of this type.
	public, _ := key.Public().(ed25519.PublicKey)
	return connect.NewResponse(&pb.SignResponse{Signature: ed25519.Sign(key, message), PublicKey: public}), nil
}

// parseSigningKey reads the one key of a PEM file, as `openssl genpkey -algorithm ed25519` writes it.
func parseSigningKey(content []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(content)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("it must be PEM that begins with -----BEGIN PRIVATE KEY-----")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, is := parsed.(ed25519.PrivateKey)
	if !is {
		return nil, errors.New("it is a key of another kind than Ed25519")
	}
	return key, nil
}
