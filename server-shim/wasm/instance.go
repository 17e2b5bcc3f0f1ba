package wasm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero/api"
	"google.golang.org/protobuf/proto"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/wall"
)

type deliveryKind int

const (
	deliverOpen deliveryKind = iota
	deliverHead
	deliverBody
	deliverEnd
	deliverCancel
)

// delivery is one thing for the core: the next step of an exchange.
type delivery struct {
	kind     deliveryKind
	exchange *exchange
	data     []byte
}

// longestWake bounds what the core may ask of the timer.
const longestWake = 24 * time.Hour

// instance is one life of the core. A WebAssembly instance knows no threads: one goroutine owns it, all others hand
// deliveries to that one.
type instance struct {
	config Config
	ctx    context.Context
	cancel context.CancelFunc
	inbox  *inbox
	// dead is closed when the owner has stopped; cause says why.
	dead  chan struct{}
	cause error
	// handlers counts the goroutines that serve what the core asks for.
	handlers sync.WaitGroup
	// memory is how many bytes the module has; its owner keeps it up to date.
	memory atomic.Uint64
	// large is held by whoever hands over a large message.
	large chan struct{}

	// All below belongs to the owner.
	module                                     api.Module
	alloc, begin, body, end, cancelCall, awake api.Function
	open                                       map[uint32]*exchange
	strangers                                  *share
	lastID                                     uint32
	// unwanted are exchanges that the core must be told to give up; an import may not do that itself.
	unwanted []uint32
	wake     *time.Timer
	// notices are lines for the log: writing them takes a call of Mattermost's, which an import may not wait for.
	notices chan func()
}

type instanceKey struct{}

// newInstance starts the module. Its owner is the caller, until it calls run.
func newInstance(ctx context.Context, engine *engine, config Config) (*instance, error) {
	i := &instance{
		config: config,
		inbox:  newInbox(),
		dead:   make(chan struct{}),
		open:   map[uint32]*exchange{},
		// A large message takes the memory of many small ones: they are handed over one after the other.
		large:     make(chan struct{}, 1),
		strangers: newShare(config),
		lastID:    math.MaxUint32, // the next one is 1
		wake:      time.NewTimer(longestWake),
		// More than a crash prints; what does not fit is lost.
		notices: make(chan func(), 256),
	}
	i.ctx, i.cancel = context.WithCancel(context.WithValue(ctx, instanceKey{}, i))
	go func() {
		for write := range i.notices {
			write()
		}
	}()
	starting, cancel := context.WithTimeout(i.ctx, config.CallTimeout)
	defer cancel()
	module, err := engine.instantiate(starting, i)
	if err != nil {
		i.cancel()
		close(i.notices)
		return nil, fmt.Errorf("the core does not start: %w", err)
	}
	i.module = module
	i.measure()
	for name, function := range map[string]*api.Function{
		"wall_alloc": &i.alloc, "wall_begin": &i.begin, "wall_body": &i.body,
		"wall_end": &i.end, "wall_cancel": &i.cancelCall, "wall_wake": &i.awake,
	} {
		if *function = module.ExportedFunction(name); *function == nil {
			i.cancel()
			_ = module.Close(context.Background())
			close(i.notices)
			return nil, fmt.Errorf("the core does not export %s: core.wasm is of another version than the plugin", name)
		}
	}
	return i, nil
}

// run owns the instance until it fails or its context ends, and ends all exchanges then.
func (i *instance) run() {
	err := i.loop()
	if i.ctx.Err() != nil {
		// Whatever the call in progress said of it.
		err = errStopped
	}
	i.cause = err
	close(i.dead)
	for _, ex := range i.open {
		ex.fail(&LostError{Cause: err})
	}
	i.cancel()
	i.wake.Stop()
	// The module's memory goes with it; there is nothing to do about an error.
	_ = i.module.Close(context.Background())
	close(i.notices)
}

// notice queues a line for the log.
func (i *instance) notice(write func(string, ...any), message string, keyValuePairs ...any) {
	select {
	case i.notices <- func() { write(message, keyValuePairs...) }:
	default:
	}
}

// isDead says whether the owner has stopped.
func (i *instance) isDead() bool {
	select {
	case <-i.dead:
		return true
	default:
		return false
	}
}

// Restart gives the instance up.
func (i *instance) Restart() {
	i.cancel()
}

func (i *instance) loop() error {
	for {
		var err error
		select {
		case <-i.ctx.Done():
			return i.ctx.Err()
		case <-i.inbox.ready:
			if d, is := i.inbox.take(); is {
				err = i.take(d)
			}
		case <-i.wake.C:
			_, err = i.call(i.awake)
		}
		for err == nil && len(i.unwanted) > 0 {
			id := i.unwanted[0]
			i.unwanted = i.unwanted[1:]
			_, err = i.call(i.cancelCall, uint64(id))
		}
		if err != nil {
			return err
		}
	}
}

// deliver waits until the owner takes a delivery. It is false where the context or the instance ends before.
func (i *instance) deliver(ctx context.Context, d delivery) bool {
	w := i.inbox.put(d)
	select {
	case <-w.taken:
		return true
	case <-ctx.Done():
	case <-i.dead:
	}
	return !i.inbox.withdraw(w)
}

