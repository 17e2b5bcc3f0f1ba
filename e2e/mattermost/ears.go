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

// ears hear a user's ephemeral posts on the websocket. Should the connection be lost, it is made again.
type ears struct {
	url, token string
	mu         sync.Mutex
	heard      []string
	signal     chan struct{}
	done       chan struct{}
	once       sync.Once
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
					e.hear(post.Message)
				}
			}
		}
	}
}

func (e *ears) hear(message string) {
	e.mu.Lock()
	e.heard = append(e.heard, message)
	e.mu.Unlock()
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

// next answers the first message since forget, and waits for it if need be.
func (e *ears) next(ctx context.Context) (string, error) {
	for {
		e.mu.Lock()
		if len(e.heard) > 0 {
			message := e.heard[0]
			e.heard = e.heard[1:]
			e.mu.Unlock()
			return message, nil
		}
		e.mu.Unlock()
		select {
		case <-e.signal:
		case <-ctx.Done():
			return "", fmt.Errorf("no message came that only the user sees: %w", ctx.Err())
		}
	}
}

func (e *ears) close() {
	if e != nil {
		e.once.Do(func() { close(e.done) })
	}
}
