package wasm

import (
	"slices"
	"sync"
)

// inbox holds what waits to be delivered to the module. Its owner takes from the lanes in turn, so that nobody who has
// much to deliver keeps the others waiting: not one cluster the others, and not one person all others. What strangers
// send may have every fourth turn, as long as the core's own calls have something to deliver.
type inbox struct {
	mu            sync.Mutex
	own, foreign  turns
	ownInSequence int
	// ready holds a token while something waits.
	ready chan struct{}
}

// ownTurns is how many turns the core's own calls have before a stranger's has one.
const ownTurns = 3

// waiting is a delivery that the owner has not taken yet.
type waiting struct {
	delivery
	taken chan struct{}
}

func newInbox() *inbox {
	return &inbox{own: turns{}, foreign: turns{}, ready: make(chan struct{}, 1)}
}

// put adds a delivery at the end of its exchange's lane.
func (b *inbox) put(d delivery) *waiting {
	w := &waiting{delivery: d, taken: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of(d.exchange).add(d.exchange.lane, w)
	b.signal()
	return w
}

// take returns what is to be delivered next. It is false where nothing waits.
func (b *inbox) take() (delivery, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from := &b.own
	if from.isEmpty() || (b.ownInSequence >= ownTurns && !b.foreign.isEmpty()) {
		from = &b.foreign
	}
	w := from.take()
	if w == nil {
		return delivery{}, false
	}
	if from == &b.own {
		b.ownInSequence++
	} else {
		b.ownInSequence = 0
	}
	close(w.taken)
	b.signal()
	return w.delivery, true
}

// withdraw takes a delivery back. It is false where the owner has it already.
func (b *inbox) withdraw(w *waiting) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.of(w.exchange).remove(w.exchange.lane, w)
}

func (b *inbox) of(ex *exchange) *turns {
	if ex.foreign {
		return &b.foreign
	}
	return &b.own
}

// signal makes the owner look, where something waits.
func (b *inbox) signal() {
	if b.own.isEmpty() && b.foreign.isEmpty() {
		return
	}
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// turns are lanes that are served in turn.
type turns struct {
	lanes map[string][]*waiting
	// order has the lanes in which something waits, the next one first.
	order []string
}

func (t *turns) isEmpty() bool { return len(t.order) == 0 }

func (t *turns) add(lane string, w *waiting) {
	if t.lanes == nil {
		t.lanes = map[string][]*waiting{}
	}
	if len(t.lanes[lane]) == 0 {
		t.order = append(t.order, lane)
	}
	t.lanes[lane] = append(t.lanes[lane], w)
}

// take returns the first of the lane whose turn it is, or nil.
func (t *turns) take() *waiting {
	if t.isEmpty() {
		return nil
	}
	lane := t.order[0]
	t.order = t.order[1:]
	w := t.lanes[lane][0]
	if rest := t.lanes[lane][1:]; len(rest) > 0 {
		t.lanes[lane] = rest
		t.order = append(t.order, lane)
	} else {
		delete(t.lanes, lane)
	}
	return w
}

func (t *turns) remove(lane string, w *waiting) bool {
	at := slices.Index(t.lanes[lane], w)
	if at < 0 {
		return false
	}
	rest := slices.Delete(slices.Clone(t.lanes[lane]), at, at+1)
	if len(rest) > 0 {
		t.lanes[lane] = rest
		return true
	}
	delete(t.lanes, lane)
	t.order = slices.DeleteFunc(t.order, func(name string) bool { return name == lane })
	return true
}
