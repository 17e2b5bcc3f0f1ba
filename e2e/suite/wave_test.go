package suite

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattermost/mattermost/server/public/model"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
)

const (
	// waveSize is how many requests a wave has.
	waveSize = 1000
	// waveWidth is how many of them are under way at once.
	waveWidth = 300
	// honestPatience is how long an honest click may take in the middle of a wave. On a machine that has nothing else to do it
	// is far below a second.
	honestPatience = 5 * time.Second
)

// sizes are what bodies a wave has, in bytes.
var sizes = map[string][]int{
	"of all sizes":            {0, 300, 60_000, 64 << 10, 65 << 10, 300_000, 1<<20 - 100, 1 << 20},
	"as large as they can be": {1 << 20},
}

// sender sends a request's body to one of the plugin's routes and answers the status.
type sender func(ctx context.Context, path, contentType string, body io.Reader) (int, error)

// gate holds bodies back shortly before their end, until so many are there that they all end at the same moment, or nobody comes
// any more.
type gate struct {
	mu      sync.Mutex
	waiting int
	open    chan struct{}
}

// hold waits at the gate.
func (g *gate) hold(ctx context.Context) {
	g.mu.Lock()
	if g.open == nil {
		g.open = make(chan struct{})
	}
	mine := g.open
	g.waiting++
	if g.waiting == waveWidth {
		close(g.open)
		g.open, g.waiting = nil, 0
	}
	g.mu.Unlock()
	select {
	case <-mine:
	case <-ctx.Done():
	case <-time.After(2 * time.Second):
	}
}

// held is the end of a body, which waits at a gate before it is read.
type held struct {
	ctx  context.Context
	gate *gate
	once sync.Once
	end  io.Reader
}

// Read waits, and reads.
func (h *held) Read(into []byte) (int, error) {
	h.once.Do(func() { h.gate.hold(h.ctx) })
	return h.end.Read(into)
}

// frameHead is how long the head of a frame is: a flag, four bytes of length, and the first field's tag with its length.
const frameHead = 5

// frame is the head of a gRPC-web message of so many bytes, which are the text of its first field.
func frame(size int) string {
	field := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.BytesType), uint64(max(0, size-4)))
	length := binary.BigEndian.AppendUint32([]byte{0}, uint32(max(0, size-4)+len(field)))
	return string(append(length, field...))
}

// wave sends requests with bodies of these sizes, many at once, and counts the answers by their status and route.
func wave(ctx context.Context, sizes []int, send sender) map[string]int {
	paths := []string{"/click", "/dialog", "/panel.Panel/CheckCredentials", "/panel.Panel/SelfTest", "/panel.Panel/CheckCredentials"}
	filling := strings.Repeat("x", 1<<20)
	var mu sync.Mutex
	var all sync.WaitGroup
	answers := map[string]int{}
	together := &gate{}
	room := make(chan struct{}, waveWidth)
	for number := range waveSize {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			size := sizes[number%len(sizes)]
			path, contentType := paths[number%len(paths)], "application/json"
			// What the plugin could read to its end.
			head, tail := `{"context":{"request":"`, `","cluster":"c","verdict":"approve"},"state":"x","submission":{}}`
			if strings.HasPrefix(path, "/panel") {
				contentType = "application/grpc-web+proto"
				head, tail = frame(size-frameHead), "x"
			}
			body := io.MultiReader(strings.NewReader(head), strings.NewReader(filling[:max(0, size-len(head)-len(tail))]), &held{ctx: ctx, gate: together, end: strings.NewReader(tail)})
			status, err := send(ctx, "/plugins/"+set.PluginID+path, contentType, body)
			answer := fmt.Sprint(status, " ", path)
			if err != nil {
				answer = "no answer to " + path
			}
			mu.Lock()
			defer mu.Unlock()
			answers[answer]++
		})
	}
	all.Wait()
	return answers
}

// lost is how many instances of the core the server's log says were lost.
func (s *scene) lost() int {
	s.Helper()
	content, err := os.ReadFile(set.Mattermost.LogPath())
	s.must(err)
	return strings.Count(string(content), "The core was lost and is made again.")
}

func TestAWaveOfRequestsLosesNothingAndAnHonestClickIsAnswered(t *testing.T) {
	s := newScene(t, slow)
	s.connect(s.settings().With("AskReason", "never"))
	for who, send := range map[string]sender{
		"anonymous": func(ctx context.Context, path, contentType string, body io.Reader) (int, error) {
			status, _, err := set.Mattermost.Do(ctx, http.MethodPost, path, contentType, body)
			return status, err
		},
		"logged-in": func(ctx context.Context, path, contentType string, body io.Reader) (int, error) {
			status, _, err := set.Bystander.Do(ctx, http.MethodPost, path, contentType, body)
			return status, err
		},
	} {
		for what, sizes := range sizes {
			answers := s.stands(who+" requests "+what, sizes, send)
			if taken := answers["200 /click"] + answers["200 /dialog"]; who == "anonymous" && taken > 0 {
				s.Errorf("%s %s: %d were taken, want all told to sign in: %v", who, what, taken, answers)
			}
		}
	}
	// And it goes on working.
	s.holds(s.clickOnce(set.Approver, s.post(s.file("after the waves")), stage.Approve), "You approved")
}

// stands lets a wave come, clicks honestly in the middle of it, and fails the test where anything is lost. It answers how the
// wave was answered.
func (s *scene) stands(name string, sizes []int, send sender) map[string]int {
	s.Helper()
	process, lost := s.process(), s.lost()
	id := s.file("because")
	post := s.post(id)
	began := time.Now()
	over := make(chan map[string]int, 1)
	go func() { over <- wave(s.ctx, sizes, send) }()
	time.Sleep(500 * time.Millisecond)
	took, answer := s.timed(set.Approver, post)
	s.Logf("%s: an honest click took %s: %s", name, took.Round(time.Millisecond), answer)
	s.holds(answer, "You approved")
	if took > honestPatience {
		s.Errorf("%s: an honest click took %s, want less than %s", name, took, honestPatience)
	}
	answers := <-over
	s.Logf("%s: %d of them took %s, answered with %v", name, waveSize, time.Since(began).Round(time.Millisecond), answers)
	if now := s.lost(); now != lost {
		s.Errorf("%s: %d instances of the core were lost", name, now-lost)
	}
	if now := s.process(); now != process {
		s.Fatalf("%s: the plugin's process was %d and is %d: it did not stay up", name, process, now)
	}
	return answers
}

// timed clicks Approve, and answers how long it took until the clicker read something, and what.
func (s *scene) timed(user *mattermost.User, post *model.Post) (time.Duration, string) {
	s.Helper()
	began := time.Now()
	reaction, err := user.Click(s.ctx, post, stage.Approve)
	if err != nil {
		return time.Since(began), err.Error()
	}
	return time.Since(began), reaction.Text
}
