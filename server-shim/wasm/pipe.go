package wasm

import (
	"errors"
	"io"
	"sync"
)

// errOverflow says that nobody reads what the core sends, or not fast enough.
var errOverflow = errors.New("too much of the body waits to be read")

// pipe holds the pieces of a body between the core, which must never wait, and its reader, which may.
type pipe struct {
	mu     sync.Mutex
	change sync.Cond
	pieces [][]byte
	size   int
	limit  int
	// err ends the body: io.EOF when it is complete.
	err error
	// deaf is true once the reader wants no more.
	deaf bool
}

func newPipe(limit int) *pipe {
	p := &pipe{limit: limit}
	p.change.L = &p.mu
	return p
}

// put adds a piece and takes it over. It never waits.
func (p *pipe) put(piece []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deaf || p.err != nil || len(piece) == 0 {
		return nil
	}
	if p.size+len(piece) > p.limit {
		return errOverflow
	}
	p.pieces = append(p.pieces, piece)
	p.size += len(piece)
	p.change.Broadcast()
	return nil
}

// finish ends the body after what is in the pipe: with io.EOF, or with what went wrong. Only the first call counts.
func (p *pipe) finish(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
		p.change.Broadcast()
	}
}

// Read waits for the next piece.
func (p *pipe) Read(buffer []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if p.deaf {
			return 0, io.ErrClosedPipe
		}
		if len(p.pieces) > 0 {
			n := copy(buffer, p.pieces[0])
			p.size -= n
			if p.pieces[0] = p.pieces[0][n:]; len(p.pieces[0]) == 0 {
				p.pieces[0] = nil
				p.pieces = p.pieces[1:]
			}
			return n, nil
		}
		if p.err != nil {
			return 0, p.err
		}
		p.change.Wait()
	}
}

// Close says that nobody will read any more.
func (p *pipe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = true
	p.pieces, p.size = nil, 0
	p.change.Broadcast()
	return nil
}

// drained says whether the body was read to its end.
func (p *pipe) drained() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pieces) == 0 && errors.Is(p.err, io.EOF)
}
