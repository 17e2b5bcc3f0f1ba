package mattermost

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mattermost/mattermost/server/public/model"
)

// reactionTimeout bounds the wait for a reaction. Teleport may take ten seconds to answer, and a click two calls.
const reactionTimeout = 30 * time.Second

// Reaction is what only one user gets to see after a click or a command: a message, or a dialog.
type Reaction struct {
	// Text of the message; empty where a dialog opens.
	Text string
	// Root is the post in whose thread the message is; empty where it is in the channel itself.
	Root string
	// Dialog that opens; nil where there is none.
	Dialog *model.OpenDialogRequest
}

// ears hear on the websocket what only the user gets to see. Should the connection be lost, it is made again.
type ears struct {
	url, token string
	// account is whose session it is, by id.
	account string
	mu      sync.Mutex
	heard   []Reaction
	// threaded are messages in a thread, which are no answer to what the user has just done.
	threaded []Reaction
	signal   chan struct{}
	done     chan struct{}
	once     sync.Once
}

// listen connects and answers once the server has said hello.
func listen(ctx context.Context, url, token string) (*ears, error) {
	e := &ears{url: "ws" + strings.TrimPrefix(url, "http"), token: token, signal: make(chan struct{}, 1), done: make(chan struct{})}
	hello := make(chan struct{})
	go e.run(hello)
	select {
	case <-hello:
		return e, nil
	case <-ctx.Done():
		e.close()
		return nil, fmt.Errorf("the websocket says nothing: %w", ctx.Err())
	}
}

func (e *ears) run(hello chan<- struct{}) {
	for {
		if client, err := model.NewWebSocketClient4(e.url, e.token); err == nil {
			client.Listen()
			e.take(client, &hello)
			client.Close()
		}
		select {
		case <-e.done:
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// take hears until the connection is lost or hung up.
func (e *ears) take(client *model.WebSocketClient, hello *chan<- struct{}) {
	for {
		select {
		case <-e.done:
			return
		case <-client.PingTimeoutChannel:
			return
		case _, open := <-client.ResponseChannel:
			if !open {
				return
			}
		case event, open := <-client.EventChannel:
			if !open {
				return
			}
			switch event.EventType() {
			case model.WebsocketEventHello:
				if *hello != nil {
					close(*hello)
					*hello = nil
				}
			case model.WebsocketEventEphemeralMessage:
				text, _ := event.GetData()["post"].(string)
				var post model.Post
				if json.Unmarshal([]byte(text), &post) == nil {
					e.hear(Reaction{Text: post.Message, Root: post.RootId})
				}
			case model.WebsocketEventOpenDialog:
				text, _ := event.GetData()["dialog"].(string)
				var dialog model.OpenDialogRequest
				if json.Unmarshal([]byte(text), &dialog) == nil {
					e.hear(Reaction{Dialog: &dialog})
				}
			}
		}
	}
}

func (e *ears) hear(reaction Reaction) {
	e.mu.Lock()
	if reaction.Root == "" {
		e.heard = append(e.heard, reaction)
	} else {
		e.threaded = append(e.threaded, reaction)
	}
	e.mu.Unlock()
	e.ring()
}

// ring wakes one who waits.
func (e *ears) ring() {
	select {
	case e.signal <- struct{}{}:
	default:
	}
}

// forget what was heard so far.
func (e *ears) forget() {
	e.mu.Lock()
	e.heard = nil
	e.mu.Unlock()
}

// next answers the first reaction since forget, and waits for it if need be.
func (e *ears) next(ctx context.Context) (Reaction, error) {
	ctx, cancel := context.WithTimeout(ctx, reactionTimeout)
	defer cancel()
	for {
		e.mu.Lock()
		if len(e.heard) > 0 {
			reaction := e.heard[0]
			e.heard = e.heard[1:]
			more := len(e.heard) > 0
			e.mu.Unlock()
			if more {
				// Somebody else may be waiting, too.
				e.ring()
			}
			return reaction, nil
		}
		e.mu.Unlock()
		select {
		case <-e.signal:
		case <-ctx.Done():
			return Reaction{}, fmt.Errorf("neither a message nor a dialog came: %w", ctx.Err())
		}
	}
}

// inThreads answers what was heard in threads so far.
func (e *ears) inThreads() []Reaction {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Reaction(nil), e.threaded...)
}

func (e *ears) close() {
	if e != nil {
		e.once.Do(func() { close(e.done) })
	}
}
