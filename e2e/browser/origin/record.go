package origin

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
)

// Said is one response that went to the browser.
type Said struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Status int    `json:"status"`
	// Header as text, and the body in base64.
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// Record keeps what the server said to the browser, static files left out: page, worker and all.
type Record struct {
	mu   sync.Mutex
	said []*Said
}

// listen keeps a response while it passes.
func (r *Record) listen(response *http.Response) {
	request := response.Request
	// A response that becomes a websocket has a body that is written to as well: it is the browser's to record.
	if response.StatusCode == http.StatusSwitchingProtocols {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	said := &Said{Method: request.Method, Path: request.URL.Path, Status: response.StatusCode, Header: response.Header.Clone()}
	r.said = append(r.said, said)
	response.Body = &heard{ReadCloser: response.Body, record: r, said: said}
}

// ServeHTTP answers the record as JSON; DELETE forgets it.
func (r *Record) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if request.Method == http.MethodDelete {
		r.said = nil
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(r.said)
}

// heard is a body that is kept while it is read.
type heard struct {
	io.ReadCloser
	record *Record
	said   *Said
}

func (h *heard) Read(into []byte) (int, error) {
	n, err := h.ReadCloser.Read(into)
	h.record.mu.Lock()
	defer h.record.mu.Unlock()
	h.said.Body = append(h.said.Body, into[:n]...)
	return n, err
}
