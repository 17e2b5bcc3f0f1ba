package hooks

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin/pluginconnect"
)

// untouched is a body that must not be read.
type untouched struct{ read atomic.Bool }

func (b *untouched) Read([]byte) (int, error) {
	b.read.Store(true)
	return 0, io.EOF
}

// knock sends a request with any header and any context.
func knock(p *Plugin, c *plugin.Context, method, path string, header http.Header, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, body)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(c, w, r)
	return w
}

var allRoutes = map[string]string{
	"/click": "POST", "/dialog": "POST", "/panel.Panel/Status": "POST", "/audit.csv": "GET", "/audit.jsonl": "GET",
	"/nowhere": "POST",
}

func TestWhoHasNoSessionIsRefusedBeforeAnythingIsRead(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	tries := 0
	for path, method := range allRoutes {
		for name, test := range map[string]struct {
			c      *plugin.Context
			header http.Header
		}{
			"nobody":                     {&plugin.Context{}, nil},
			"no context":                 {nil, http.Header{"Mattermost-User-Id": {admin}}},
			"an id without a session":    {&plugin.Context{}, http.Header{"Mattermost-User-Id": {admin}}},
			"a session without an id":    {&plugin.Context{SessionId: "s"}, nil},
			"an empty id":                {&plugin.Context{SessionId: "s"}, http.Header{"Mattermost-User-Id": {""}}},
			"two ids":                    {&plugin.Context{SessionId: "s"}, http.Header{"Mattermost-User-Id": {admin, admin}}},
			"an id in a header of ours":  {&plugin.Context{SessionId: "s"}, http.Header{"X-Mattermost-User-Id": {admin}}},
			"an id with an underscore":   {&plugin.Context{SessionId: "s"}, http.Header{"Mattermost_user_id": {admin}}},
			"an id in a key of its own":  {&plugin.Context{SessionId: "s"}, http.Header{"mattermost-user-id": {admin}}},
			"a plugin's id in its place": {&plugin.Context{SessionId: "s"}, http.Header{"X-Mattermost-Plugin-Id": {"p"}}},
		} {
			body := &untouched{}
			if answer := knock(p, test.c, method, path, test.header, body); answer.Code != 401 || body.read.Load() {
				t.Errorf("%s at %s: %d, read: %v", name, path, answer.Code, body.read.Load())
			}
			tries++
		}
	}
	if figures := p.figures(); figures.GetAnonymousRequests() != uint64(tries) {
		t.Errorf("%d were counted, not %d", figures.GetAnonymousRequests(), tries)
	}
	if text := metrics(t, p).Body.String(); !strings.Contains(text, "anonymous_requests_total "+strconv.Itoa(tries)+"\n") {
		t.Errorf("the metrics say\n%s", text)
	}
	if lines := s.logged(""); len(lines) > 10 {
		t.Errorf("the log says %v", lines)
	}
}

func TestWhatOtherPluginsSendIsRefused(t *testing.T) {
	p := activate(t, newServer(t))
	tries := uint64(0)
	for path, method := range allRoutes {
		for name, header := range map[string]http.Header{
			"a plugin":               {"Mattermost-Plugin-Id": {"com.example"}},
			"a plugin as an admin":   {"Mattermost-Plugin-Id": {"com.example"}, "Mattermost-User-Id": {admin}},
			"a plugin without an id": {"Mattermost-Plugin-Id": {""}, "Mattermost-User-Id": {admin}},
			"this very plugin":       {"Mattermost-Plugin-Id": {pluginID}, "Mattermost-User-Id": {admin}},
			"the server itself":      {"Mattermost-Plugin-Id": {"com.mattermost.server"}, "Mattermost-User-Id": {admin}},
		} {
			body := &untouched{}
			if answer := knock(p, contextOf(admin), method, path, header, body); answer.Code != 403 || body.read.Load() ||
				!strings.Contains(answer.Body.String(), "plugins") {
				t.Errorf("%s at %s: %d %s, read: %v", name, path, answer.Code, answer.Body, body.read.Load())
			}
			tries++
		}
	}
	// A command that a plugin has run, as whomever it names.
	for name, c := range map[string]*plugin.Context{
		"no context": nil, "no session": {}, "a session of nobody": {SessionId: "none"}, "another's session": contextOf(member),
	} {
		answer, appErr := p.ExecuteCommand(c, &model.CommandArgs{UserId: admin, Command: "/teleport status"})
		if appErr != nil || !strings.Contains(answer.Text, "Other plugins") {
			t.Errorf("%s: %v, %v", name, answer, appErr)
		}
		tries++
	}
	if figures := p.figures(); figures.GetPluginRequests() != tries || figures.GetAnonymousRequests() != 0 {
		t.Errorf("counted were %v", figures)
	}
}

func TestOnlyActiveSystemAdminsAreLetIntoThePanel(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	s.set(func() {
		s.users["gone"] = &model.User{Id: "gone", Roles: "system_user system_admin", DeleteAt: 1}
		s.users["bot"] = &model.User{Id: "bot", Roles: "system_user system_admin", IsBot: true}
		s.users["manager"] = &model.User{Id: "manager", Roles: "system_user system_manager"}
	})
	for user, status := range map[string]int{
		member: 403, "gone": 403, "bot": 403, "manager": 403, "unknown": 503, botID: 403,
	} {
		for path, method := range map[string]string{"/panel.Panel/Status": "POST", "/audit.csv": "GET"} {
			body := &untouched{}
			header := http.Header{"Mattermost-User-Id": {user}, "Content-Type": {"application/grpc-web+proto"}}
			if answer := knock(p, contextOf(user), method, path, header, body); answer.Code != status || body.read.Load() {
				t.Errorf("%s at %s: %d, read: %v", user, path, answer.Code, body.read.Load())
			}
		}
	}
}

