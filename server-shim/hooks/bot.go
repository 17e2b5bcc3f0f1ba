package hooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/mattermost/mattermost/server/public/model"
)

const (
	// botNames is how many usernames are tried.
	botNames = 20
	// botRetry is how often the bot is looked at: it may have to be made still, and admins may deactivate it.
	botRetry = time.Minute
	// botKey is where the key-value store says which account the bot is.
	botKey = "bot_user_id"
	// pictureKey is where the key-value store says which picture the bot has: setting it anew is slow, and tells every
	// client to load it again.
	pictureKey = "bot_picture"
)

// botName is the nth username that the bot may have. Others may have the first ones.
func botName(n int) string {
	switch n {
	case 0:
		return "teleport"
	case 1:
		return "teleport-access"
	default:
		return fmt.Sprintf("teleport-access-%d", n)
	}
}

// bot is the account that the plugin posts with.
type bot struct {
	mu    sync.Mutex
	state botState
}

// botState is what is known of the bot.
type botState struct {
	userID, username string
	disabled         bool
	// problem is why there is none, or why nobody can say whether it is still as it was.
	problem string
}

// id is the bot's user id; empty where there is no bot.
func (b *bot) id() string {
	return b.get().userID
}

func (b *bot) get() botState {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// set returns whether something has changed.
func (b *bot) set(state botState) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.state
	b.state = state
	return before != state
}

// failures is what keeps the bot from posting.
func (b *bot) failures() []string {
	switch state := b.get(); {
	case state.userID == "" && state.problem != "":
		return []string{fmt.Sprintf("The bot account could not be made, so nothing can be posted; it is tried again every "+
			"minute. %s.", state.problem)}
	case state.disabled:
		return []string{fmt.Sprintf("The bot account @%s is deactivated, so nothing can be posted. Enable it under "+
			"System Console > Integrations > Bot Accounts, or with `mmctl bot enable %s`.", state.username, state.username)}
	default:
		return nil
	}
}

// notes is what else there is to say about the bot.
func (b *bot) notes() []string {
	state := b.get()
	if state.userID == "" {
		return nil
	}
	var notes []string
	if state.username != botName(0) {
		notes = append(notes, fmt.Sprintf("The bot account is @%s. Another account that calls itself @%s is not this plugin's.",
			state.username, botName(0)))
	}
	// No failure: it can be posted as before, and what is a failure makes the core begin anew.
	if state.problem != "" {
		notes = append(notes, fmt.Sprintf("The bot account @%s could not be looked at; it is used as it was, and looked at "+
			"again every minute. %s.", state.username, state.problem))
	}
	return notes
}

// makeBot finds the bot or makes it. It returns whether something has changed. A failure says nothing about the bot that is
// known: without its id the core would begin anew, and every click would be refused.
func (p *Plugin) makeBot() bool {
	known := p.bot.get()
	account, err := p.findBot(&known)
	if err != nil {
		known.problem = err.Error()
		if !p.bot.set(known) {
			return false
		}
		if known.userID == "" {
			p.API.LogError("The bot account could not be made, so nothing can be posted. It is tried again every minute.",
				"error", err.Error())
		} else {
			p.API.LogWarn("The bot account could not be looked at. It is used as it was, and looked at again every minute.",
				"error", err.Error())
		}
		return true
	}
	state := botState{userID: account.UserId, username: account.Username, disabled: account.DeleteAt != 0}
	if !p.bot.set(state) {
		return false
	}
	if state.disabled {
		p.API.LogError("The bot account is deactivated, so nothing can be posted.", "username", state.username)
	}
	p.setPicture(account.UserId)
	return true
}

// findBot finds the account that was used before, or one of ours by its name, such as an earlier version has made; else it
// makes one. Mattermost's EnsureBotUser would not do: it renames the account whose id it once stored, and takes any bot of
// the name for ours. Of known, the bot that is known so far, it leaves nothing where that one is certainly none of ours.
func (p *Plugin) findBot(known *botState) (*model.Bot, error) {
	stored, appErr := p.API.KVGet(botKey)
	if appErr != nil {
		// Not knowing it is no reason to make another one.
		return nil, appErr
	}
	account, err := p.usedBot(known, string(stored), known.userID)
	if err != nil {
		return nil, err
	}
	if account != nil && account.UserId == string(stored) {
		return account, nil
	}
	if account == nil {
		if account, err = p.namedBot(); err != nil {
			return nil, err
		}
	}
	if _, appErr := p.API.KVSetWithOptions(botKey, []byte(account.UserId), model.PluginKVSetOptions{}); appErr != nil {
		// It is found by its name next time.
		p.API.LogWarn("The bot account could not be remembered.", "error", appErr.Error())
	}
	return account, nil
}

