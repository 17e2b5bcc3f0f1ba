// Package origin serves a Mattermost server together with pages in the place of its web app, which it does not have here:
// one origin, as browsers see it. The pages get the very headers that the server gives to its own, the policy above all,
// and everything else goes to the server and back as it is.
package origin

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ownFiles is where our pages' scripts and styles are: beside the server's own static files, so that the policy lets them run.
const ownFiles = "/static/console/"

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

// Origin is a running proxy.
type Origin struct {
	// URL of the origin, without a slash at the end.
	URL string
	// Record has what went to the browser.
	Record *Record

	server *http.Server
}

// Serve puts the pages before the Mattermost server at a URL. The folder holds what `npm run build` made: a script for each
// version of React that a page can be asked for with ?react=….
func Serve(mattermost, folder string) (*Origin, error) {
	target, err := url.Parse(mattermost)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o := &Origin{URL: "http://" + listener.Addr().String(), Record: &Record{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			// The server compares the host with where a websocket comes from.
			r.Out.Host = r.In.Host
			// The record wants to read what is said.
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: func(response *http.Response) error {
			if isPage(response.Request) {
				return putPage(response, folder)
			}
			if !strings.HasPrefix(response.Request.URL.Path, "/static/") {
				o.Record.listen(response)
			}
			return nil
		},
		// Streams reach the browser as they come.
		FlushInterval: -1,
	}
	mux := http.NewServeMux()
	mux.Handle(ownFiles, http.StripPrefix(ownFiles, http.FileServer(http.Dir(folder))))
	mux.Handle("/", proxy)
	o.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = o.server.Serve(listener) }()
	return o, nil
}

// Close ends it.
func (o *Origin) Close() { _ = o.server.Close() }

// isPage tells whether a request is for one of the web app's pages.
func isPage(r *http.Request) bool {
	for _, place := range []string{"/api/", "/plugins/", "/static/"} {
		if strings.HasPrefix(r.URL.Path, place) {
			return false
		}
	}
	return r.Method == http.MethodGet
}

// putPage replaces what the server has in the web app's place, and keeps its headers.
func putPage(response *http.Response, folder string) error {
	if !strings.Contains(response.Header.Get("Content-Security-Policy"), "script-src") {
		return fmt.Errorf("the server sends no policy for scripts with %s", response.Request.URL.Path)
	}
	query := response.Request.URL.Query()
	script := "console-" + filepath.Base(query.Get("react")) + ".js"
	if _, err := os.Stat(filepath.Join(folder, script)); err != nil {
		return fmt.Errorf("?react=%s: %w", query.Get("react"), err)
	}
	var text bytes.Buffer
	if err := page.Execute(&text, map[string]string{"Files": ownFiles, "Script": script, "Theme": query.Get("theme")}); err != nil {
		return err
	}
	_ = response.Body.Close()
	response.Body = io.NopCloser(&text)
	response.StatusCode, response.Status = http.StatusOK, ""
	response.ContentLength = int64(text.Len())
	response.Header.Set("Content-Length", strconv.Itoa(text.Len()))
	response.Header.Set("Content-Type", "text/html; charset=utf-8")
	response.Header.Set("Cache-Control", "no-store")
	return nil
}
