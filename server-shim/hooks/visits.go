package hooks

import (
	"sync"
	"time"
)

// drainTimeout bounds how long the plugin waits, when it is stopped, for what people wait for. A server that is shut down
// gives plugins ten seconds.
const drainTimeout = 8 * time.Second

// visits counts the clicks, dialogs and commands that are under way: somebody waits for each of them, and a decision that
// was begun is not broken off because the plugin is stopped.
type visits struct {
	mu       sync.Mutex
	underWay int
	// over is closed when there are none any more; nil while nobody waits for that.
	over chan struct{}
}

// begin counts one; the function that it answers is called when it has been answered.
func (v *visits) begin() func() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.underWay++
	return sync.OnceFunc(func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.underWay--
		if v.underWay == 0 && v.over != nil {
			close(v.over)
			v.over = nil
		}
	})
}

// drain waits until all have been answered, but no longer than that may take. None may begin any more.
func (v *visits) drain(within time.Duration) {
	v.mu.Lock()
	if v.underWay == 0 {
		v.mu.Unlock()
		return
	}
	over := make(chan struct{})
	v.over = over
	v.mu.Unlock()
	select {
	case <-over:
	case <-time.After(within):
	}
}

// isAwaited says whether somebody waits for the last one.
func (v *visits) isAwaited() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.over != nil
}
