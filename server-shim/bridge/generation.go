package bridge

import (
	"sync"
	"time"
)

// retiredAfter bounds how long the calls of an endpoint that was replaced may go on. It is longer than any call's own
// deadline; what has none, such as a watch, is ended by whoever opened it once another one is there. Tests shorten it.
var retiredAfter = time.Minute

// calls counts the calls that are under way over an endpoint. Once it is retired, it is closed when the last of them has
// ended, or when they have had their time.
type calls struct {
	mu       sync.Mutex
	underWay int
	retired  bool
	timer    *time.Timer
	// over is closed with the endpoint.
	over chan struct{}
	end  func()
}

// newCalls counts for an endpoint that end closes.
func newCalls(end func()) *calls {
	over := make(chan struct{})
	return &calls{over: over, end: sync.OnceFunc(func() {
		close(over)
		end()
	})}
}

// begin counts a call that begins; the function that it answers is called once, when the call has ended.
func (c *calls) begin() func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.underWay++
	return sync.OnceFunc(func() {
		c.mu.Lock()
		c.underWay--
		done := c.retired && c.underWay == 0
		c.mu.Unlock()
		if done {
			c.close()
		}
	})
}

// retire lets the calls that are under way go on, and no longer than they may. None begins any more.
func (c *calls) retire() {
	c.mu.Lock()
	c.retired = true
	done := c.underWay == 0
	if !done && c.timer == nil {
		c.timer = time.AfterFunc(retiredAfter, c.close)
	}
	c.mu.Unlock()
	if done {
		c.close()
	}
}

// close ends all calls.
func (c *calls) close() {
	c.mu.Lock()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.end()
}
