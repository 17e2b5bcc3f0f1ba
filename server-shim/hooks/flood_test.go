package hooks

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattermost/mattermost/server/public/model"
	"google.golang.org/protobuf/proto"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/wasm"
)

// flood sends many requests at once, again and again, until the test is done with its own. What it returns waits for the
// end and says how often each status was answered.
func flood(t *testing.T, parallel int, send func() int) (stop func() map[int]int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	answers := map[int]int{}
	var begun, all sync.WaitGroup
	begun.Add(parallel)
	for range parallel {
		all.Go(func() {
			for first := true; ctx.Err() == nil; first = false {
				status := send()
				mu.Lock()
				answers[status]++
				mu.Unlock()
				if first {
					begun.Done()
				}
				// Whoever sends has to wait for the network; this process does not, and would only be busy with sending.
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
	begun.Wait()
	stop = sync.OnceValue(func() map[int]int {
		cancel()
		all.Wait()
		return answers
	})
	t.Cleanup(func() { stop() })
	return stop
}

// honest is a click of somebody who has nothing to do with the flood. It is answered by the core, and soon.
func honest(t *testing.T, p *Plugin, user string) {
	t.Helper()
	answered := make(chan *once, 1)
	go func() {
		answered <- request(t, p, "POST", "/click", `{"post_id":"p","context":{"request":"r","cluster":"c","verdict":"approve"}}`, user)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	select {
	case response := <-answered:
		var answer model.PostActionIntegrationResponse
		if err := json.Unmarshal(response.Body.Bytes(), &answer); err != nil || response.Code != 200 ||
			answer.EphemeralText == "" || answer.EphemeralText == textBusy || answer.EphemeralText == textRestarting ||
			answer.EphemeralText == textTooLong || answer.EphemeralText == textFailed {
			t.Errorf("an honest click is answered with %d %s", response.Code, response.Body)
		}
	case <-ctx.Done():
		t.Error("an honest click is not answered")
	}
}

// isWell says whether the instance is still the first one, and still takes note of settings.
func isWell(t *testing.T, p *Plugin, s *server) {
	t.Helper()
	if stats := p.actor.Stats(); stats.Lost != 0 || stats.MemoryBytes > 192<<20 {
		t.Errorf("the module: %+v", stats)
	}
	if err := p.OnConfigurationChange(); err != nil {
		t.Error(err)
	}
	if lines := s.logged("made again"); len(lines) != 0 {
		t.Errorf("the log says %v", lines)
	}
}

func TestAnAnonymousFloodNeitherCrashesTheCoreNorKeepsAnybodyWaiting(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	large := strings.Repeat("a", 1<<20)
	stop := flood(t, 300, func() int {
		return knock(p, contextOf(""), "POST", "/click", nil, strings.NewReader(large)).Code
	})
	for range 5 {
		honest(t, p, member)
	}
	answers := stop()
	if len(answers) != 1 || answers[401] < 300 {
		t.Errorf("the flood was answered with %v", answers)
	}
	isWell(t, p, s)
}

// entries is a click that is as large, and has as many values, as one may.
func entries() string {
	var body strings.Builder
	body.WriteString(`{"post_id":"p","context":{"request":"r"`)
	for n := range mostValues - 1 {
		body.WriteString(`,"` + strconv.Itoa(n) + `":"` + strings.Repeat("a", 200) + `"`)
	}
	body.WriteString("}}")
	return body.String()
}

func TestAFloodOfOneUserKeepsNoOtherUserOut(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	body := entries()
	stop := flood(t, 300, func() int {
		return knock(p, contextOf("flooder"), "POST", "/click", http.Header{"Mattermost-User-Id": {"flooder"}}, strings.NewReader(body)).Code
	})
	for range 5 {
		honest(t, p, member)
	}
	answers := stop()
	if answers[429] < 200 || answers[429]+answers[200] < 300 || len(answers) > 2 {
		t.Errorf("the flood was answered with %v", answers)
	}
	limited := knock(p, contextOf("flooder"), "POST", "/click", http.Header{"Mattermost-User-Id": {"flooder"}}, strings.NewReader(body))
	if seconds, err := strconv.Atoi(limited.Header().Get("Retry-After")); limited.Code == 429 && (err != nil || seconds < 1) {
		t.Errorf("it is to be waited %q", limited.Header().Get("Retry-After"))
	}
	if p.figures().GetThrottledRequests() == 0 {
		t.Error("it is not counted")
	}
	isWell(t, p, s)
}

func TestAFloodOfManyUsersDoesNotCrashTheCore(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	body := entries()
	var mu sync.Mutex
	next := 0
	stop := flood(t, 200, func() int {
		mu.Lock()
		next++
		user := fmt.Sprint("user", next%50)
		mu.Unlock()
		return knock(p, contextOf(user), "POST", "/click", http.Header{"Mattermost-User-Id": {user}}, strings.NewReader(body)).Code
	})
	honest(t, p, member)
	if text := run(t, p, member, "/teleport help"); !strings.Contains(text, "/teleport status") {
		t.Errorf("the command says %q", text)
	}
	stop()
	isWell(t, p, s)
	honest(t, p, member)
}

// What comes past the door, by whatever mistake, does not crash the core either: 300 calls of 1 MiB at once did.
func TestTheHostItselfBoundsWhatStrangersPutIntoTheModule(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	click := &pb.ClickRequest{UserId: member, PostId: "p", Context: map[string]string{"request": strings.Repeat("a", 1<<20)}}
	message, err := proto.Marshal(click)
	if err != nil {
		t.Fatal(err)
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	frame = append(frame, message...)
	var mu sync.Mutex
	lane, wholly := 0, 0
	stop := flood(t, 300, func() int {
		mu.Lock()
		lane++
		ctx := wasm.InLane(context.Background(), fmt.Sprint(lane%64))
		mu.Unlock()
		call, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://core/plugin.Plugin/Click", bytes.NewReader(frame))
		if err != nil {
			return 0
		}
		call.Header.Set("Content-Type", "application/grpc-web+proto")
		response, err := p.actor.RoundTrip(call)
		if err != nil {
			return 0
		}
		defer func() { _ = response.Body.Close() }()
		content, err := io.ReadAll(response.Body)
		if err != nil {
			return 0
		}
		if bytes.Contains(content, []byte("grpc-status: 8")) || bytes.Contains(content, []byte("grpc-status:8")) {
			return 429
		}
		mu.Lock()
		wholly++
		mu.Unlock()
		return 200
	})
	if response := metrics(t, p); response.Code != 200 {
		t.Errorf("the host's own call is answered with %d", response.Code)
	}
	if answers := stop(); answers[0] != 0 || answers[429] == 0 {
		t.Errorf("the flood was answered with %v", answers)
	}
	isWell(t, p, s)
}
