package wasm

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/wall"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/grpcweb"
)

// soon is how long a test waits for what should happen at once.
const soon = 20 * time.Second

// logbook remembers what was logged.
type logbook struct {
	mu    sync.Mutex
	lines []string
}

func (l *logbook) add(level, message string, keyValuePairs []any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, level+" "+message+" "+fmt.Sprintln(keyValuePairs...))
}

func (l *logbook) LogDebug(message string, pairs ...any) { l.add("debug", message, pairs) }
func (l *logbook) LogInfo(message string, pairs ...any)  { l.add("info", message, pairs) }
func (l *logbook) LogWarn(message string, pairs ...any)  { l.add("warn", message, pairs) }
func (l *logbook) LogError(message string, pairs ...any) { l.add("error", message, pairs) }

// with are the lines that hold a text.
func (l *logbook) with(part string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.lines), func(line string) bool { return !strings.Contains(line, part) })
}

// start runs an actor for the time of the test.
func start(t testing.TB, config Config) (*Actor, *logbook) {
	t.Helper()
	log := &logbook{}
	config.Log = log
	if config.Serve == nil {
		config.Serve = func(string) http.Handler { return http.NotFoundHandler() }
	}
	if config.FirstPause == 0 {
		config.FirstPause = time.Millisecond
	}
	if config.ForeignExchanges == 0 {
		// What strangers may have is the matter of tests of its own.
		config.ForeignExchanges, config.ForeignBytes = 1<<20, 1<<30
	}
	if config.Patience == 0 {
		config.Patience = soon
	}
	actor := Start(config)
	t.Cleanup(actor.Close)
	return actor, log
}

// serving answers all destinations alike.
func serving(handler http.HandlerFunc) func(string) http.Handler {
	return func(string) http.Handler { return handler }
}

func post(t testing.TB, ctx context.Context, through http.RoundTripper, body io.Reader) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://core/test.Test/Call", body)
	if err != nil {
		t.Fatal(err)
	}
	return through.RoundTrip(request)
}

// answer is what comes back to a request, all of it.
func answer(t testing.TB, through http.RoundTripper, body string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	response, err := post(t, ctx, through, strings.NewReader(body))
	if err != nil {
		t.Fatalf("the request failed: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("the answer ended early: %v", err)
	}
	return response, string(content)
}

func eventually(t testing.TB, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if true() {
			return
		}
	}
	t.Fatalf("it never happened that %s", what)
}

func isBusy(body string) bool {
	return strings.Contains(body, "too much to do") && strings.Contains(body, "grpc-status: 8\r\n")
}

func isUnavailable(body string) bool {
	return strings.Contains(body, "grpc-status: 14\r\n")
}

func TestARequestPassesThroughTheCoreAndTheAnswerComesBack(t *testing.T) {
	for name, interpret := range map[string]bool{"compiled": false, "interpreted": true} {
		t.Run(name, func(t *testing.T) {
			actor, log := start(t, Config{
				Path:      relay(t, "somewhere", &wall.Header{Name: "x-test", Value: []byte("from the core")}).file(t),
				Interpret: interpret,
				Serve: func(destination string) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
						w.Header().Set("X-Answer", "yes")
						w.WriteHeader(http.StatusTeapot)
						content, _ := io.ReadAll(request.Body)
						_, _ = fmt.Fprintf(w, "%s %s %s %s %s", destination, request.Method, request.URL.Path,
							request.Header.Get("X-Test"), content)
					})
				},
			})
			large := strings.Repeat("0123456789", 50_000)
			response, content := answer(t, actor, large)
			if want := "somewhere POST /test.Test/Call from the core " + large; content != want {
				t.Errorf("the answer has %d bytes, %.60q…; want %d", len(content), content, len(want))
			}
			if response.StatusCode != http.StatusTeapot || response.Header.Get("X-Answer") != "yes" {
				t.Errorf("the head is %d %v", response.StatusCode, response.Header)
			}
			if warned := len(log.with("runs interpreted")); (warned == 1) != interpret {
				t.Errorf("%d warnings about the interpreter", warned)
			}
		})
	}
}

