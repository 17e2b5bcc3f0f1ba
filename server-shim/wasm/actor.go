// Package wasm hosts the core: it loads the WebAssembly module, carries HTTP exchanges over its wall in both directions,
// and makes a new instance where one is lost. What the exchanges say is none of its business.
//
// proto/wall/wall.proto describes the wall.
package wasm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// Logger is the part of Mattermost's Plugin API that writes the server's log.
type Logger interface {
	LogDebug(message string, keyValuePairs ...any)
	LogInfo(message string, keyValuePairs ...any)
	LogWarn(message string, keyValuePairs ...any)
	LogError(message string, keyValuePairs ...any)
}

// Core is one instance of the core.
type Core interface {
	// RoundTrip sends a request into this instance, see Actor.RoundTrip. Where it is no more, the answer is the gRPC-web
	// status UNAVAILABLE.
	http.RoundTripper
	// Restart gives this instance up, with all that it does, and has a new one made. Where it is no more, it does nothing.
	Restart()
}

// Config is what an Actor needs. Path, Serve and Log must be set, all else has a default.
type Config struct {
	// Path of core.wasm.
	Path string
	// CacheDirs are directories for compiled code; the first that is ours alone and can be written is used.
	CacheDirs []string
	// Interpret runs the core without compiling it.
	Interpret bool
	// Serve answers the exchanges that the core opens with a destination.
	Serve func(destination string) http.Handler
	// Started is called with every new instance of the core before anybody else may use it, and with what the host
	// wants said in the status.
	Started func(core Core, notes []string)
	// Log takes what is to be known about the core.
	Log Logger

	// CallTimeout bounds a single call into the module.
	CallTimeout time.Duration
	// Patience is how long RoundTrip waits for a core that is being made.
	Patience time.Duration
	// MemoryPages bounds the module's memory, in pages of 64 KiB.
	MemoryPages uint32
	// QueueLimit bounds what waits to be read of the body of one exchange, in bytes.
	QueueLimit int
	// ExchangeLimit bounds how many exchanges are under way at once.
	ExchangeLimit int
	// ForeignExchanges and ForeignBytes bound what strangers' exchanges may have of the module: how many are under way
	// at once, and how much of their heads and bodies is in the module's memory.
	ForeignExchanges, ForeignBytes int
	// MessageLimit bounds a single message that is handed to the core, in bytes. What is in a message takes several
	// times its length in the module's memory.
	MessageLimit int
	// FirstPause is how long it takes after the core was lost until it is made again; it doubles up to LongestPause
	// while new instances are lost at once, too.
	FirstPause, LongestPause time.Duration
}

func (c Config) withDefaults() Config {
	set := func(value *time.Duration, fallback time.Duration) {
		if *value == 0 {
			*value = fallback
		}
	}
	set(&c.CallTimeout, 10*time.Second)
	set(&c.Patience, 5*time.Second)
	set(&c.FirstPause, 100*time.Millisecond)
	set(&c.LongestPause, 30*time.Second)
	if c.MemoryPages == 0 {
		c.MemoryPages = 256 << 20 / (64 << 10)
	}
	if c.QueueLimit == 0 {
		c.QueueLimit = 16 << 20
	}
	if c.ExchangeLimit == 0 {
		c.ExchangeLimit = 4096
	}
	if c.ForeignExchanges == 0 {
		c.ForeignExchanges = 256
	}
	if c.ForeignBytes == 0 {
		c.ForeignBytes = 8 << 20
	}
	if c.MessageLimit == 0 {
		c.MessageLimit = 8 << 20
	}
	if c.Started == nil {
		c.Started = func(Core, []string) {}
	}
	return c
}

var (
	// errStopped says that the core was stopped, on purpose.
	errStopped = errors.New("the core was stopped")
	// errBusy says that there are too many exchanges.
	errBusy = errors.New("the plugin has too much to do at once")
	// errStarting says that there is no core yet, or none any more.
	errStarting = errors.New("the core is being started")
)

// LostError says that the instance of the core that should have answered is no more.
type LostError struct {
	// Cause is why it was lost.
	Cause error
}

// Error tells what happened.
func (e *LostError) Error() string {
	return fmt.Sprintf("the core was lost: %v", e.Cause)
}

// Unwrap is the cause.
func (e *LostError) Unwrap() error {
	return e.Cause
}

// Actor keeps a core running.
type Actor struct {
	config Config
	ctx    context.Context
	stop   context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	current *instance
	// change is closed when current changes.
	change chan struct{}
	// lost is how many instances were lost.
	lost uint64
}

