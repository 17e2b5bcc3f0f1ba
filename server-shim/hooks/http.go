package hooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/mattermost/mattermost/server/public/plugin"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/wasm"
)

// route is one of the plugin's addresses.
type route struct {
	// name is for whom it is counted how fast they ask.
	name   string
	method string
	pace   pace
	// adminsOnly keeps all but system admins out.
	adminsOnly bool
	// awaited says that a person waits for the answer, which comes soon.
	awaited bool
	// largest is the most that a body may have, in bytes; Mattermost sets no bound of its own. 0: none is read.
	largest int
	// budget is what the body is read within.
	budget *budget
	handle func(http.ResponseWriter, *http.Request, visitor, []byte)
}

const (
	// largestClick is more than Mattermost sends for a click or a dialog: texts of 3,000 bytes at most.
	largestClick = 64 << 10
	// mostValues is more than a button's context or a dialog has. Many small values take far more work than their length.
	mostValues = 256
	// largestCall is more than a page of settings has.
	largestCall = 1 << 20
)

// ServeHTTP answers requests to /plugins/<id>/… . Anybody may send them, in any number.
func (p *Plugin) ServeHTTP(c *plugin.Context, w http.ResponseWriter, request *http.Request) {
	answer := &answerWriter{ResponseWriter: w}
	// A panic would end the whole plugin.
	defer func() {
		if problem := recover(); problem != nil {
			p.API.LogError("A request failed.", "path", request.URL.Path,
				"panic", fmt.Sprint(problem), "stack", string(debug.Stack()))
			if !answer.began {
				refuse(answer, http.StatusInternalServerError, textFailed)
			}
		}
	}()
	p.enter(c, answer, request)
}

// enter lets a request in, step by step, and nothing of its body is read before the last one.
func (p *Plugin) enter(c *plugin.Context, w http.ResponseWriter, request *http.Request) {
	who, ok := p.visitorOf(c, w, request)
	if !ok {
		return
	}
	route, ok := p.routeOf(request.URL.Path)
	if !ok {
		refuse(w, http.StatusNotFound, "There is nothing here.")
		return
	}
	if request.Method != route.method {
		w.Header().Set("Allow", route.method)
		refuse(w, http.StatusMethodNotAllowed, "Only "+route.method+" is understood here.")
		return
	}
	if route.awaited {
		// Counted before it is looked whether the plugin is being stopped.
		defer p.visits.begin()()
	}
	if !p.ready.Load() {
		refuse(w, http.StatusServiceUnavailable, textRestarting)
		return
	}
	if !p.mayGoOn(w, who.userID, route.name, route.pace) {
		return
	}
	if route.adminsOnly && !p.isAdmin(w, who.userID) {
		return
	}
	var body []byte
	if route.largest > 0 {
		content, give, err := route.budget.readBody(who.userID, request.Body, route.largest)
		defer give()
		if err != nil {
			p.refuseBody(w, err, route.largest)
			return
		}
		body = content
	}
	route.handle(w, request, who, body)
}

// routeOf finds the route of a path.
func (p *Plugin) routeOf(path string) (route, bool) {
	byPeople := pace{burst: 30, each: 2}
	switch {
	case path == "/click":
		return route{
			name: "click", method: http.MethodPost, pace: byPeople, awaited: true,
			largest: largestClick, budget: p.door.clicks, handle: p.click,
		}, true
	case path == "/dialog":
		return route{
			name: "dialog", method: http.MethodPost, pace: byPeople, awaited: true,
			largest: largestClick, budget: p.door.clicks, handle: p.dialog,
		}, true
	case strings.HasPrefix(path, panelPath):
		return route{
			name: "panel", method: http.MethodPost, pace: pace{burst: 100, each: 10}, adminsOnly: true,
			largest: largestCall, budget: p.door.panels, handle: p.panel,
		}, true
	}
	if format, ok := auditPaths[path]; ok {
		return route{
			name: "audit", method: http.MethodGet, pace: pace{burst: 20, each: 1}, adminsOnly: true,
			handle: func(w http.ResponseWriter, request *http.Request, who visitor, _ []byte) {
				p.audit(w, request.WithContext(wasm.InLane(request.Context(), who.userID)), format)
			},
		}, true
	}
	return route{}, false
}

// refuseBody says why a body was not taken.
func (p *Plugin) refuseBody(w http.ResponseWriter, err error, largest int) {
	switch {
	case errors.Is(err, errOverBudget):
		p.refuseThrottled(w)
	case errors.Is(err, errBodyTooLarge):
		refuse(w, http.StatusRequestEntityTooLarge,
			fmt.Sprintf("The request is too large: at most %d KiB are taken.", largest>>10))
	case errors.Is(err, errBodyTooSlow):
		refuse(w, http.StatusRequestTimeout, "The request took too long to arrive.")
	default:
		refuse(w, http.StatusBadRequest, "The request ended before it was complete.")
	}
}

// decode reads a JSON object, or refuses the request and is false.
func decode(w http.ResponseWriter, body []byte, into any) bool {
	err := json.Unmarshal(body, into)
	if err == nil && !strings.HasPrefix(strings.TrimSpace(string(body)), "{") {
		err = errors.New("it is not an object")
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "The request is not the JSON that Mattermost sends here: "+err.Error()+".")
		return false
	}
	return true
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, status int, message string) {
	respond(w, status, map[string]string{"error": message})
}

// respond answers with JSON, in one piece: of several ones Mattermost would keep only the last.
func respond(w http.ResponseWriter, status int, answer any) {
	body, err := json.Marshal(answer)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// Whoever went away needs no answer.
	_, _ = w.Write(body)
}

// answerWriter remembers whether an answer has begun.
type answerWriter struct {
	http.ResponseWriter
	began bool
}

func (w *answerWriter) WriteHeader(status int) {
	w.began = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *answerWriter) Write(data []byte) (int, error) {
	w.began = true
	return w.ResponseWriter.Write(data)
}

// Unwrap lets http.ResponseController reach what it needs.
func (w *answerWriter) Unwrap() http.ResponseWriter {
	return w.ResponseWriter
}