func TestBodiesStreamInBothDirectionsAtOnce(t *testing.T) {
	actor, _ := start(t, Config{Path: relay(t, "host").file(t), Serve: serving(func(w http.ResponseWriter, r *http.Request) {
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			_, _ = fmt.Fprintf(w, "echo %s\n", lines.Text())
		}
	})})
	ours, theirs := io.Pipe()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	type result struct {
		response *http.Response
		err      error
	}
	results := make(chan result, 1)
	go func() {
		response, err := post(t, ctx, actor, ours)
		results <- result{response, err}
	}()
	var lines *bufio.Scanner
	for n := range 20 {
		// The next line is only sent once the echo of the one before is here.
		if _, err := fmt.Fprintf(theirs, "line %d\n", n); err != nil {
			t.Fatal(err)
		}
		if lines == nil {
			r := <-results
			if r.err != nil {
				t.Fatal(r.err)
			}
			defer func() { _ = r.response.Body.Close() }()
			lines = bufio.NewScanner(r.response.Body)
		}
		if !lines.Scan() || lines.Text() != fmt.Sprintf("echo line %d", n) {
			t.Fatalf("got %q, %v", lines.Text(), lines.Err())
		}
	}
	_ = theirs.Close()
	if lines.Scan() || lines.Err() != nil {
		t.Errorf("after the end came %q, %v", lines.Text(), lines.Err())
	}
}

func TestManyExchangesGoOnAtOnce(t *testing.T) {
	actor, _ := start(t, Config{Path: relay(t, "host").file(t), Serve: serving(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})})
	var all sync.WaitGroup
	for n := range 200 {
		all.Go(func() {
			want := strings.Repeat(fmt.Sprintf("exchange %d ", n), 100)
			if _, got := answer(t, actor, want); got != want {
				t.Errorf("exchange %d got %.40q", n, got)
			}
		})
	}
	all.Wait()
}

func TestWhoeverGivesUpARequestEndsItForTheHandler(t *testing.T) {
	ended := make(chan error, 1)
	actor, _ := start(t, Config{Path: relay(t, "host").file(t), Serve: serving(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begun")
		<-r.Context().Done()
		_, err := r.Body.Read(make([]byte, 1))
		ended <- err
	})})
	ctx, cancel := context.WithCancel(context.Background())
	body, _ := io.Pipe()
	response, err := post(t, ctx, actor, body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(response.Body, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, errCancelled) {
			t.Errorf("the handler read %v", err)
		}
	case <-time.After(soon):
		t.Fatal("the handler was not told")
	}
	if _, err := response.Body.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("the answer ended with %v", err)
	}
}

func TestClosingAnAnswerEarlyEndsItForTheHandler(t *testing.T) {
	ended := make(chan struct{})
	actor, _ := start(t, Config{Path: relay(t, "host").file(t), Serve: serving(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, "more"); err != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		close(ended)
	})})
	response, err := post(t, context.Background(), actor, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	select {
	case <-ended:
	case <-time.After(soon):
		t.Fatal("the handler goes on")
	}
}

func TestAPanicOfAHandlerEndsItsExchangeOnly(t *testing.T) {
	actor, log := start(t, Config{Path: relay(t, "host").file(t), Serve: serving(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		if string(content) == "panic" {
			panic("on purpose")
		}
		_, _ = w.Write(content)
	})})
	if _, err := post(t, context.Background(), actor, strings.NewReader("panic")); !errors.Is(err, errCancelled) {
		t.Errorf("the request ended with %v", err)
	}
	if len(log.with("on purpose")) != 1 {
		t.Errorf("the log says %v", log.with(""))
	}
	if _, content := answer(t, actor, "fine"); content != "fine" {
		t.Errorf("the next request got %q", content)
	}
	if lost := log.with("was lost"); len(lost) != 0 {
		t.Errorf("the core was lost: %v", lost)
	}
}

