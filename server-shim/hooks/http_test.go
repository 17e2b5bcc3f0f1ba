package hooks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	panelpb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/panel"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/panel/panelconnect"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/wasm"
)

// once counts the pieces of an answer: Mattermost keeps only the last one.
type once struct {
	*httptest.ResponseRecorder
	writes int
}

func (w *once) Write(data []byte) (int, error) {
	w.writes++
	return w.ResponseRecorder.Write(data)
}

func request(t testing.TB, p *Plugin, method, path, body, user string) *once {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if user != "" {
		r.Header.Set("Mattermost-User-Id", user)
	}
	w := &once{ResponseRecorder: httptest.NewRecorder()}
	p.ServeHTTP(contextOf(user), w, r)
	// What is streamed is flushed: of that nothing is lost.
	if w.writes != 1 && !w.Flushed {
		t.Errorf("%s %s was answered in %d pieces", method, path, w.writes)
	}
	return w
}

func TestBadRequestsAreAnsweredWithAClearMessage(t *testing.T) {
	p := activate(t, newServer(t))
	var many strings.Builder
	for n := range 257 {
		fmt.Fprintf(&many, `"%d":"",`, n)
	}
	values := strings.TrimSuffix(many.String(), ",")
	large := `{"context":{"a":"` + strings.Repeat("a", 10<<20) + `"}}`
	for name, test := range map[string]struct {
		method, path, body string
		status             int
		says               string
	}{
		"an unknown path":        {"POST", "/nowhere", "{}", 404, "nothing here"},
		"the root":               {"GET", "/", "", 404, "nothing here"},
		"a path with dots":       {"POST", "/panel.Panel", "{}", 404, "nothing here"},
		"a click by GET":         {"GET", "/click", "", 405, "POST"},
		"a dialog by DELETE":     {"DELETE", "/dialog", "", 405, "POST"},
		"a panel call by GET":    {"GET", "/panel.Panel/Status", "", 405, "POST"},
		"an empty click":         {"POST", "/click", "", 400, "not the JSON"},
		"garbage as a click":     {"POST", "/click", "\x00\xff garbage", 400, "not the JSON"},
		"half a click":           {"POST", "/click", `{"post_id":"a"`, 400, "not the JSON"},
		"a list as a click":      {"POST", "/click", "[]", 400, "not the JSON"},
		"null as a click":        {"POST", "/click", "null", 400, "not an object"},
		"a number as a post id":  {"POST", "/click", `{"post_id":1}`, 400, "not the JSON"},
		"more after a click":     {"POST", "/click", `{}{}`, 400, "not the JSON"},
		"a large click":          {"POST", "/click", large, 413, "64 KiB"},
		"many values":            {"POST", "/click", `{"context":{` + values + `}}`, 413, "too many values"},
		"many answers":           {"POST", "/dialog", `{"submission":{` + values + `}}`, 413, "too many values"},
		"an empty dialog":        {"POST", "/dialog", "", 400, "not the JSON"},
		"garbage as a dialog":    {"POST", "/dialog", "<html>", 400, "not the JSON"},
		"a large dialog":         {"POST", "/dialog", large, 413, "64 KiB"},
		"JSON to the panel":      {"POST", "/panel.Panel/Status", "{}", 415, "gRPC-web"},
		"a large call of panels": {"POST", "/panel.Panel/Status", large, 413, "1024 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			response := request(t, p, test.method, test.path, test.body, admin)
			var said struct{ Error string }
			if err := json.Unmarshal(response.Body.Bytes(), &said); err != nil {
				t.Errorf("the answer is not JSON: %q", response.Body)
			}
			if response.Code != test.status || !strings.Contains(said.Error, test.says) {
				t.Errorf("the answer is %d %q", response.Code, said.Error)
			}
		})
	}
	if text := run(t, p, member, "/teleport help"); !strings.Contains(text, "status") {
		t.Errorf("after all that, help says %q", text)
	}
}