// take moves an exchange on. What is over already gets nothing more.
func (i *instance) take(d delivery) error {
	ex := d.exchange
	if d.kind == deliverOpen {
		return i.takeOpen(ex, d.data)
	}
	if i.open[ex.id] != ex {
		return nil
	}
	switch d.kind {
	case deliverHead:
		return i.hand(i.begin, ex.id, d.data)
	case deliverBody:
		if !i.strangers.hold(ex, len(d.data)) {
			i.forget(ex)
			ex.fail(errBusy)
			_, err := i.call(i.cancelCall, uint64(ex.id))
			return err
		}
		return i.hand(i.body, ex.id, d.data)
	case deliverEnd:
		ex.hostEnded = true
		if ex.coreEnded {
			i.forget(ex)
		}
		_, err := i.call(i.end, uint64(ex.id))
		return err
	default:
		i.forget(ex)
		_, err := i.call(i.cancelCall, uint64(ex.id))
		return err
	}
}

func (i *instance) takeOpen(ex *exchange, head []byte) error {
	if ex.ctx.Err() != nil {
		return nil
	}
	if len(i.open) >= i.config.ExchangeLimit || !i.strangers.enter(ex) {
		ex.fail(errBusy)
		return nil
	}
	if !i.strangers.hold(ex, len(head)) {
		i.strangers.leave(ex)
		ex.fail(errBusy)
		return nil
	}
	if i.lastID == math.MaxUint32-2 {
		return errors.New("all exchange ids are used up")
	}
	// Odd ids are the host's.
	i.lastID += 2
	ex.id = i.lastID
	i.open[ex.id] = ex
	return i.hand(i.begin, ex.id, head)
}

// hand copies data into the module and calls function with it.
func (i *instance) hand(function api.Function, id uint32, data []byte) error {
	result, err := i.call(i.alloc, uint64(len(data)))
	if err != nil {
		return err
	}
	if len(result) != 1 || !i.module.Memory().Write(uint32(result[0]), data) {
		return errors.New("wall_alloc gave a buffer outside of the module's memory")
	}
	_, err = i.call(function, uint64(id), result[0], uint64(len(data)))
	return err
}

// call runs a function of the module, and stops it when it takes too long.
func (i *instance) call(function api.Function, arguments ...uint64) ([]uint64, error) {
	ctx, cancel := context.WithTimeout(i.ctx, i.config.CallTimeout)
	defer cancel()
	result, err := function.Call(ctx, arguments...)
	i.measure()
	if err != nil && i.ctx.Err() == nil && ctx.Err() != nil {
		return nil, fmt.Errorf("a call into the core took longer than %s and was stopped", i.config.CallTimeout)
	}
	return result, err
}

// measure takes note of how much memory the module has.
func (i *instance) measure() {
	if memory := i.module.Memory(); memory != nil {
		i.memory.Store(uint64(memory.Size()))
	}
}

// What follows is called by the module, within a call of the owner's. It must not wait and must not call the module.

// onBegin takes a head from the core.
func (i *instance) onBegin(id uint32, bytes []byte) {
	if id%2 == 1 {
		i.onAnswer(id, bytes)
		return
	}
	head := &wall.RequestHead{}
	_, taken := i.open[id]
	if err := proto.Unmarshal(bytes, head); err != nil || taken || len(i.open) >= i.config.ExchangeLimit {
		i.unwanted = append(i.unwanted, id)
		i.notice(i.config.Log.LogWarn, "An exchange that the core asked for was refused.",
			"destination", head.GetDestination(), "path", head.GetPath(), "open", len(i.open))
		return
	}
	ex := newExchange(i, i.ctx)
	ex.id, ex.lane = id, head.GetDestination()
	i.open[id] = ex
	i.handlers.Go(func() { ex.serve(head) })
}

// onAnswer takes the head of the core's answer.
func (i *instance) onAnswer(id uint32, bytes []byte) {
	ex := i.open[id]
	if ex == nil {
		return
	}
	head := &wall.ResponseHead{}
	if err := proto.Unmarshal(bytes, head); err != nil {
		i.giveUp(ex, fmt.Errorf("the core's answer cannot be read: %w", err))
		return
	}
	select {
	case ex.head <- head:
	default:
		i.giveUp(ex, errors.New("the core answered twice"))
	}
}

// onBody takes a piece of a body from the core.
func (i *instance) onBody(id uint32, bytes []byte) {
	if ex := i.open[id]; ex != nil && !ex.coreEnded {
		if err := ex.fromCore.put(bytes); err != nil {
			i.giveUp(ex, err)
		}
	}
}

// onEnd takes the end of a body from the core.
func (i *instance) onEnd(id uint32) {
	ex := i.open[id]
	if ex == nil {
		return
	}
	ex.coreEnded = true
	ex.fromCore.finish(io.EOF)
	if ex.hostEnded {
		i.forget(ex)
	}
}

// onCancel takes the news that the core gave an exchange up.
func (i *instance) onCancel(id uint32) {
	if ex := i.open[id]; ex != nil {
		i.forget(ex)
		ex.fail(errCancelled)
	}
}

// onWakeAfter sets the time of the next wake-up, in milliseconds from now.
func (i *instance) onWakeAfter(millis uint64) {
	wait := longestWake
	if millis < uint64(longestWake/time.Millisecond) {
		wait = time.Duration(millis) * time.Millisecond
	}
	i.wake.Reset(wait)
}

// giveUp ends an exchange from within a call of the module.
func (i *instance) giveUp(ex *exchange, err error) {
	i.forget(ex)
	i.unwanted = append(i.unwanted, ex.id)
	ex.fail(err)
}

// forget takes an exchange out of those that are under way.
func (i *instance) forget(ex *exchange) {
	if i.open[ex.id] == ex {
		delete(i.open, ex.id)
		i.strangers.leave(ex)
	}
}
