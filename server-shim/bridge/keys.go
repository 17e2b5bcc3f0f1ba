package bridge

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"path/filepath"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"
)

// API is the part of Mattermost's Plugin API that the bridge needs.
type API interface {
	LoadPluginConfiguration(dest any) error
	KVGet(key string) ([]byte, *model.AppError)
	KVSetWithOptions(key string, value []byte, options model.PluginKVSetOptions) (bool, *model.AppError)
	LogError(message string, keyValuePairs ...any)
}

// Where the key-value store keeps the keys that were made by themselves.
const (
	sealingKey = "sealing_key"
	signingKey = "signing_key"
)

// keyPause is how long it takes until a key is looked for again that another node has made and this one does not see.
const keyPause = 200 * time.Millisecond

// keys are the secrets that texts are sealed with, and that is signed with: what the settings say where somebody has set
// one, else one in the key-value store, made when it is first needed.
//
// Those are not kept in the settings: a settings page that was opened before would save them without it. And it would
// lie beside what it is to protect.
type keys struct {
	api API
}

// forSealing is the secret to seal with.
func (k keys) forSealing(ctx context.Context) (string, error) {
	settings, err := k.settings()
	if err != nil || settings.sealingKey != "" {
		return settings.sealingKey, err
	}
	return k.made(ctx, sealingKey)
}

// forSigning is the key to sign with: the one in the file that the setting AuditSigningKey names, else one that is made.
func (k keys) forSigning(ctx context.Context) (ed25519.PrivateKey, error) {
	settings, err := k.settings()
	if err != nil {
		return nil, err
	}
	if path := settings.signingKeyFile; path != "" {
		if !filepath.IsAbs(path) {
			// Not echoed: it may be the key itself.
			return nil, refused(connect.CodeUnavailable, "the setting AuditSigningKey is not the absolute path of a file")
		}
		content, err := inTime(ctx, func() ([]byte, error) { return readFile(path) })
		if err != nil {
			return nil, refused(connect.CodeUnavailable, "the key of the setting AuditSigningKey cannot be read: %w", err)
		}
		key, err := parseSigningKey(content)
		if err != nil {
			return nil, refused(connect.CodeUnavailable, "the file of the setting AuditSigningKey holds no key to sign with: %w", err)
		}
		return key, nil
	}
	secret, err := k.made(ctx, signingKey)
	if err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(secret)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, refused(connect.CodeUnavailable, "what the key-value store holds as %s is no key", signingKey)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// made is a secret of the key-value store: 32 bytes in hex, made where there is none yet.
func (k keys) made(ctx context.Context, name string) (string, error) {
	// Twice, where another node makes it in the same moment; more often, where the database's replicas lag behind.
	for range 10 {
		kept, err := k.kept(name)
		if err != nil || kept != "" {
			return kept, err
		}
		var made [32]byte
		// Never fails: without randomness the process ends.
		_, _ = rand.Read(made[:])
		secret := hex.EncodeToString(made[:])
		stored, appErr := k.api.KVSetWithOptions(name, []byte(secret), model.PluginKVSetOptions{Atomic: true})
		if appErr != nil {
			return "", refused(connect.CodeUnavailable, "Mattermost does not keep a %s: %w", inWords(name), appErr)
		}
		if stored {
			return secret, nil
		}
		select {
		case <-time.After(keyPause):
		case <-ctx.Done():
			return "", refused(connect.CodeUnavailable, "Mattermost does not tell the %s in time", inWords(name))
		}
	}
	return "", refused(connect.CodeUnavailable, "Mattermost does not tell the %s", inWords(name))
}

// inWords is a key's name for people.
func inWords(name string) string { return strings.ReplaceAll(name, "_", " ") }

// forUnsealing are the secrets that something may have been sealed with; what could be had of them comes with an error,
// too.
func (k keys) forUnsealing() ([]string, error) {
	var secrets []string
	settings, err := k.settings()
	if settings.sealingKey != "" {
		secrets = append(secrets, settings.sealingKey)
	}
	kept, keptErr := k.kept(sealingKey)
	if kept != "" {
		secrets = append(secrets, kept)
	}
	if err == nil {
		err = keptErr
	}
	return secrets, err
}

// keySettings are the settings about keys; empty where nobody has set them.
type keySettings struct {
	sealingKey     string
	signingKeyFile string
}

// settings are the settings about keys.
func (k keys) settings() (keySettings, error) {
	var settings struct {
		// Whatever their types: a wrong one must not keep the rest from being read.
		SealingKey      any
		AuditSigningKey any
	}
	if err := k.api.LoadPluginConfiguration(&settings); err != nil {
		return keySettings{}, refused(connect.CodeUnavailable, "the settings cannot be read: %w", err)
	}
	text := func(value any) string {
		text, _ := value.(string)
		return strings.TrimSpace(text)
	}
	return keySettings{text(settings.SealingKey), text(settings.AuditSigningKey)}, nil
}

// kept is what the key-value store holds; empty where no key was made yet.
func (k keys) kept(name string) (string, error) {
	value, appErr := k.api.KVGet(name)
	if appErr != nil {
		return "", refused(connect.CodeUnavailable, "Mattermost does not tell the %s: %w", inWords(name), appErr)
	}
	return string(value), nil
}