// usedBot is the first of the bots that were used before that is still ours; nil where none is.
func (p *Plugin) usedBot(known *botState, ids ...string) (*model.Bot, error) {
	for n, id := range ids {
		if id == "" || slices.Contains(ids[:n], id) {
			continue
		}
		account, err := p.ownBot(id)
		if err != nil || account != nil {
			return account, err
		}
		p.API.LogWarn("The bot account that was used before is gone, or is not this plugin's any more.", "id", id)
		if id == known.userID {
			*known = botState{}
		}
	}
	return nil, nil
}

// ownBot is the bot of an id, if it is ours, and nil where it is not.
func (p *Plugin) ownBot(id string) (*model.Bot, error) {
	account, appErr := p.API.GetBot(id, true)
	if appErr != nil && appErr.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	if appErr != nil {
		return nil, appErr
	}
	if account == nil {
		return nil, errors.New("Mattermost did not answer") //nolint:staticcheck // a name
	}
	// The owner of a bot that a plugin has made is the plugin's id, which no user can have.
	if account.UserId != id || account.OwnerId != p.manifest.Id {
		return nil, nil
	}
	return account, nil
}

// namedBot is the first of our bots by name, or else a new one under the first name that is free.
func (p *Plugin) namedBot() (*model.Bot, error) {
	var free []string
	for n := range botNames {
		name := botName(n)
		account, taken, err := p.botOfName(name)
		if err != nil {
			return nil, fmt.Errorf("@%s: %w", name, err)
		}
		if account != nil {
			return account, nil
		}
		if !taken {
			free = append(free, name)
		}
	}
	problems := errors.New("all usernames that it may have are taken, from @" + botName(0) + " to @" +
		botName(botNames-1) + ": rename one of these accounts")
	for n, name := range free {
		account, err := p.createBot(name)
		if err == nil {
			return account, nil
		}
		if n == 0 {
			problems = nil
		}
		problems = errors.Join(problems, fmt.Errorf("@%s: %w", name, err))
		if n == 2 {
			// It is not the name.
			break
		}
	}
	return nil, problems
}

// botOfName is our bot of a name, and whether anybody has that name.
func (p *Plugin) botOfName(name string) (account *model.Bot, taken bool, _ error) {
	user, appErr := p.API.GetUserByUsername(name)
	if appErr != nil && appErr.StatusCode == http.StatusNotFound {
		return nil, false, nil
	}
	if appErr != nil {
		return nil, false, appErr
	}
	if user == nil {
		return nil, false, errors.New("Mattermost did not answer") //nolint:staticcheck // a name
	}
	if !user.IsBot {
		return nil, true, nil
	}
	account, err := p.ownBot(user.Id)
	return account, true, err
}

// createBot makes the bot under a name. Where another node has just done so, that one is ours, too.
func (p *Plugin) createBot(name string) (*model.Bot, error) {
	made, appErr := p.API.CreateBot(&model.Bot{
		Username:    name,
		DisplayName: "Teleport",
		Description: "Shows Teleport access requests and lets people approve or deny them.",
	})
	if appErr != nil {
		if account, _, err := p.botOfName(name); err == nil && account != nil {
			return account, nil
		}
		return nil, appErr
	}
	if made == nil {
		return nil, errors.New("Mattermost did not answer") //nolint:staticcheck // a name
	}
	account, err := p.ownBot(made.UserId)
	if err == nil && account == nil {
		err = errors.New("the account that was made is not this plugin's")
	}
	return account, err
}

// keepBot looks at the bot from time to time, and tells the core what has changed.
func (p *Plugin) keepBot(ctx context.Context) {
	ticker := time.NewTicker(botRetry)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if p.makeBot() {
			p.core.configure()
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