func TestAHandlerNeedNotReadWhatItIsSent(t *testing.T) {
	actor, _ := start(t, Config{Path: relay(t, "host").file(t), Serve: serving(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "enough")
	})})
	body, writer := io.Pipe()
	defer func() { _ = writer.Close() }()
	response, err := post(t, context.Background(), actor, body)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if content, err := io.ReadAll(response.Body); string(content) != "enough" || err != nil {
		t.Errorf("got %q, %v", content, err)
	}
}

func TestADeadlineIsKeptWhereTheHandlerCannotBeInterrupted(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	actor, _ := start(t, Config{
		Path: relay(t, "host", &wall.Header{Name: "grpc-timeout", Value: []byte("50m")}).file(t),
		Serve: serving(func(w http.ResponseWriter, r *http.Request) {
			content, _ := io.ReadAll(r.Body)
			_, _ = w.Write(content)
			<-release
			_, _ = io.WriteString(w, "too late")
		}),
	})
	if _, content := answer(t, actor, ""); !strings.Contains(content, "grpc-status: 4\r\n") {
		t.Errorf("without an answer so far: %q", content)
	}
	message := "\x00\x00\x00\x00\x03abc"
	if _, content := answer(t, actor, message); !strings.HasPrefix(content, message+"\x80") ||
		!strings.Contains(content, "grpc-status: 4\r\n") {
		t.Errorf("after a message: %q", content)
	}
	response, err := post(t, context.Background(), actor, strings.NewReader(message[:6]))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if content, err := io.ReadAll(response.Body); !errors.Is(err, errCancelled) {
		t.Errorf("within a message: %q, %v", content, err)
	}
}

func TestALostCoreIsMadeAgain(t *testing.T) {
	spin := forever(nil)
	eat := forever(join(number(16), []byte{opMemoryGrow, 0}, number(-1),
		[]byte{opEqual, opIf, noResult, opUnreachable, opEnd}))
	outside := join(number(2), number(-256), number(4096), call(begin))
	for name, test := range map[string]struct {
		module  module
		says    string
		timeout time.Duration
	}{
		"after a trap":                   {failing([]byte{opUnreachable}), "unreachable", 0},
		"after a call without end":       {failing(spin), "took longer than", 500 * time.Millisecond},
		"at the end of its memory":       {failing(eat), "unreachable", 0},
		"after naming memory it has not": {failing(outside), "outside of its memory", 0},
		"with a buffer it does not have": {
			module{code: map[string][]byte{"wall_alloc": number(-8)}}, "outside of the module's memory", 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var started int
			actor, log := start(t, Config{
				Path: test.module.file(t), CallTimeout: test.timeout, MemoryPages: 64,
				Started: func(Core, []string) {
					mu.Lock()
					defer mu.Unlock()
					started++
				},
			})
			for range 2 {
				if response, content := answer(t, actor, ""); !isUnavailable(content) || response.StatusCode != 200 {
					t.Errorf("the answer is %d %q", response.StatusCode, content)
				}
			}
			eventually(t, "the core is started a third time", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return started >= 3
			})
			if lost := log.with("was lost"); len(lost) != 2 || !strings.Contains(lost[0], test.says) {
				t.Errorf("the log says %v", lost)
			}
			if stats := actor.Stats(); stats.Lost != 2 {
				t.Errorf("%d instances are said to have been lost", stats.Lost)
			}
		})
	}
}

