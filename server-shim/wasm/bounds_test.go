package wasm

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// A server's head goes into the module's memory like its messages, and the server may be anybody's.
func TestAHeadThatIsTooLargeEndsOnlyItsOwnExchange(t *testing.T) {
	actor, log := start(t, Config{Path: relay(t, "host").file(t), Serve: serving(
		func(w http.ResponseWriter, r *http.Request) {
			content, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Large", strings.Repeat("x", len(content)))
			_, _ = io.WriteString(w, "here")
		})})
	if response, content := answer(t, actor, strings.Repeat("b", longestHead-100)); content != "here" {
		t.Errorf("what is not too large comes as %.200q with %d headers", content, len(response.Header))
	}
	response, content := answer(t, actor, strings.Repeat("b", longestHead))
	if !strings.Contains(content, "grpc-status: 8\r\n") || !strings.Contains(content, "head of") || len(response.Header["X-Large"]) > 0 {
		t.Errorf("got %.200q", content)
	}
	if _, content := answer(t, actor, "b"); content != "here" {
		t.Errorf("afterwards got %q", content)
	}
	if lost := log.with("was lost"); len(lost) > 0 {
		t.Errorf("the core was lost: %v", lost)
	}
}

func TestLinesOfTheLogAreBounded(t *testing.T) {
	var written []string
	i := &instance{notices: make(chan func(), 256)}
	l := &lines{instance: i, write: func(_ string, pairs ...any) {
		text, _ := pairs[1].(string)
		written = append(written, text)
	}}
	for _, text := range []string{
		"one\ntwo", " and a half\n\n", strings.Repeat("a", 3*longestLine+1) + "\n", strings.Repeat("b", longestLine), "\nlast\nrest",
	} {
		if n, err := l.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("wrote %d of %d: %v", n, len(text), err)
		}
	}
	close(i.notices)
	for write := range i.notices {
		write()
	}
	full := strings.Repeat("a", longestLine)
	want := []string{"one", "two and a half", full, full, full, "a", strings.Repeat("b", longestLine), "last"}
	if strings.Join(written, "\n") != strings.Join(want, "\n") {
		lengths := make([]int, 0, len(written))
		for _, line := range written {
			lengths = append(lengths, len(line))
		}
		t.Errorf("the lines have lengths %v", lengths)
	}
	if len(l.rest) != len("rest") {
		t.Errorf("%d bytes wait", len(l.rest))
	}
}

func TestEmptyPiecesTakeNoRoom(t *testing.T) {
	p := newPipe(10)
	for range 100 {
		if err := p.put([]byte{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.pieces) != 0 {
		t.Errorf("%d pieces wait", len(p.pieces))
	}
	if err := p.put([]byte("text")); err != nil {
		t.Fatal(err)
	}
	p.finish(io.EOF)
	if content, err := io.ReadAll(p); string(content) != "text" || err != nil || !p.drained() {
		t.Errorf("read %q, %v", content, err)
	}
}