func TestABodyThatBreaksOffIsRefused(t *testing.T) {
	p := activate(t, newServer(t))
	r := httptest.NewRequest("POST", "/click", io.MultiReader(strings.NewReader("{"), broken{}))
	r.Header.Set("Mattermost-User-Id", member)
	w := httptest.NewRecorder()
	p.ServeHTTP(contextOf(member), w, r)
	if w.Code != 400 || !strings.Contains(w.Body.String(), "before it was complete") {
		t.Errorf("the answer is %d %s", w.Code, w.Body)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

func TestOnlyMattermostsHeaderSaysWhoClicked(t *testing.T) {
	p := activate(t, newServer(t))
	click := func(user string) string {
		body := `{"user_id":"` + admin + `","post_id":"post","context":{"n":1,"request":"r","decision":"approve"}}`
		response := request(t, p, "POST", "/click", body, user)
		var answer model.PostActionIntegrationResponse
		if err := json.Unmarshal(response.Body.Bytes(), &answer); err != nil || response.Code != 200 {
			t.Fatalf("%d %s", response.Code, response.Body)
		}
		if answer.Update != nil || !answer.SkipSlackParsing {
			t.Errorf("the answer is %+v", answer)
		}
		return answer.EphemeralText
	}
	nobody := request(t, p, "POST", "/click", `{"user_id":"`+admin+`"}`, "")
	if somebody := click(admin); somebody == "" || nobody.Code != 401 || !strings.Contains(nobody.Body.String(), "sign in") {
		t.Errorf("nobody's click is answered with %d %q, an admin's with %q", nobody.Code, nobody.Body, somebody)
	}
	// Twice the header is as good as none.
	r := httptest.NewRequest("POST", "/click", strings.NewReader("{}"))
	r.Header.Add("Mattermost-User-Id", member)
	r.Header.Add("Mattermost-User-Id", admin)
	if id := userID(r); id != "" {
		t.Errorf("it was %q", id)
	}
}

func TestADialogIsAnsweredByTheCore(t *testing.T) {
	p := activate(t, newServer(t))
	body := `{"callback_id":"c","state":"s","submission":{"text":"t","flag":true,"number":1.5,"nothing":null}}`
	response := request(t, p, "POST", "/dialog", body, member)
	var answer model.SubmitDialogResponse
	if err := json.Unmarshal(response.Body.Bytes(), &answer); err != nil || response.Code != 200 || answer.Error == "" {
		t.Errorf("%d %s", response.Code, response.Body)
	}
}

// browser is a client of the panel with somebody's session.
func browser(t testing.TB, p *Plugin, user string) panelconnect.PanelClient {
	t.Helper()
	mattermost := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Mattermost-User-Id")
		if user != "" {
			r.Header.Set("Mattermost-User-Id", user)
		}
		// Mattermost does not tell a plugin by the context that the browser has gone away.
		p.ServeHTTP(contextOf(user), w, r.WithContext(context.WithoutCancel(r.Context())))
	}))
	t.Cleanup(mattermost.Close)
	return panelconnect.NewPanelClient(mattermost.Client(), mattermost.URL, connect.WithGRPCWeb())
}

func TestTheBrowserReachesTheCoreAsWhomMattermostSaysItIs(t *testing.T) {
	p := activate(t, newServer(t))
	status := func(user string) (*connect.Response[panelpb.StatusResponse], error) {
		asked := connect.NewRequest(&panelpb.StatusRequest{})
		asked.Header().Set("mattermost-user-id", admin)
		asked.Header().Set("authorization", "Bearer secret")
		return browser(t, p, user).Status(context.Background(), asked)
	}
	if _, err := status(""); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("without a session: %v", err)
	}
	if _, err := status(member); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a member: %v", err)
	}
	answer, err := status(admin)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(answer.Msg.GetVersion(), "test-build") || len(answer.Msg.GetChecks()) == 0 {
		t.Errorf("an admin: %v", answer.Msg)
	}
}

func TestAPanicEndsOnlyTheRequestItHappensIn(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	run(t, p, member, "/teleport help")
	actor := p.actor
	p.actor = (*wasm.Actor)(nil)
	if response := request(t, p, "POST", "/click", "{}", admin); response.Code != 500 ||
		!strings.Contains(response.Body.String(), "Something went wrong") {
		t.Errorf("%d %s", response.Code, response.Body)
	}
	if text := run(t, p, member, "/teleport help"); text != textFailed {
		t.Errorf("the command says %q", text)
	}
	p.actor = actor
	if len(s.logged("panic")) != 2 {
		t.Errorf("the log says %v", s.logged(""))
	}
	if text := run(t, p, member, "/teleport help"); !strings.Contains(text, "status") {
		t.Errorf("afterwards help says %q", text)
	}
}

