package hooks

import (
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mattermost/mattermost/server/public/plugin"
)

// door is what a request has to pass before anything of it is read, and what keeps count of those that did not. It knows
// nothing of access requests: who may do what is the core's to say, and the core asks everything again.
type door struct {
	// anonymous, throttled and plugins count what was refused: requests without a session, too many at once, and requests
	// of other plugins. They are counted and not logged, so that nobody can fill the log.
	anonymous, throttled, plugins atomic.Uint64

	buckets *buckets
	// clicks and panels bound what is read of bodies at once; neither takes the other's share.
	clicks, panels *budget
}

func newDoor() *door {
	return &door{buckets: newBuckets(), clicks: newBudget(8 << 20), panels: newBudget(16 << 20)}
}

const (
	// userHeader is set by Mattermost for requests with a session, and taken away from all others.
	userHeader = "Mattermost-User-Id"
	// pluginHeader is set by Mattermost for requests of other plugins (and of the server itself to a plugin), whatever
	// they say, and taken away from all that come from outside.
	pluginHeader = "Mattermost-Plugin-ID"
)

// visitor is who sent a request, as Mattermost vouches for it.
type visitor struct {
	userID, sessionID, address string
}

// visitorOf says who sent a request. It refuses what no session of a user stands behind, and what another plugin sent:
// Mattermost 9.9 lets those name any user, so the user's id counts only where Mattermost names the session, too, which it
// never does for plugins.
func (p *Plugin) visitorOf(c *plugin.Context, w http.ResponseWriter, request *http.Request) (visitor, bool) {
	if len(request.Header.Values(pluginHeader)) > 0 {
		p.door.plugins.Add(1)
		refuse(w, http.StatusForbidden, "Other plugins cannot use this.")
		return visitor{}, false
	}
	id := userID(request)
	if id == "" || c == nil || c.SessionId == "" {
		p.door.anonymous.Add(1)
		refuse(w, http.StatusUnauthorized, "Please sign in to Mattermost first.")
		return visitor{}, false
	}
	return visitor{userID: id, sessionID: c.SessionId, address: c.IPAddress}, true
}

// userID is whose session the request was sent with, as Mattermost vouches for it; empty where there was none.
func userID(request *http.Request) string {
	ids := request.Header.Values(userHeader)
	if len(ids) != 1 {
		return ""
	}
	return ids[0]
}

// mayGoOn refuses a user who asks too much of one route.
func (p *Plugin) mayGoOn(w http.ResponseWriter, userID, route string, pace pace) bool {
	wait, ok := p.door.buckets.take(userID, route, pace)
	if !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		p.refuseThrottled(w)
	}
	return ok
}

// refuseThrottled refuses a request because there are too many. Mattermost shows the text to whoever clicked.
func (p *Plugin) refuseThrottled(w http.ResponseWriter) {
	p.door.throttled.Add(1)
	if w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1")
	}
	respond(w, http.StatusTooManyRequests, map[string]string{"error": textBusy, "ephemeral_text": textBusy})
}

// isAdmin refuses all but active system admins. The core asks again; this keeps what others send from being read.
func (p *Plugin) isAdmin(w http.ResponseWriter, userID string) bool {
	user, appErr := p.API.GetUser(userID)
	if appErr != nil || user == nil {
		refuse(w, http.StatusServiceUnavailable, "Mattermost does not say who you are. Try again.")
		return false
	}
	if user.DeleteAt != 0 || user.IsBot || !user.IsSystemAdmin() {
		refuse(w, http.StatusForbidden, "Sorry, only system admins may do that.")
		return false
	}
	return true
}

// budget bounds how many bytes of bodies are there at once, altogether and for each user.
type budget struct {
	mu    sync.Mutex
	limit int
	now   int
	users map[string]int
}

// budgetParts is how many users it takes at least to use up a budget.
const budgetParts = 8

func newBudget(limit int) *budget {
	return &budget{limit: limit, users: map[string]int{}}
}

func (b *budget) take(user string, bytes int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now+bytes > b.limit || b.users[user]+bytes > b.limit/budgetParts {
		return false
	}
	b.now += bytes
	b.users[user] += bytes
	return true
}

func (b *budget) give(user string, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now -= bytes
	if b.users[user] -= bytes; b.users[user] <= 0 {
		delete(b.users, user)
	}
}

var (
	errOverBudget   = errors.New("too much is being read at once")
	errBodyTooLarge = errors.New("the body is too large")
	errBodyTooSlow  = errors.New("the body comes too slowly")
)

// bodyTimeout bounds how long a body may take to arrive: who sends it slowly must not hold a part of the budget for long.
var bodyTimeout = 15 * time.Second

// readBody reads a whole body of at most limit bytes. The function that it returns gives back what the body has of the
// budget; it is never nil.
func (b *budget) readBody(user string, body io.ReadCloser, limit int) ([]byte, func(), error) {
	type read struct {
		content []byte
		err     error
	}
	done := make(chan read, 1)
	go func() {
		content, err := b.readAll(user, body, limit)
		if err != nil {
			b.give(user, len(content))
			content = nil
		}
		done <- read{content, err}
	}()
	timer := time.NewTimer(bodyTimeout)
	defer timer.Stop()
	select {
	case got := <-done:
		return got.content, func() { b.give(user, len(got.content)) }, got.err
	case <-timer.C:
	}
	go func() {
		// Ends the reading, where the body can be closed meanwhile.
		_ = body.Close()
		got := <-done
		b.give(user, len(got.content))
	}()
	return nil, func() {}, errBodyTooSlow
}

// readAll reads a body, each piece within the budget. What it returns has been taken from the budget, also with an error.
func (b *budget) readAll(user string, body io.Reader, limit int) (content []byte, err error) {
	// Nobody else catches a panic here.
	defer func() {
		if problem := recover(); problem != nil {
			err = errors.New("the body cannot be read")
		}
	}()
	piece := make([]byte, 4<<10)
	for {
		n, err := body.Read(piece)
		if n > 0 {
			if len(content)+n > limit {
				return content, errBodyTooLarge
			}
			if !b.take(user, n) {
				return content, errOverBudget
			}
			content = append(content, piece[:n]...)
		}
		if errors.Is(err, io.EOF) {
			return content, nil
		}
		if err != nil {
			return content, err
		}
	}
}
