package suite

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
)

// routes are the plugin's, and some that it does not have.
var routes = []string{"/click", "/dialog", "/panel.Panel/Status", "/panel.Panel/NoSuchMethod", "/panel.Panel/", "/", "/nothing", "/click/", "/../click", "/%2e%2e/etc/passwd"}

func TestGarbageOnAnyRouteIsRefusedAndThePluginStaysUp(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings())
		before := s.process()
		id := s.file("because")
		s.post(id)
		noise := make([]byte, 4096)
		_, err := rand.Read(noise)
		s.must(err)
		bodies := map[string][]byte{
			"nothing":            nil,
			"noise":              noise,
			"broken JSON":        []byte(`{"context":`),
			"a list":             []byte(`[1,2,3]`),
			"null":               []byte(`null`),
			"nested too deep":    []byte(strings.Repeat(`{"context":`, 20_000)),
			"the wrong types":    []byte(`{"user_id":{},"post_id":[],"context":"x","trigger_id":7}`),
			"a huge text":        []byte(`{"context":{"request":"` + strings.Repeat("x", 500_000) + `"}}`),
			"a gRPC-web frame":   {0, 0, 0, 0, 0},
			"a frame that lies":  {0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3},
			"a compressed frame": {1, 0, 0, 0, 1, 9},
		}
		for _, route := range routes {
			for name, body := range bodies {
				for _, kind := range []string{"application/json", "application/grpc-web+proto", "text/plain", ""} {
					for _, send := range []func() (int, string, error){
						func() (int, string, error) {
							return set.Bystander.Do(s.ctx, http.MethodPost, "/plugins/"+set.PluginID+route, kind, bytes.NewReader(body))
						},
						func() (int, string, error) {
							return set.Mattermost.Do(s.ctx, http.MethodPost, "/plugins/"+set.PluginID+route, kind, bytes.NewReader(body))
						},
					} {
						status, answer, err := send()
						if err != nil {
							s.Errorf("%s with %s as %q: %v", route, name, kind, err)
						} else if status >= 500 {
							s.Errorf("%s with %s as %q: got status %d: %s", route, name, kind, status, answer)
						}
					}
				}
			}
			for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions} {
				status, answer, err := set.Bystander.Do(s.ctx, method, "/plugins/"+set.PluginID+route, "", nil)
				if err != nil || status >= 500 || (status == http.StatusOK && !strings.HasPrefix(route, "/panel.Panel/")) {
					s.Errorf("%s %s: got %d %s, %v", method, route, status, answer, err)
				}
			}
		}
		s.untouched(id)
		if after := s.process(); after != before {
			s.Errorf("the plugin's process was %d and is %d: it did not stay up", before, after)
		}
		_, err = set.Approver.Decide(s.ctx, s.post(id), stage.Approve, "")
		s.must(err)
		s.settled(id, "bob")
	})
}

// endless is a body of any length.
type endless struct{ left int }

func (e *endless) Read(into []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(into), e.left)
	for i := range into[:n] {
		into[i] = 'x'
	}
	e.left -= n
	return n, nil
}

func TestABodyOfTenMegabytesIsRefusedOnEveryRoute(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings())
		before := s.process()
		for _, route := range []string{"/click", "/dialog", "/panel.Panel/Status"} {
			for _, user := range []string{"somebody", "nobody"} {
				send := set.Mattermost.Do
				if user == "somebody" {
					send = set.Bystander.Do
				}
				status, answer, err := send(s.ctx, http.MethodPost, "/plugins/"+set.PluginID+route, "application/json", &endless{10 << 20})
				if err != nil {
					s.Errorf("%s by %s: %v", route, user, err)
					continue
				}
				if status < 400 || status >= 500 {
					s.Errorf("%s by %s: got status %d: %.200s", route, user, status, answer)
				}
				s.Logf("%s by %s: %d %.200s", route, user, status, answer)
			}
		}
		status, answer, err := set.Bystander.Do(s.ctx, http.MethodPost, "/plugins/"+set.PluginID+"/click", "application/json", &endless{10 << 20})
		s.must(err)
		if status != http.StatusRequestEntityTooLarge {
			s.Errorf("got status %d, want 413", status)
		}
		s.holds(answer, "large")
		if after := s.process(); after != before {
			s.Errorf("the plugin's process was %d and is %d: it did not stay up", before, after)
		}
	})
}
