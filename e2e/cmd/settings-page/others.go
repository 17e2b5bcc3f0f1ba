package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/child"
)

// others are servers that are no Teleport.
type others struct {
	addresses map[string]string
	servers   []*httptest.Server
}

// startOthers starts a web page without TLS ("plain") and one with TLS ("secure"), and finds an address where nobody
// listens ("nobody").
func startOthers() (*others, error) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello</html>")) })
	quiet := func() *httptest.Server {
		server := httptest.NewUnstartedServer(page)
		server.EnableHTTP2 = true
		// Handshakes fail here by design.
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		return server
	}
	plain, secure := quiet(), quiet()
	plain.Start()
	secure.StartTLS()
	found := &others{servers: []*httptest.Server{plain, secure}}
	nobody, err := child.FreeAddress()
	if err != nil {
		found.Close()
		return nil, err
	}
	found.addresses = map[string]string{"plain": plain.Listener.Addr().String(), "secure": secure.Listener.Addr().String(), "nobody": nobody}
	return found, nil
}

// Close ends them.
func (o *others) Close() {
	for _, server := range o.servers {
		server.Close()
	}
}
