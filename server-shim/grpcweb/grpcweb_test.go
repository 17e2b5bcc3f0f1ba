package grpcweb

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/iotest"
	"time"

	"connectrpc.com/connect"
)

func TestATimeoutIsReadInEveryUnit(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"1H": time.Hour, "2M": 2 * time.Minute, "3S": 3 * time.Second, "4m": 4 * time.Millisecond,
		"5u": 5 * time.Microsecond, "6n": 6, "99999999S": 99999999 * time.Second, "0S": 0,
		"99999999H": 1<<63 - 1,
	} {
		if got, ok := Timeout(value); !ok || got != want {
			t.Errorf("%s is %v, %v", value, got, ok)
		}
	}
	for _, value := range []string{"", "S", "1", "1s", "-1S", "+1S", "1.5S", "123456789S", " 1S", "1S "} {
		if got, ok := Timeout(value); ok {
			t.Errorf("%q is %v", value, got)
		}
	}
}

func TestTrailersBecomeTheLastFrame(t *testing.T) {
	got := TrailerFrame(http.Header{"Grpc-Status": {"0"}, "X-Two": {"a", "b\r\ninjected: c"}})
	want := "grpc-status: 0\r\nx-two: a\r\nx-two: b  injected: c\r\n"
	if string(got) != "\x80\x00\x00\x00"+string(rune(len(want)))+want {
		t.Errorf("got %q", got)
	}
	if !IsTrailerFrame(got) || IsTrailerFrame([]byte("\x01\x00")) || IsTrailerFrame(nil) {
		t.Error("it is not told apart")
	}
}

func TestAStatusIsAWholeAnswer(t *testing.T) {
	w := httptest.NewRecorder()
	Status{Code: connect.CodeUnavailable, Message: "50 % – off", Metadata: map[string]string{"bridge-failure": "name"}}.Write(w)
	want := "bridge-failure: name\r\ngrpc-message: 50 %25 %E2%80%93 off\r\ngrpc-status: 14\r\n"
	if w.Code != 200 || w.Header().Get("Content-Type") != ContentType || w.Body.String()[headerLength:] != want {
		t.Errorf("got %d %v %q", w.Code, w.Header(), w.Body)
	}
}

func TestFramesAreReadWhole(t *testing.T) {
	first, second := "\x00\x00\x00\x00\x03abc", "\x01\x00\x00\x00\x00"
	body := iotest.OneByteReader(bytes.NewReader([]byte(first + second)))
	for _, want := range []string{first, second} {
		if got, err := ReadFrame(body, 3); string(got) != want || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if got, err := ReadFrame(body, 3); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %q, %v", got, err)
	}
	for _, half := range []string{first[:2], first[:5], first[:7]} {
		if got, err := ReadFrame(bytes.NewReader([]byte(half)), 3); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %q, %v", half, got, err)
		}
	}
	if got, err := ReadFrame(bytes.NewReader([]byte(first)), 2); !errors.Is(err, ErrFrameTooLarge) {
		t.Errorf("a frame that is too large: %q, %v", got, err)
	}
	// A head that announces a lot costs nothing.
	if got, err := ReadFrame(bytes.NewReader([]byte("\x00\xff\xff\xff\xff")), 1<<40); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a head that lies: %q, %v", got, err)
	}
}

func TestABodyKnowsWhereItStandsBetweenMessages(t *testing.T) {
	body := []byte("\x00\x00\x00\x00\x03abc\x00\x00\x00\x00\x00\x80\x00\x00\x00\x02\r\n")
	between := map[int]bool{0: true, 8: true, 13: true, 20: true}
	for _, size := range []int{1, 2, 3, 7, len(body)} {
		var boundary Boundary
		for at := 0; ; {
			if boundary.Between() != between[at] {
				t.Errorf("in pieces of %d: at %d it says %v", size, at, boundary.Between())
			}
			if boundary.Ended != (at >= 18) {
				t.Errorf("in pieces of %d: at %d it has ended: %v", size, at, boundary.Ended)
			}
			if at == len(body) {
				break
			}
			next := min(at+size, len(body))
			boundary.Follow(body[at:next])
			at = next
		}
	}
}
