package double

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Fault is something that goes wrong with calls.
type Fault struct {
	// Method it concerns, such as "SetAccessRequestState"; empty: all.
	Method string `json:"method,omitempty"`
	// Times it happens; 0: until the faults are cleared.
	Times int `json:"times,omitempty"`
	// Delay before the call is looked at.
	Delay time.Duration `json:"delay,omitempty"`
	// Hold keeps the call waiting until the faults are cleared.
	Hold bool `json:"hold,omitempty"`
	// Code that the call fails with; 0: it does not fail.
	Code codes.Code `json:"code,omitempty"`
	// Message goes with the code.
	Message string `json:"message,omitempty"`
	// After lets the call take effect first: then only its answer is lost.
	After bool `json:"after,omitempty"`
}

// Faults are the faults in force.
type Faults struct {
	mu      sync.Mutex
	list    []*Fault
	calls   map[string]int
	cleared chan struct{}
	stalled chan struct{}
	frozen  chan struct{}
}

func (f *Faults) init() { f.calls, f.cleared = map[string]int{}, make(chan struct{}) }

// Add puts a fault in force.
func (f *Faults) Add(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, &fault)
}

// Clear takes all faults away; a stall and a freeze too.
func (f *Faults) Clear() {
	f.mu.Lock()
	f.list = nil
	close(f.cleared)
	f.cleared = make(chan struct{})
	f.mu.Unlock()
	f.Stall(false)
	f.Freeze(false)
}

// Stall holds back the events of all watches while it is on. Connections and other calls go on.
func (f *Faults) Stall(on bool) { toggle(&f.mu, &f.stalled, on) }

// Freeze holds back all bytes of all connections while it is on, as a machine does that went away without a word.
func (f *Faults) Freeze(on bool) { toggle(&f.mu, &f.frozen, on) }

func toggle(mu *sync.Mutex, gate *chan struct{}, on bool) {
	mu.Lock()
	defer mu.Unlock()
	switch {
	case on && *gate == nil:
		*gate = make(chan struct{})
	case !on && *gate != nil:
		close(*gate)
		*gate = nil
	}
}

func (f *Faults) thaw() {
	f.Freeze(false)
	f.Stall(false)
}

// waitThawed waits until nothing is frozen.
func (f *Faults) waitThawed() {
	f.mu.Lock()
	gate := f.frozen
	f.mu.Unlock()
	if gate != nil {
		<-gate
	}
}

// waitUnstalled waits until watches may send again.
func (f *Faults) waitUnstalled(ctx context.Context) {
	f.mu.Lock()
	gate := f.stalled
	f.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
		}
	}
}

// Calls is how often a method was called.
func (f *Faults) Calls(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

// meet takes the faults that concern a call: waits, and answers the errors before and after its effect.
func (f *Faults) meet(ctx context.Context, method string) (before, after error) {
	f.mu.Lock()
	f.calls[method]++
	var delay time.Duration
	var held <-chan struct{}
	kept := f.list[:0:0]
	for _, fault := range f.list {
		if fault.Method != "" && fault.Method != method {
			kept = append(kept, fault)
			continue
		}
		delay += fault.Delay
		if fault.Hold {
			held = f.cleared
		}
		if fault.Code != codes.OK {
			err := status.Error(fault.Code, fault.Message)
			if fault.After && after == nil {
				after = err
			} else if !fault.After && before == nil {
				before = err
			}
		}
		if fault.Times != 1 {
			if fault.Times > 1 {
				fault.Times--
			}
			kept = append(kept, fault)
		}
	}
	f.list = kept
	f.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err(), nil
		}
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err(), nil
		}
	}
	return before, after
}