func TestASessionAndAnAddressAreHandedToTheCore(t *testing.T) {
	p := activate(t, newServer(t))
	core := &listener{}
	replaceCore(t, p, startFake(t, core, nil))
	// What a body claims of it does not count.
	body := `{"post_id":"p","session_id":"forged","ip_address":"forged","state":"s"}`
	for _, path := range []string{"/click", "/dialog"} {
		if response := request(t, p, "POST", path, body, member); response.Code != 200 {
			t.Errorf("%s: %d", path, response.Code)
		}
	}
	if core.clicked.GetSessionId() != "session of "+member || core.clicked.GetIpAddress() != "192.0.2.1" ||
		core.clicked.GetUserId() != member {
		t.Errorf("the click was %v", core.clicked)
	}
	if core.submitted.GetSessionId() != "session of "+member || core.submitted.GetIpAddress() != "192.0.2.1" ||
		core.submitted.GetUserId() != member {
		t.Errorf("the dialog was %v", core.submitted)
	}
}

// listener is a core that remembers what it was asked.
type listener struct {
	pluginconnect.UnimplementedPluginHandler
	clicked   *pb.ClickRequest
	submitted *pb.SubmitDialogRequest
}

func (c *listener) Click(
	_ context.Context, request *connect.Request[pb.ClickRequest],
) (*connect.Response[pb.ClickResponse], error) {
	c.clicked = request.Msg
	return connect.NewResponse(&pb.ClickResponse{}), nil
}

func (c *listener) SubmitDialog(
	_ context.Context, request *connect.Request[pb.SubmitDialogRequest],
) (*connect.Response[pb.SubmitDialogResponse], error) {
	c.submitted = request.Msg
	return connect.NewResponse(&pb.SubmitDialogResponse{}), nil
}

func TestABodyThatDoesNotComeIsGivenUp(t *testing.T) {
	before := bodyTimeout
	bodyTimeout = 10 * time.Millisecond
	defer func() { bodyTimeout = before }()
	p := activate(t, newServer(t))
	reader, writer := io.Pipe()
	header := http.Header{"Mattermost-User-Id": {member}}
	answer := knock(p, contextOf(member), "POST", "/click", header, io.MultiReader(strings.NewReader(`{"post_id"`), reader))
	if answer.Code != 408 {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	_ = writer.CloseWithError(errBroken)
	eventually(t, "what was read is given back", func() bool {
		p.door.clicks.mu.Lock()
		defer p.door.clicks.mu.Unlock()
		return p.door.clicks.now == 0 && len(p.door.clicks.users) == 0
	})
}

func TestABudgetIsSharedAndGivenBack(t *testing.T) {
	b := newBudget(80 << 10)
	body := func(length int) io.ReadCloser { return io.NopCloser(strings.NewReader(strings.Repeat("a", length))) }
	var gives []func()
	for _, user := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		content, give, err := b.readBody(user, body(10<<10), 64<<10)
		if err != nil || len(content) != 10<<10 {
			t.Fatalf("%s: %d bytes, %v", user, len(content), err)
		}
		gives = append(gives, give)
	}
	if _, give, err := b.readBody("i", body(1), 64<<10); !errors.Is(err, errOverBudget) {
		t.Errorf("beyond the budget: %v", err)
	} else {
		give()
	}
	gives[0]()
	if _, give, err := b.readBody("b", body(1), 64<<10); !errors.Is(err, errOverBudget) {
		t.Errorf("beyond a user's part: %v", err)
	} else {
		give()
	}
	for name, test := range map[string]struct {
		body io.ReadCloser
		want error
	}{
		"too large": {body(6<<10 + 1), errBodyTooLarge},
		"too much":  {body(11 << 10), errBodyTooLarge},
		"broken":    {io.NopCloser(io.MultiReader(strings.NewReader("a"), broken{})), errBroken},
	} {
		_, give, err := b.readBody("a", test.body, 6<<10)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
		give()
	}
	if content, give, err := b.readBody("a", body(6<<10), 6<<10); err != nil || len(content) != 6<<10 {
		t.Errorf("as large as it may be: %d bytes, %v", len(content), err)
	} else {
		give()
	}
	for _, give := range gives[1:] {
		give()
	}
	if b.now != 0 || len(b.users) != 0 {
		t.Errorf("left are %d bytes of %v", b.now, b.users)
	}
}

func TestABucketFillsAgainAndIsEachUsersOwn(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	b := newBuckets()
	b.now = func() time.Time { return now }
	b.most = 3
	slow := pace{burst: 2, each: 0.5}
	take := func(user, route string, want bool) time.Duration {
		t.Helper()
		wait, ok := b.take(user, route, slow)
		if ok != want {
			t.Errorf("%s at %s: %v", user, route, ok)
		}
		return wait
	}
	take("a", "click", true)
	take("a", "click", true)
	for range 3 {
		// Asking in vain does not make it longer.
		if wait := take("a", "click", false); wait != 2*time.Second {
			t.Errorf("it is to be waited %s", wait)
		}
	}
	take("a", "dialog", true)
	take("b", "click", true)
	now = now.Add(2 * time.Second)
	take("a", "click", true)
	take("a", "click", false)
	// However many users there are, the table stays small, and whoever waits goes on waiting where there is room.
	now = now.Add(time.Second)
	take("c", "click", true)
	if len(b.all) > 3 {
		t.Errorf("it holds %d", len(b.all))
	}
	take("a", "click", false)
	for n := range 100 {
		take(strconv.Itoa(n), "click", true)
		if len(b.all) > 3 {
			t.Fatalf("it holds %d", len(b.all))
		}
	}
}