func TestACoreThatIsLostWithinAnAnswerLeavesAStatus(t *testing.T) {
	head, message := responseHead(t), []byte("\x00\x00\x00\x00\x03abc")
	for name, test := range map[string]struct {
		sent   int
		proper bool
	}{"between two messages": {len(message), true}, "within a message": {len(message) - 1, false}} {
		t.Run(name, func(t *testing.T) {
			actor, _ := start(t, Config{Path: module{answer: head, data: message, code: map[string][]byte{
				"wall_begin": join(
					argument(0), number(answerAt), number(int64(len(head))), call(begin),
					argument(0), number(dataAt), number(int64(test.sent)), call(body),
					wake(20),
				),
				"wall_wake": {opUnreachable},
			}}.file(t)})
			response, err := post(t, context.Background(), actor, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			content, err := io.ReadAll(response.Body)
			var lost *LostError
			if test.proper && (err != nil || !isUnavailable(string(content)) || !bytes.HasPrefix(content, message)) {
				t.Errorf("got %q, %v", content, err)
			}
			if !test.proper && !errors.As(err, &lost) {
				t.Errorf("got %q, %v", content, err)
			}
		})
	}
}

func TestTheCoreIsWokenWhenItAskedForIt(t *testing.T) {
	head := requestHead(t, "alarm")
	called := make(chan string, 1)
	// It asks for a wake-up in an hour first: only the last wish counts.
	start(t, Config{Path: module{head: head, code: map[string][]byte{
		"_initialize": join(wake(3_600_000), wake(30)),
		"wall_wake":   join(number(2), number(headAt), number(int64(len(head))), call(begin)),
	}}.file(t), Serve: func(destination string) http.Handler {
		called <- destination
		return http.NotFoundHandler()
	}})
	select {
	case destination := <-called:
		if destination != "alarm" {
			t.Errorf("it called %q", destination)
		}
	case <-time.After(soon):
		t.Fatal("it was not woken")
	}
}

func TestWhatNobodyReadsIsBounded(t *testing.T) {
	head := responseHead(t)
	flood := module{answer: head, code: map[string][]byte{
		"wall_begin": join(
			argument(0), number(answerAt), number(int64(len(head))), call(begin),
			bytes.Repeat(join(argument(0), number(dataAt), number(32<<10), call(body)), 40),
			argument(0), call(end),
		),
	}}
	actor, log := start(t, Config{Path: flood.file(t), QueueLimit: 1 << 20})
	response, err := post(t, context.Background(), actor, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	select {
	case <-response.Body.(*answerBody).exchange.failed:
	case <-time.After(soon):
		t.Fatal("the core may go on")
	}
	if content, err := io.ReadAll(response.Body); !errors.Is(err, errOverflow) {
		t.Errorf("got %d bytes and %v", len(content), err)
	}
	if lost := log.with("was lost"); len(lost) != 0 {
		t.Errorf("the core was lost: %v", lost)
	}
}

func TestTooManyExchangesAreRefused(t *testing.T) {
	release := make(chan struct{})
	actor, _ := start(t, Config{Path: relay(t, "host").file(t), ExchangeLimit: 4, Serve: serving(
		func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "held")
			<-release
		})})
	held := make([]*http.Response, 2)
	for n := range held {
		var err error
		if held[n], err = post(t, context.Background(), actor, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, content := answer(t, actor, ""); !isBusy(content) {
		t.Errorf("got %q", content)
	}
	close(release)
	for _, response := range held {
		if content, err := io.ReadAll(response.Body); string(content) != "held" || err != nil {
			t.Errorf("got %q, %v", content, err)
		}
		_ = response.Body.Close()
	}
	eventually(t, "there is room again", func() bool {
		_, content := answer(t, actor, "")
		return content == "held"
	})
}

func TestACoreThatKeepsFailingIsTriedLessAndLessOften(t *testing.T) {
	_, log := start(t, Config{
		Path:       module{code: map[string][]byte{"_initialize": {opUnreachable}}}.file(t),
		FirstPause: time.Millisecond, LongestPause: time.Hour,
	})
	for _, pause := range []string{"1ms", "2ms", "4ms", "8ms", "16ms"} {
		eventually(t, "it waits "+pause, func() bool { return len(log.with("pause "+pause+"\n")) == 1 })
	}
	if lines := log.with("does not start"); len(lines) < 5 {
		t.Errorf("the log says %v", lines)
	}
}

func TestNobodyCallsACoreThatHasNotBeenToldWhatItMustKnow(t *testing.T) {
	told := make(chan struct{})
	actor, _ := start(t, Config{
		Path: relay(t, "host").file(t),
		Serve: serving(func(w http.ResponseWriter, r *http.Request) {
			content, _ := io.ReadAll(r.Body)
			if string(content) == "a call" {
				select {
				case <-told:
				default:
					t.Error("the call came first")
				}
			}
			_, _ = w.Write(content)
		}),
		Started: func(core Core, _ []string) {
			time.Sleep(50 * time.Millisecond)
			if _, content := answer(t, core, "settings"); content != "settings" {
				t.Errorf("the core answered %q", content)
			}
			close(told)
		},
	})
	if _, content := answer(t, actor, "a call"); content != "a call" {
		t.Errorf("got %q", content)
	}
}

func TestAPanicWhileACoreIsToldWhatItMustKnowGivesThatCoreUp(t *testing.T) {
	var mu sync.Mutex
	var started int
	actor, log := start(t, Config{
		Path:  relay(t, "host").file(t),
		Serve: serving(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "here") }),
		Started: func(Core, []string) {
			mu.Lock()
			defer mu.Unlock()
			if started++; started < 3 {
				panic("on purpose")
			}
		},
	})
	if _, content := answer(t, actor, ""); content != "here" {
		t.Errorf("got %q", content)
	}
	if lines := log.with("on purpose"); len(lines) != 2 {
		t.Errorf("the log says %v", lines)
	}
}

