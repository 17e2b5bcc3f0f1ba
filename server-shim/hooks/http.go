package hooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/mattermost/mattermost/server/public/plugin"
)

// largestBody is the most that the body of a request may have, in bytes. Mattermost sets no bound of its own.
const largestBody = 1 << 20

const userHeader = "Mattermost-User-Id"

// ServeHTTP answers requests to /plugins/<id>/… . Anybody may send them: only the header with the user's id can be
// trusted, which Mattermost sets for requests with a session, and takes away from all others.
func (p *Plugin) ServeHTTP(_ *plugin.Context, w http.ResponseWriter, request *http.Request) {
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
	p.route(answer, request)
}

func (p *Plugin) route(w http.ResponseWriter, request *http.Request) {
	if format, ok := auditPaths[request.URL.Path]; ok && request.Method == http.MethodGet {
		if !p.ready.Load() {
			refuse(w, http.StatusServiceUnavailable, textRestarting)
			return
		}
		p.audit(w, request, format)
		return
	}
	var handle func(http.ResponseWriter, *http.Request, []byte)
	switch path := request.URL.Path; {
	case path == "/click":
		handle = p.click
	case path == "/dialog":
		handle = p.dialog
	case strings.HasPrefix(path, panelPath):
		handle = p.panel
	default:
		refuse(w, http.StatusNotFound, "There is nothing here.")
		return
	}
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, "Only POST is understood here.")
		return
	}
	if !p.ready.Load() {
		refuse(w, http.StatusServiceUnavailable, textRestarting)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, largestBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		refuse(w, http.StatusRequestEntityTooLarge, "The request is too large: at most 1 MiB is taken.")
		return
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "The request ended before it was complete.")
		return
	}
	handle(w, request, body)
}

// userID is whose session the request was sent with, as Mattermost vouches for it; empty where there was none.
func userID(request *http.Request) string {
	ids := request.Header.Values(userHeader)
	if len(ids) != 1 {
		return ""
	}
	return ids[0]
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
