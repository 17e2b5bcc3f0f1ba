package wasm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// stranger sends a request on somebody's behalf.
func stranger(t testing.TB, actor *Actor, lane, body string) (*http.Response, error) {
	t.Helper()
	return post(t, InLane(context.Background(), lane), actor, strings.NewReader(body))
}

// all reads the whole answer.
func all(t testing.TB, response *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// holding is a core whose every exchange is answered with "held", once it is released.
func holding(t testing.TB, config Config) (actor *Actor, release func()) {
	t.Helper()
	held := make(chan struct{})
	config.Path = relay(t, "host").file(t)
	config.Serve = serving(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "began ")
		<-held
		_, _ = io.WriteString(w, "held")
	})
	actor, _ = start(t, config)
	return actor, sync.OnceFunc(func() { close(held) })
}

func TestStrangersHaveAShareOfTheExchangesAndTheCoreHasTheRest(t *testing.T) {
	actor, release := holding(t, Config{ForeignExchanges: 16, ForeignBytes: 1 << 20})
	defer release()
	var held []*http.Response
	for n := range 16 {
		// The body is known to be there once the answer has begun.
		response, err := stranger(t, actor, fmt.Sprint("user", n/2), "body")
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(response, err)
		}
		held = append(held, response)
	}
	response, err := stranger(t, actor, "another", "body")
	if content := all(t, response, err); !isBusy(content) {
		t.Errorf("one too many got %q", content)
	}
	own := make([]*http.Response, 64)
	for n := range own {
		if own[n], err = post(t, context.Background(), actor.Own(), strings.NewReader("body")); err != nil {
			t.Fatal(err)
		}
	}
	release()
	for _, response := range append(held, own...) {
		if content := all(t, response, nil); content != "began held" {
			t.Errorf("got %q", content)
		}
	}
	eventually(t, "there is room again", func() bool {
		response, err := stranger(t, actor, "another", "body")
		return all(t, response, err) == "began held"
	})
}

func TestNobodyTakesAllOfTheStrangersShare(t *testing.T) {
	actor, release := holding(t, Config{ForeignExchanges: 16, ForeignBytes: 64 << 10})
	defer release()
	var held []*http.Response
	for range 2 {
		response, err := stranger(t, actor, "greedy", "body")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, response)
	}
	response, err := stranger(t, actor, "greedy", "body")
	if content := all(t, response, err); !isBusy(content) {
		t.Errorf("a third exchange got %q", content)
	}
	response, err = stranger(t, actor, "large", strings.Repeat("a", 16<<10))
	if content := all(t, response, err); !isBusy(content) {
		t.Errorf("too many bytes got %.100q", content)
	}
	modest, err := stranger(t, actor, "modest", "body")
	if err != nil {
		t.Fatal(err)
	}
	release()
	for _, response := range append(held, modest) {
		if content := all(t, response, nil); content != "began held" {
			t.Errorf("got %q", content)
		}
	}
}

func TestTheBytesOfStrangersAreBoundedTogether(t *testing.T) {
	actor, release := holding(t, Config{ForeignExchanges: 4096, ForeignBytes: 64 << 10})
	defer release()
	busy := 0
	for n := range 16 {
		response, err := stranger(t, actor, fmt.Sprint("user", n), strings.Repeat("a", 7<<10))
		if err != nil {
			t.Fatal(err)
		}
		if response.Header.Get("Content-Type") != "" {
			if content := all(t, response, nil); !isBusy(content) {
				t.Errorf("user %d got %q", n, content)
			}
			busy++
		} else {
			defer func() { _ = response.Body.Close() }()
		}
	}
	// Nine bodies of 7 KiB with their heads fit into 64 KiB, and a tenth does not.
	if busy != 7 {
		t.Errorf("%d of 16 were refused", busy)
	}
	response, err := post(t, context.Background(), actor.Own(), strings.NewReader(strings.Repeat("a", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	release()
	if content := all(t, response, err); content != "began held" {
		t.Errorf("the host's own call got %q", content)
	}
}

// frame is a message as gRPC-web has it.
func frame(length int) []byte {
	message := make([]byte, 5+length)
	binary.BigEndian.PutUint32(message[1:], uint32(length))
	return message
}

func TestAMessageThatIsTooLargeEndsOnlyItsOwnExchange(t *testing.T) {
	wrote := make(chan error, 1)
	actor, log := start(t, Config{Path: relay(t, "host").file(t), MessageLimit: 1 << 20, Serve: serving(
		func(w http.ResponseWriter, r *http.Request) {
			length, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "application/grpc-web+proto")
			var size int
			_, _ = fmt.Sscan(string(length), &size)
			_, _ = w.Write(frame(10))
			// As a stream may come, in pieces that are none of its messages.
			for piece := range slices.Chunk(frame(size), 1000) {
				if _, err := w.Write(piece); err != nil {
					wrote <- err
					return
				}
			}
		})})
	if _, content := answer(t, actor, "1048576"); len(content) != 5+10+5+1048576 {
		t.Errorf("what is not too large comes in %d bytes", len(content))
	}
	_, content := answer(t, actor, "1048577")
	if !strings.Contains(content, "grpc-status: 8\r\n") || !strings.Contains(content, "message of 1048577 bytes") {
		t.Errorf("got %.200q", content)
	}
	if err := <-wrote; !errors.Is(err, errTooLarge) {
		t.Errorf("the handler got %v", err)
	}
	if _, content := answer(t, actor, "10"); len(content) != 5+10+5+10 {
		t.Errorf("afterwards got %q", content)
	}
	if lost := log.with("was lost"); len(lost) > 0 {
		t.Errorf("the core was lost: %v", lost)
	}
}

func TestTheLanesAreServedInTurn(t *testing.T) {
	b := newInbox()
	ex := func(lane string, foreign bool) *exchange { return &exchange{lane: lane, foreign: foreign} }
	flood, quiet, strangers, another := ex("teleport/a", false), ex("teleport/b", false), ex("user", true), ex("another", true)
	for range 6 {
		b.put(delivery{exchange: flood})
	}
	for range 3 {
		b.put(delivery{exchange: strangers})
	}
	late := b.put(delivery{exchange: quiet})
	b.put(delivery{exchange: another})
	gone := b.put(delivery{exchange: quiet})
	if !b.withdraw(gone) || b.withdraw(gone) {
		t.Error("what waits can be withdrawn once")
	}
	var order []string
	for {
		<-b.ready
		d, is := b.take()
		if !is {
			t.Fatal("nothing waits, but it was said that something does")
		}
		order = append(order, d.exchange.lane)
		if len(order) == 11 {
			break
		}
	}
	want := []string{
		"teleport/a", "teleport/b", "teleport/a", "user", "teleport/a", "teleport/a", "teleport/a", "another",
		"teleport/a", "user", "user",
	}
	if !slices.Equal(order, want) {
		t.Errorf("the order is %v", order)
	}
	select {
	case <-late.taken:
	default:
		t.Error("who waited was not told")
	}
	if _, is := b.take(); is || b.withdraw(late) {
		t.Error("something is there twice")
	}
	select {
	case <-b.ready:
		t.Error("nothing waits")
	case <-time.After(time.Millisecond):
	}
}