func TestACoreCanBeGivenUp(t *testing.T) {
	cores := make(chan Core, 2)
	actor, _ := start(t, Config{
		Path:    relay(t, "host").file(t),
		Serve:   serving(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "here") }),
		Started: func(core Core, _ []string) { cores <- core },
	})
	first := <-cores
	first.Restart()
	second := <-cores
	if _, content := answer(t, first, ""); !isUnavailable(content) {
		t.Errorf("the old one answered %q", content)
	}
	first.Restart()
	if _, content := answer(t, second, ""); content != "here" {
		t.Errorf("the new one answered %q", content)
	}
	if _, content := answer(t, actor, ""); content != "here" {
		t.Errorf("the actor answered %q", content)
	}
	if stats := actor.Stats(); stats.Lost != 0 {
		t.Errorf("what was given up counts as lost %d times", stats.Lost)
	}
}

func TestTheMemoryOfTheCoreIsToldAsItGrows(t *testing.T) {
	growing := relay(t, "host")
	growing.code["wall_begin"] = join(number(16), []byte{opMemoryGrow, 0, opDrop}, growing.code["wall_begin"])
	actor, _ := start(t, Config{
		Path:  growing.file(t),
		Serve: serving(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "here") }),
	})
	const page = 64 << 10
	eventually(t, "there is a core", func() bool { return actor.Stats().MemoryBytes == 32*page })
	if _, content := answer(t, actor, ""); content != "here" {
		t.Fatalf("the core answered %q", content)
	}
	// It began two exchanges: ours, and the one that it passed ours on with.
	if stats := actor.Stats(); stats.MemoryBytes != 64*page || stats.Lost != 0 {
		t.Errorf("the stats are %+v", stats)
	}
	actor.Close()
	if stats := actor.Stats(); stats != (Stats{}) {
		t.Errorf("after the end they are %+v", stats)
	}
}

