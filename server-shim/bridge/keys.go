package bridge

import (
	"context"
	"crypto/rand"
	"encoding/hex"
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

// sealingKey is where the key-value store keeps the key that was made by itself.
const sealingKey = "sealing_key"

// keyPause is how long it takes until a key is looked for again that another node has made and this one does not see.
const keyPause = 200 * time.Millisecond

// keys are the secrets that texts are sealed with: the setting SealingKey where somebody has set one, else one in the
// key-value store, made when it is first needed.
//
// That one is not kept in the settings: a settings page that was opened before would save them without it. And it would
// lie beside what it is to protect.
type keys struct {
	api API
}

// forSealing is the secret to seal with.
func (k keys) forSealing(ctx context.Context) (string, error) {
	set, err := k.set()
	if err != nil || set != "" {
		return set, err
	}
	// Twice, where another node makes it in the same moment; more often, where the database's replicas lag behind.
	for range 10 {
		kept, err := k.kept()
		if err != nil || kept != "" {
			return kept, err
		}
		var made [32]byte
		// Never fails: without randomness the process ends.
		_, _ = rand.Read(made[:])
		secret := hex.EncodeToString(made[:])
		stored, appErr := k.api.KVSetWithOptions(sealingKey, []byte(secret), model.PluginKVSetOptions{Atomic: true})
		if appErr != nil {
			return "", refused(connect.CodeUnavailable, "Mattermost does not keep a sealing key: %w", appErr)
		}
		if stored {
			return secret, nil
		}
		select {
		case <-time.After(keyPause):
		case <-ctx.Done():
			return "", refused(connect.CodeUnavailable, "Mattermost does not tell the sealing key in time")
		}
	}
	return "", refused(connect.CodeUnavailable, "Mattermost does not tell the sealing key")
}

// forUnsealing are the secrets that something may have been sealed with; what could be had of them comes with an error,
// too.
func (k keys) forUnsealing() ([]string, error) {
	var secrets []string
	set, err := k.set()
	if set != "" {
		secrets = append(secrets, set)
	}
	kept, keptErr := k.kept()
	if kept != "" {
		secrets = append(secrets, kept)
	}
	if err == nil {
		err = keptErr
	}
	return secrets, err
}

// set is what the setting says; empty where nobody has set it.
func (k keys) set() (string, error) {
	var settings struct {
		// Whatever its type: a wrong one must not keep the rest from being read.
		SealingKey any
	}
	if err := k.api.LoadPluginConfiguration(&settings); err != nil {
		return "", refused(connect.CodeUnavailable, "the settings cannot be read: %w", err)
	}
	text, _ := settings.SealingKey.(string)
	return strings.TrimSpace(text), nil
}

// kept is what the key-value store holds; empty where no key was made yet.
func (k keys) kept() (string, error) {
	value, appErr := k.api.KVGet(sealingKey)
	if appErr != nil {
		return "", refused(connect.CodeUnavailable, "Mattermost does not tell the sealing key: %w", appErr)
	}
	return string(value), nil
}