// Stats is what there is to know of the module for who watches over the plugin.
type Stats struct {
	// MemoryBytes is how much memory the module has now; 0 where there is no instance.
	MemoryBytes uint64
	// Lost is how many instances were lost to a trap, a runaway call or too much memory. One that was given up or
	// stopped on purpose does not count.
	Lost uint64
}

// Stats tells how the module does.
func (a *Actor) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	stats := Stats{Lost: a.lost}
	if a.current != nil {
		stats.MemoryBytes = a.current.memory.Load()
	}
	return stats
}

// Start begins to load the core, and returns at once.
func Start(config Config) *Actor {
	a := &Actor{config: config.withDefaults(), done: make(chan struct{}), change: make(chan struct{})}
	a.ctx, a.stop = context.WithCancel(context.Background())
	go a.run()
	return a
}

// Close stops the core and waits until nothing of it is left, though not for handlers that cannot be interrupted.
func (a *Actor) Close() {
	a.stop()
	<-a.done
}

// RoundTrip sends a stranger's request into the core, see net/http's RoundTripper, and Own for the host's. It waits a
// while for a core that is being made; where there is none even then, the answer is the gRPC-web status UNAVAILABLE.
// Where strangers have used up their share, it is RESOURCE_EXHAUSTED.
func (a *Actor) RoundTrip(request *http.Request) (*http.Response, error) {
	return a.roundTrip(request, true)
}

func (a *Actor) roundTrip(request *http.Request, foreign bool) (*http.Response, error) {
	for {
		i, err := a.wait(request.Context())
		if err != nil {
			closeBody(request)
			if request.Context().Err() != nil {
				return nil, request.Context().Err()
			}
			return unavailable(err).Response(request), nil
		}
		if response, err := i.exchange(request, foreign); !errors.Is(err, errNotTaken) {
			return response, err
		}
	}
}

// wait returns the current instance, once there is one.
func (a *Actor) wait(ctx context.Context) (*instance, error) {
	patience := time.NewTimer(a.config.Patience)
	defer patience.Stop()
	for {
		a.mu.Lock()
		current, change := a.current, a.change
		a.mu.Unlock()
		if current != nil && !current.isDead() {
			return current, nil
		}
		select {
		case <-change:
		case <-patience.C:
			return nil, errStarting
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-a.ctx.Done():
			return nil, errStopped
		}
	}
}

// publish makes an instance the one that everybody uses, or none.
func (a *Actor) publish(i *instance) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = i
	close(a.change)
	a.change = make(chan struct{})
}

// run makes instances, one after the other.
func (a *Actor) run() {
	defer close(a.done)
	var engine *engine
	defer func() {
		if engine != nil {
			engine.close()
		}
	}()
	pause := a.config.FirstPause
	for {
		began := time.Now()
		err := func() error {
			if engine == nil {
				var err error
				if engine, err = newEngine(a.ctx, a.config); err != nil {
					return err
				}
			}
			return a.live(engine)
		}()
		if a.ctx.Err() != nil {
			return
		}
		if time.Since(began) > a.config.LongestPause {
			pause = a.config.FirstPause
		}
		a.config.Log.LogError("The core was lost and is made again.", "error", err.Error(), "pause", pause.String())
		select {
		case <-time.After(pause):
		case <-a.ctx.Done():
			return
		}
		pause = min(2*pause, a.config.LongestPause)
	}
}

// live runs one instance to its end, and returns why it ended.
func (a *Actor) live(engine *engine) error {
	i, err := newInstance(a.ctx, engine, a.config)
	if err != nil {
		return err
	}
	go i.run()
	a.tell(i, engine.notes)
	// One that was given up already is nobody's any more.
	if i.ctx.Err() == nil {
		a.publish(i)
	}
	<-i.dead
	if !errors.Is(i.cause, errStopped) {
		a.count()
	}
	a.publish(nil)
	a.leave(i)
	return i.cause
}

// count takes note of an instance that was lost.
func (a *Actor) count() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lost++
}

// tell has a new instance told what it must know. Where that fails altogether, the instance is given up.
func (a *Actor) tell(i *instance, notes []string) {
	defer func() {
		if problem := recover(); problem != nil {
			a.config.Log.LogError("Telling the core what it must know failed.",
				"panic", fmt.Sprint(problem), "stack", string(debug.Stack()))
			i.Restart()
		}
	}()
	a.config.Started(i, notes)
}

// leave waits a little for the handlers of an instance that is no more: they have been told, but some calls of
// Mattermost's cannot be interrupted.
func (a *Actor) leave(i *instance) {
	gone := make(chan struct{})
	go func() {
		i.handlers.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-time.After(time.Second):
	}
}
