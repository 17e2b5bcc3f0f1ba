package suite

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattermost/mattermost/server/public/model"

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

// wave sends requests with bodies of all sizes up to a mebibyte, many at once, and counts the answers by their status. It
// answers once all are answered, or the context is done.
func wave(ctx context.Context, send func(ctx context.Context, path string, body io.Reader) (int, error)) map[string]int {
	sizes := []int{0, 300, 60_000, 64 << 10, 65 << 10, 300_000, 1<<20 - 100, 1 << 20}
	paths := []string{"/click", "/dialog", "/panel.Panel/Status", "/panel.Panel/SelfTest", "/click", "/dialog"}
	filling := strings.Repeat("x", 1<<20)
	var mu sync.Mutex
	var all sync.WaitGroup
	answers := map[string]int{}
	room := make(chan struct{}, waveWidth)
	for number := range waveSize {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			// JSON that the plugin could read to its end.
			head, tail := `{"context":{"request":"`, `","cluster":"c","verdict":"approve"},"state":"x","submission":{}}`
			size := max(0, sizes[number%len(sizes)]-len(head)-len(tail))
			body := io.MultiReader(strings.NewReader(head), strings.NewReader(filling[:size]), strings.NewReader(tail))
			status, err := send(ctx, "/plugins/"+set.PluginID+paths[number%len(paths)], body)
			answer := fmt.Sprint(status)
			if err != nil {
				answer = "no answer"
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
	onBoth(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		process, lost := s.process(), s.lost()
		for name, send := range map[string]func(ctx context.Context, path string, body io.Reader) (int, error){
			"anonymous": func(ctx context.Context, path string, body io.Reader) (int, error) {
				status, _, err := set.Mattermost.Do(ctx, http.MethodPost, path, "application/json", body)
				return status, err
			},
			"logged-in": func(ctx context.Context, path string, body io.Reader) (int, error) {
				status, _, err := set.Bystander.Do(ctx, http.MethodPost, path, "application/json", body)
				return status, err
			},
		} {
			id := s.file("because")
			post := s.post(id)
			began := time.Now()
			over := make(chan map[string]int, 1)
			go func() { over <- wave(s.ctx, send) }()
			// In the middle of it.
			time.Sleep(500 * time.Millisecond)
			took, answer := s.timed(set.Approver, post)
			s.Logf("%s: an honest click took %s: %s", name, took.Round(time.Millisecond), answer)
			s.holds(answer, "You approved")
			if took > honestPatience {
				s.Errorf("%s: an honest click took %s, want less than %s", name, took, honestPatience)
			}
			answers := <-over
			s.Logf("%s: %d requests took %s, answered with %v", name, waveSize, time.Since(began).Round(time.Millisecond), answers)
			if answers["200"] > 0 && name == "anonymous" {
				s.Errorf("%d requests without a session were taken", answers["200"])
			}
			if now := s.lost(); now != lost {
				s.Errorf("%s: %d instances of the core were lost", name, now-lost)
				lost = now
			}
			if now := s.process(); now != process {
				s.Fatalf("%s: the plugin's process was %d and is %d: it did not stay up", name, process, now)
			}
			s.settled(id, "bob")
		}
		// And it goes on working.
		s.holds(s.clickOnce(set.Approver, s.post(s.file("after the waves")), stage.Approve), "You approved")
	})
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
