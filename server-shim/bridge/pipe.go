package bridge

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/gobwas/ws"
)

// pipe carries bytes in frames over an upgraded connection. Where frames begin and end means nothing.
type pipe struct {
	// Conn is the connection to what ends TLS.
	net.Conn
	in      *bufio.Reader
	framing framing
	// left is how much of the present frame has not been read yet.
	left int64

	writing sync.Mutex
	out     bytes.Buffer
}

// framing is how a form of the connection upgrade puts bytes into frames.
type framing interface {
	// next reads up to where a frame's bytes begin, and answers how many there are. What is no frame of bytes is dealt with.
	next(p *pipe) (int64, error)
	// head writes what stands before length bytes.
	head(to *bytes.Buffer, length int)
}

// Read reads what frames carry.
func (p *pipe) Read(into []byte) (int, error) {
	for p.left == 0 {
		length, err := p.framing.next(p)
		if err != nil {
			return 0, err
		}
		p.left = length
	}
	if int64(len(into)) > p.left {
		into = into[:p.left]
	}
	n, err := p.in.Read(into)
	p.left -= int64(n)
	return n, err
}

// Write writes a frame.
func (p *pipe) Write(from []byte) (int, error) {
	if len(from) == 0 {
		return 0, nil
	}
	return p.send(func(to *bytes.Buffer) { p.framing.head(to, len(from)) }, from)
}

// send writes a frame in one piece.
func (p *pipe) send(head func(to *bytes.Buffer), payload []byte) (int, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.out.Reset()
	head(&p.out)
	p.out.Write(payload)
	if _, err := p.Conn.Write(p.out.Bytes()); err != nil {
		return 0, err
	}
	return len(payload), nil
}

// webSocketFraming is RFC 6455's, with binary frames that are never fragmented by us.
type webSocketFraming struct {
	// fragmented is true within a message of several frames; whatever is in between may make such.
	fragmented bool
}

func (f *webSocketFraming) next(p *pipe) (int64, error) {
	header, err := ws.ReadHeader(p.in)
	if err != nil {
		return 0, err
	}
	state := ws.StateClientSide
	if f.fragmented {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(header, state); err != nil {
		return 0, fmt.Errorf("the WebSocket: %w", err)
	}
	switch header.OpCode {
	case ws.OpBinary, ws.OpContinuation:
		f.fragmented = !header.Fin
		return header.Length, nil
	case ws.OpClose:
		return 0, io.EOF
	case ws.OpPing, ws.OpPong:
		// Of at most 125 bytes, as has been checked.
		payload := make([]byte, header.Length)
		if _, err := io.ReadFull(p.in, payload); err != nil {
			return 0, err
		}
		if header.OpCode == ws.OpPong {
			return 0, nil
		}
		_, err := p.send(func(to *bytes.Buffer) { frameHead(to, ws.OpPong, len(payload)) }, payload)
		return 0, err
	default:
		return 0, fmt.Errorf("the WebSocket: a frame of another kind (%d)", header.OpCode)
	}
}

func (*webSocketFraming) head(to *bytes.Buffer, length int) { frameHead(to, ws.OpBinary, length) }

// frameHead writes the head of a client's frame. Clients must mask; with a mask of zeros the bytes stay as they are, and servers
// that forget to unmask, as Teleport's did, understand them as well.
func frameHead(to *bytes.Buffer, code ws.OpCode, length int) {
	// A buffer takes everything.
	_ = ws.WriteHeader(to, ws.Header{Fin: true, OpCode: code, Masked: true, Length: int64(length)})
}

// legacyFraming puts the length before the bytes. A length of 0 is a sign of life.
type legacyFraming struct{}

func (*legacyFraming) next(p *pipe) (int64, error) {
	var length [4]byte
	if _, err := io.ReadFull(p.in, length[:]); err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint32(length[:])), nil
}

func (*legacyFraming) head(to *bytes.Buffer, length int) {
	// Of a record of TLS.
	to.Write(binary.BigEndian.AppendUint32(nil, uint32(length)))
}