func TestAPanicOfThePluginAPIIsAnErrorToTheCore(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	run(t, p, member, "/teleport help")
	s.set(func() { s.getUser = func() { panic("on purpose") } })
	if text := run(t, p, admin, "/teleport status"); !strings.Contains(text, "could not be asked") {
		t.Errorf("the status says %q", text)
	}
	s.set(func() { s.getUser = nil })
	if len(s.logged("on purpose")) == 0 {
		t.Errorf("the log says %v", s.logged(""))
	}
}

func TestTheAuditTrailIsAFileForSystemAdminsOnly(t *testing.T) {
	p := activate(t, newServer(t))
	// An attempt to write down.
	request(t, p, "POST", "/click", `{"post_id":"p","context":{"request":"r","cluster":"c","verdict":"approve"}}`, member)
	for name, test := range map[string]struct {
		user   string
		path   string
		status int
		says   string
	}{
		"an admin reads CSV":        {admin, "/audit.csv", 200, "\"refused\",\"approved\","},
		"a period that has it":      {admin, "/audit.csv?from=2020-01-01&to=2099-12-31", 200, "\"refused\",\"approved\","},
		"an admin reads JSON lines": {admin, "/audit.jsonl", 200, `"result":"refused"`},
		"a member":                  {member, "/audit.csv", 403, "only system admins"},
		"nobody":                    {"", "/audit.csv", 401, "sign in"},
		"an admin with a bad date":  {admin, "/audit.csv?from=yesterday", 400, "2026-01-31"},
		"a member with a bad date":  {member, "/audit.jsonl?to=2026-02-30", 403, "only system admins"},
	} {
		t.Run(name, func(t *testing.T) {
			response := request(t, p, "GET", test.path, "", test.user)
			if response.Code != test.status || !strings.Contains(response.Body.String(), test.says) {
				t.Errorf("the answer is %d %q", response.Code, response.Body)
			}
			attached := strings.Contains(response.Header().Get("Content-Disposition"), "attachment")
			if attached != (test.status == 200) {
				t.Errorf("as a file: %v, with status %d", attached, response.Code)
			}
		})
	}
}

func TestTheExportOfAPeriodHasNothingElse(t *testing.T) {
	p := activate(t, newServer(t))
	request(t, p, "POST", "/click", `{"post_id":"p","context":{"request":"r","cluster":"c","verdict":"approve"}}`, member)
	response := request(t, p, "GET", "/audit.jsonl?from=2020-01-01&to=2020-12-31", "", admin)
	if response.Code != 200 || response.Body.Len() != 0 {
		t.Errorf("the answer is %d %q", response.Code, response.Body)
	}
	if name := response.Header().Get("Content-Disposition"); !strings.Contains(name, "from-2020-01-01-to-2020-12-31.jsonl") {
		t.Errorf("the file is %q", name)
	}
	// The export itself is an entry.
	response = request(t, p, "GET", "/audit.jsonl", "", admin)
	if !strings.Contains(response.Body.String(), `"what":"audit trail exported"`) {
		t.Errorf("the trail is %q", response.Body)
	}
}

func TestAPeriodIsReadStrictly(t *testing.T) {
	const day = 86_400_000
	for query, want := range map[string][2]int64{
		"":                              {0, 0},
		"from=1970-01-01":               {1, 0},
		"from=1970-01-02&to=1970-01-02": {day, 2 * day},
		"from=5&to=7":                   {5, 7},
		"to=1970-01-03":                 {0, 3 * day},
	} {
		if from, to, err := period(query); err != nil || from != want[0] || to != want[1] {
			t.Errorf("%q is from %d to %d, %v", query, from, to, err)
		}
	}
	for _, query := range []string{
		"from=", "from=0", "from=-1", "from=%2B5", "from=5.0", "from=1e3", "from=5&from=6", "from=2026-1-31", "from=2026-02-30",
		"from=2026-01-31T00:00:00Z", "from=31.01.2026", "from= 5", "to=5&from=5", "from=9&to=5", "form=2026-01-31", "from=99999999999999999999",
		"from=%zz", "from=1969-12-31", "to=2026-01-30&from=2026-01-31",
	} {
		if from, to, err := period(query); err == nil {
			t.Errorf("%q is taken: from %d to %d", query, from, to)
		} else if !strings.Contains(err.Error(), "2026-01-31") && query != "from=%zz" {
			t.Errorf("%q: %v", query, err)
		}
	}
}
