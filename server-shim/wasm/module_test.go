package wasm

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/wall"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/grpcweb"
)

// module is a small core, written in WebAssembly's instructions: what a good core never does can be tried with it.
type module struct {
	// code of the exported functions by name; those that are missing do nothing.
	code map[string][]byte
	// missing is an export to leave out.
	missing string
	// heads lie in memory from headAt on.
	head []byte
	// answer lies in memory from answerAt on.
	answer []byte
	// data lies in memory from dataAt on.
	data []byte
}

// Where things lie in a module's memory; the buffer of wall_alloc comes last.
const (
	headAt   = 0x100
	answerAt = 0x1000
	dataAt   = 0x2000
	bufferAt = 0x10000
)

// Imported functions by index.
const (
	begin byte = iota
	body
	end
	cancel
	wakeAfter
)

const (
	opUnreachable = 0x00
	opLoop        = 0x03
	opIf          = 0x04
	opElse        = 0x05
	opEnd         = 0x0b
	opBranch      = 0x0c
	opCall        = 0x10
	opDrop        = 0x1a
	opGet         = 0x20
	opMemoryGrow  = 0x40
	opConst32     = 0x41
	opConst64     = 0x42
	opEqual       = 0x46
	opAdd         = 0x6a
	opSub         = 0x6b
	opAnd         = 0x71
	opXor         = 0x73
	noResult      = 0x40
)

// join puts pieces of code together.
func join(pieces ...[]byte) []byte {
	return bytes.Join(pieces, nil)
}

// signed is a number in the form that constants have.
func signed(value int64) []byte {
	var out []byte
	for {
		digit := byte(value & 0x7f)
		value >>= 7
		if (value == 0 && digit&0x40 == 0) || (value == -1 && digit&0x40 != 0) {
			return append(out, digit)
		}
		out = append(out, digit|0x80)
	}
}

// unsigned is a number in the form that lengths have.
func unsigned(value int) []byte {
	var out []byte
	for value >= 0x80 {
		out = append(out, byte(value)|0x80)
		value >>= 7
	}
	return append(out, byte(value))
}

// number puts a constant on the stack.
func number(value int64) []byte {
	return append([]byte{opConst32}, signed(value)...)
}

// call calls an imported function.
func call(function byte) []byte { return []byte{opCall, function} }

// argument puts an argument of the function on the stack.
func argument(index byte) []byte { return []byte{opGet, index} }

// peer puts the id of the exchange that goes with this one on the stack: 2 with 1, 4 with 3, and back.
func peer() []byte {
	return join(argument(0), number(1), []byte{opAdd}, number(1), []byte{opXor}, number(1), []byte{opSub})
}

// isHosts puts on the stack whether the host opened this exchange.
func isHosts() []byte { return join(argument(0), number(1), []byte{opAnd}) }

// forever repeats code.
func forever(code []byte) []byte {
	return join([]byte{opLoop, noResult}, code, []byte{opBranch, 0, opEnd})
}

// wake asks for a wake-up.
func wake(millis int64) []byte {
	return join([]byte{opConst64}, signed(millis), call(wakeAfter))
}

func section(id byte, content []byte) []byte {
	return join([]byte{id}, unsigned(len(content)), content)
}

func vector(items ...[]byte) []byte {
	return join(unsigned(len(items)), join(items...))
}

func text(s string) []byte {
	return append(unsigned(len(s)), s...)
}

// binary is the module as a file holds it.
func (m module) binary() []byte {
	const i32, i64, function = 0x7f, 0x7e, 0x60
	const three, one, long, allocates, none = 0, 1, 2, 3, 4
	imported := func(name string, kind byte) []byte { return join(text("wall"), text(name), []byte{0, kind}) }
	functions := []struct {
		name string
		kind byte
	}{
		{"wall_alloc", allocates}, {"wall_begin", three}, {"wall_body", three}, {"wall_end", one},
		{"wall_cancel", one}, {"wall_wake", none}, {"_initialize", none},
	}
	var kinds, exports, codes [][]byte
	for index, f := range functions {
		code := m.code[f.name]
		if f.name == "wall_alloc" && code == nil {
			code = number(bufferAt)
		}
		kinds = append(kinds, []byte{f.kind})
		if f.name != m.missing {
			exports = append(exports, join(text(f.name), []byte{0, byte(5 + index)}))
		}
		inner := join([]byte{0}, code, []byte{opEnd})
		codes = append(codes, join(unsigned(len(inner)), inner))
	}
	exports = append(exports, join(text("memory"), []byte{2, 0}))
	segment := func(at int64, content []byte) []byte {
		return join([]byte{0}, number(at), []byte{opEnd}, unsigned(len(content)), content)
	}
	return join(
		[]byte{0, 'a', 's', 'm', 1, 0, 0, 0},
		section(1, vector(
			[]byte{function, 3, i32, i32, i32, 0},
			[]byte{function, 1, i32, 0},
			[]byte{function, 1, i64, 0},
			[]byte{function, 1, i32, 1, i32},
			[]byte{function, 0, 0},
		)),
		section(2, vector(imported("begin", three), imported("body", three), imported("end", one),
			imported("cancel", one), imported("wake_after", long))),
		section(3, vector(kinds...)),
		section(5, vector(append([]byte{0}, unsigned(32)...))),
		section(7, vector(exports...)),
		section(10, vector(codes...)),
		section(11, vector(segment(headAt, m.head), segment(answerAt, m.answer), segment(dataAt, m.data))),
	)
}

// file writes the module to a file and returns its path.
func (m module) file(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "core.wasm")
	if err := os.WriteFile(path, m.binary(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func requestHead(t testing.TB, destination string, headers ...*wall.Header) []byte {
	t.Helper()
	head, err := proto.Marshal(&wall.RequestHead{
		Destination: destination, Method: "POST", Path: "/test.Test/Call", Headers: headers,
	})
	if err != nil {
		t.Fatal(err)
	}
	return head
}

func responseHead(t testing.TB) []byte {
	t.Helper()
	head, err := proto.Marshal(&wall.ResponseHead{
		Status: 200, Headers: []*wall.Header{{Name: "content-type", Value: []byte(grpcweb.ContentType)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// relay passes every exchange of the host's on to a destination, in both directions: whatever the wall can carry goes
// through it twice.
func relay(t testing.TB, destination string, headers ...*wall.Header) module {
	t.Helper()
	head := requestHead(t, destination, headers...)
	return module{
		head: head,
		code: map[string][]byte{
			"wall_begin": join(
				isHosts(), []byte{opIf, noResult},
				peer(), number(headAt), number(int64(len(head))), call(begin),
				[]byte{opElse},
				peer(), argument(1), argument(2), call(begin),
				[]byte{opEnd},
			),
			"wall_body":   join(peer(), argument(1), argument(2), call(body)),
			"wall_end":    join(peer(), call(end)),
			"wall_cancel": join(peer(), call(cancel)),
		},
	}
}

// failing answers nothing and runs code with every request.
func failing(code []byte) module {
	return module{code: map[string][]byte{"wall_begin": code}}
}
