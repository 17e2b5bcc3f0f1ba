package bridge

import (
	"net"
	"sync"
	"sync/atomic"
)

// connections are the open connections of an endpoint, so that all can be closed at once: transports themselves only
// close idle ones.
type connections struct {
	mu     sync.Mutex
	open   map[*connection]struct{}
	closed bool
}

func newConnections() *connections {
	return &connections{open: map[*connection]struct{}{}}
}

// add keeps a connection until it is closed. Where the endpoint is closed already, it closes the connection.
func (c *connections) add(conn net.Conn) (net.Conn, error) {
	kept := &connection{Conn: conn, of: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = conn.Close()
		return nil, errReplaced
	}
	c.open[kept] = struct{}{}
	return kept, nil
}

func (c *connections) close() {
	c.mu.Lock()
	open := c.open
	c.open, c.closed = nil, true
	c.mu.Unlock()
	for conn := range open {
		_ = conn.Conn.Close()
	}
}

func (c *connections) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// connection is one of them.
type connection struct {
	net.Conn
	of   *connections
	gone atomic.Bool
}

// Close closes the connection and forgets it.
func (c *connection) Close() error {
	if !c.gone.Swap(true) {
		c.of.mu.Lock()
		delete(c.of.open, c)
		c.of.mu.Unlock()
	}
	return c.Conn.Close()
}