func TestWithoutACoreCallersAreToldAfterAWhile(t *testing.T) {
	for name, path := range map[string]string{
		"missing":                 filepath.Join(t.TempDir(), "core.wasm"),
		"not WebAssembly":         garbage(t),
		"of another version":      module{missing: "wall_wake"}.file(t),
		"with an unknown import":  strange(t),
		"with a broken beginning": module{code: map[string][]byte{"_initialize": forever(nil)}}.file(t),
	} {
		t.Run(name, func(t *testing.T) {
			actor, log := start(t, Config{Path: path, Patience: 50 * time.Millisecond, CallTimeout: 50 * time.Millisecond})
			if _, content := answer(t, actor, ""); !isUnavailable(content) {
				t.Errorf("got %q", content)
			}
			eventually(t, "the log says so", func() bool { return len(log.with("error")) > 0 })
		})
	}
}

func garbage(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "core.wasm")
	if err := os.WriteFile(path, []byte("this is not WebAssembly"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// strange is a module that imports what the host does not offer.
func strange(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "core.wasm")
	code := bytes.ReplaceAll(module{}.binary(), []byte("wake_after"), []byte("wake_never"))
	if err := os.WriteFile(path, code, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStoppingEndsWhatIsUnderWay(t *testing.T) {
	ended := make(chan struct{})
	actor, _ := start(t, Config{Path: relay(t, "host").file(t), Serve: serving(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "\x00\x00\x00\x00\x00")
		<-r.Context().Done()
		close(ended)
	})})
	response, err := post(t, context.Background(), actor, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	actor.Close()
	select {
	case <-ended:
	case <-time.After(soon):
		t.Fatal("the handler goes on")
	}
	if content, err := io.ReadAll(response.Body); !isUnavailable(string(content)) || err != nil {
		t.Errorf("the answer ended with %q, %v", content, err)
	}
	if _, content := answer(t, actor, ""); !isUnavailable(content) {
		t.Errorf("a request after the end got %q", content)
	}
}

func TestCompiledCodeIsKeptWhereThatIsPossible(t *testing.T) {
	path := relay(t, "host").file(t)
	serve := serving(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "here") })
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(t.TempDir(), "cache")
	works := func(directories ...string) *logbook {
		actor, log := start(t, Config{Path: path, Serve: serve, CacheDirs: directories})
		if _, content := answer(t, actor, ""); content != "here" {
			t.Errorf("with %v: %q", directories, content)
		}
		actor.Close()
		return log
	}
	// A directory that cannot be made is passed over.
	works(filepath.Join(file, "below"), cache)
	kept := compiled(t, cache)
	if len(kept) != 1 {
		t.Fatalf("kept are %v", kept)
	}
	works(cache)
	// What is kept there may have been damaged.
	if err := os.Truncate(kept[0], 100); err != nil {
		t.Fatal(err)
	}
	log := works(cache)
	if len(log.with("of no use")) != 1 {
		t.Errorf("the log says %v", log.with(""))
	}
	works()
}

func compiled(t testing.TB, directory string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(directory, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestTrailersThatACoreCannotSendFollowTheFormat(t *testing.T) {
	frame := unavailable(&LostError{Cause: errors.New("100 % of\nthe memory")}).Frame()
	if !grpcweb.IsTrailerFrame(frame) {
		t.Fatalf("the frame is %q", frame)
	}
	want := "grpc-message: the core was lost: 100 %25 of%0Athe memory\r\ngrpc-status: 14\r\n"
	if got := string(frame[5:]); got != want {
		t.Errorf("the frame says %q", got)
	}
}

// BenchmarkPieces measures what a piece of a body costs on its way through the core and back.
func BenchmarkPieces(b *testing.B) {
	piece := bytes.Repeat([]byte("x"), 100)
	actor, _ := start(b, Config{Path: relay(b, "host").file(b), Serve: serving(func(w http.ResponseWriter, r *http.Request) {
		for range b.N {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})})
	response, err := post(b, context.Background(), actor, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(piece)))
	if n, err := io.Copy(io.Discard, response.Body); n != int64(b.N*len(piece)) || err != nil {
		b.Errorf("%d bytes, %v", n, err)
	}
	_ = response.Body.Close()
}
