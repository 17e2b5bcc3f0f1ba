package hooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mattermost/mattermost/server/public/model"
)

// botNames are the usernames that the bot may have, the first one that is free. A person may go by the first.
var botNames = []string{"teleport", "teleport-access"}

const (
	// botRetry is how often it is tried to make a bot that could not be made.
	botRetry = time.Minute
	// pictureKey is where the key-value store says which picture the bot has: setting it anew is slow, and tells every
	// client to load it again.
	pictureKey = "bot_picture"
)

// bot is the account that the plugin posts with.
type bot struct {
	mu     sync.Mutex
	userID string
	err    error
}

// id is the bot's user id; empty where there is no bot.
func (b *bot) id() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.userID
}

// notes is what there is to say about the bot in the status.
func (b *bot) notes() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		return nil
	}
	return []string{fmt.Sprintf("The bot account could not be made, so nothing can be posted; it is tried again every "+
		"minute. %v.", b.err)}
}

func (b *bot) set(userID string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.userID, b.err = userID, err
}

// makeBot makes the bot or finds the one made before.
func (p *Plugin) makeBot() error {
	var problems error
	for _, name := range botNames {
		id, err := p.ensureBot(name)
		if err == nil {
			p.bot.set(id, nil)
			p.setPicture(id)
			return nil
		}
		problems = errors.Join(problems, err)
	}
	p.bot.set("", problems)
	p.API.LogError("The bot account could not be made, so nothing can be posted. It is tried again every minute.",
		"error", problems.Error())
	return problems
}

func (p *Plugin) ensureBot(name string) (string, error) {
	id, err := p.API.EnsureBotUser(&model.Bot{
		Username:    name,
		DisplayName: "Teleport",
		Description: "Shows Teleport access requests and lets people approve or deny them.",
	})
	if err != nil {
		return "", fmt.Errorf("@%s: %w", name, err)
	}
	// Where a person has that name, Mattermost answers with the person's id.
	user, appErr := p.API.GetUser(id)
	if appErr != nil {
		return "", fmt.Errorf("@%s: %w", name, appErr)
	}
	if user == nil || !user.IsBot {
		return "", fmt.Errorf("@%s is a person's account: rename it, or make it a bot with "+
			"`mattermost user convert %s --bot`", name, name)
	}
	return id, nil
}

// keepMakingBot tries until there is a bot.
func (p *Plugin) keepMakingBot(ctx context.Context) {
	ticker := time.NewTicker(botRetry)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if p.makeBot() == nil {
			p.core.configure()
			return
		}
	}
}

// setPicture gives the bot its picture, once for each picture.
func (p *Plugin) setPicture(userID string) {
	picture, err := os.ReadFile(filepath.Join(p.bundle, "assets", "bot.png"))
	if err != nil {
		p.API.LogWarn("The bot's picture is missing from the plugin's bundle.", "error", err.Error())
		return
	}
	sum := sha256.Sum256(picture)
	mark := []byte(userID + " " + hex.EncodeToString(sum[:]))
	if has, appErr := p.API.KVGet(pictureKey); appErr == nil && string(has) == string(mark) {
		return
	}
	appErr := p.API.SetProfileImage(userID, picture)
	if appErr == nil {
		_, appErr = p.API.KVSetWithOptions(pictureKey, mark, model.PluginKVSetOptions{})
	}
	if appErr != nil {
		p.API.LogWarn("The bot's picture could not be set.", "error", appErr.Error())
	}
}
