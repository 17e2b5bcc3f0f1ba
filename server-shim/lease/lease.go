// Package lease lets one node of a Mattermost cluster hold a role, such as watching Teleport.
//
// The SDK's cluster mutex would do, were it not for two things: it does not tell its holder when it could not be
// refreshed any more and somebody else may have taken it, and after a crash nobody can take it before it has run out.
// So the same is done here, by the same means: a value in the plugin's key-value store that is written only where it
// stands as expected, and that goes away by itself.
package lease

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mattermost/mattermost/server/public/model"
)

// API is the part of the Plugin API that a lease needs.
type API interface {
	KVGet(key string) ([]byte, *model.AppError)
	KVSetWithOptions(key string, value []byte, options model.PluginKVSetOptions) (bool, *model.AppError)
	LogWarn(message string, keyValuePairs ...any)
}

// Lease is a role that one node holds at a time. All fields are set before Run is called.
type Lease struct {
	// API keeps the record.
	API API
	// Key of the record.
	Key string
	// Node is a name for this process that no other one has.
	Node string
	// Changed is called when the role is taken and when it is lost, in turn and one after the other. It should return
	// quickly: nothing is refreshed meanwhile.
	Changed func(held bool)

	// TTL is how long the record stays without being refreshed, in whole seconds.
	TTL time.Duration
	// Refresh is how often the holder refreshes it.
	Refresh time.Duration
	// Margin is how long before the end of TTL a holder that could not refresh gives up.
	Margin time.Duration
	// Retry is how often others look whether the role is free.
	Retry time.Duration
}

// New makes a lease with the times that the plugin uses.
func New(api API, key, node string, changed func(bool)) *Lease {
	return &Lease{
		API: api, Key: key, Node: node, Changed: changed,
		TTL: 15 * time.Second, Refresh: 5 * time.Second, Margin: 3 * time.Second, Retry: 2 * time.Second,
	}
}

// record is what stands in the key-value store while a node holds the role.
type record struct {
	Node string `json:"node"`
	process
}

// errTaken says that another node has the role.
var errTaken = errors.New("another node has taken over")

// Run takes the role whenever it is free, and keeps it, until ctx ends. Then it gives the role up, after Changed has
// returned, so that another node can take it at once.
func (l *Lease) Run(ctx context.Context) {
	mine, err := json.Marshal(record{Node: l.Node, process: thisProcess()})
	if err != nil {
		// Texts and a number can always be written.
		l.API.LogWarn("This node cannot watch Teleport.", "error", err.Error())
		return
	}
	var warned bool
	for ctx.Err() == nil {
		since := time.Now()
		taken, err := call(ctx, l.TTL, func() (bool, error) { return l.take(mine) })
		switch {
		case taken:
			warned = false
			l.hold(ctx, mine, since)
		case err != nil && ctx.Err() == nil && !warned:
			warned = true
			l.API.LogWarn("It cannot be told which node watches Teleport. It is tried again.", "error", err.Error())
		}
		// Apart from each other, so that nodes do not ask all at once.
		pause(ctx, l.Retry/2+rand.N(l.Retry))
	}
}

// hold keeps the role until it is lost or ctx ends; since is a time before it was taken.
func (l *Lease) hold(ctx context.Context, mine []byte, since time.Time) {
	l.Changed(true)
	err := l.keep(ctx, mine, since)
	l.Changed(false)
	if ctx.Err() == nil {
		l.API.LogWarn("This node does not watch Teleport any more.", "error", err.Error())
		return
	}
	// Best effort: what is not deleted runs out by itself.
	_, _ = call(context.Background(), 2*time.Second, func() (bool, error) {
		return l.write(nil, mine)
	})
}

// keep refreshes the record until that fails for too long or ctx ends. It returns why it stopped.
func (l *Lease) keep(ctx context.Context, mine []byte, since time.Time) error {
	for {
		end := since.Add(l.TTL - l.Margin)
		pause(ctx, min(l.Refresh, time.Until(end)))
		for {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			now := time.Now()
			kept, err := call(ctx, end.Sub(now), func() (bool, error) { return l.write(mine, mine) })
			if err == nil && !kept {
				return errTaken
			}
			if err == nil {
				since = now
				break
			}
			if !time.Now().Before(end) {
				return err
			}
			pause(ctx, min(l.Refresh/5, time.Until(end)))
		}
	}
}

// take writes the record where nobody else's stands, or that of a process that is no more.
func (l *Lease) take(mine []byte) (bool, error) {
	current, appErr := l.API.KVGet(l.Key)
	if appErr != nil {
		return false, appErr
	}
	if current != nil && !bytes.Equal(current, mine) {
		var holder record
		if err := json.Unmarshal(current, &holder); err != nil || !holder.isGone() {
			return false, nil
		}
	}
	return l.write(mine, current)
}

// write replaces the record, if it is the expected one. No value deletes it.
func (l *Lease) write(value, expected []byte) (bool, error) {
	written, appErr := l.API.KVSetWithOptions(l.Key, value, model.PluginKVSetOptions{
		Atomic: true, OldValue: expected, ExpireInSeconds: int64(l.TTL / time.Second),
	})
	if appErr != nil {
		return false, appErr
	}
	return written, nil
}

// errNoAnswer says that the key-value store did not answer in time.
var errNoAnswer = errors.New("the key-value store does not answer")

// call waits for do, but no longer than that and no longer than ctx. Calls of the Plugin API cannot be interrupted.
func call(ctx context.Context, longest time.Duration, do func() (bool, error)) (bool, error) {
	type result struct {
		ok  bool
		err error
	}
	results := make(chan result, 1)
	go func() {
		ok, err := do()
		results <- result{ok, err}
	}()
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case r := <-results:
		return r.ok, r.err
	case <-timer.C:
		return false, errNoAnswer
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func pause(ctx context.Context, span time.Duration) {
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
