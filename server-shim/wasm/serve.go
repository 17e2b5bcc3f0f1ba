package wasm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/wall"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/grpcweb"
)

// serve answers an exchange that the core opened.
func (ex *exchange) serve(head *wall.RequestHead) {
	w := &responseWriter{exchange: ex, header: http.Header{}}
	defer func() {
		if problem := recover(); problem != nil {
			if err, ok := problem.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				ex.instance.config.Log.LogError("Serving the core failed.", "destination", head.GetDestination(),
					"path", head.GetPath(), "panic", fmt.Sprint(problem), "stack", string(debug.Stack()))
			}
			ex.abort(http.ErrAbortHandler)
			return
		}
		w.finish()
	}()
	request := (&http.Request{
		Method:        head.GetMethod(),
		URL:           &url.URL{Path: head.GetPath()},
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        fromWall(head.GetHeaders()),
		Body:          ex.fromCore,
		ContentLength: -1,
		RequestURI:    head.GetPath(),
	}).WithContext(ex.ctx)
	// The deadline is kept here, for all destinations alike: not every call that a handler makes can be interrupted.
	if timeout, ok := grpcweb.Timeout(request.Header.Get("Grpc-Timeout")); ok {
		timer := time.AfterFunc(timeout, func() { w.expire(timeout) })
		defer timer.Stop()
	}
	ex.instance.config.Serve(head.GetDestination()).ServeHTTP(w, request)
}

// responseWriter sends a handler's answer to the core.
type responseWriter struct {
	exchange *exchange
	header   http.Header

	mu       sync.Mutex
	began    bool
	done     bool
	boundary grpcweb.Boundary
	// framed says that the body is gRPC-web's: messages with their lengths.
	framed bool
}

// Header is what the head of the answer will carry.
func (w *responseWriter) Header() http.Header {
	return w.header
}

// WriteHeader sends the head of the answer.
func (w *responseWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin(status, w.header)
}

func (w *responseWriter) begin(status int, header http.Header) {
	if w.began || w.done {
		return
	}
	head, err := proto.Marshal(&wall.ResponseHead{Status: uint32(status), Headers: toWall(header)})
	if len(head) > longestHead {
		w.refuse(fmt.Sprintf("the answer has a head of %d bytes, at most %d are taken", len(head), longestHead))
		return
	}
	w.began = true
	w.framed = strings.HasPrefix(header.Get("Content-Type"), "application/grpc-web")
	if err != nil {
		// Only header values can be at fault, and they are bytes: this cannot happen, and would show as a cancelled call.
		w.done = true
		go w.exchange.abort(err)
		return
	}
	w.exchange.send(deliverHead, head)
}

// Write sends a piece of the answer's body and waits until the core has taken it.
func (w *responseWriter) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin(http.StatusOK, w.header)
	if w.done {
		return 0, context.Cause(w.exchange.ctx)
	}
	limit := w.exchange.instance.config.MessageLimit
	if longest := w.boundary.Longest(data); w.framed && longest > int64(limit) {
		w.refuse(fmt.Sprintf("the answer has a message of %d bytes, at most %d are taken", longest, limit))
		return 0, errTooLarge
	}
	if len(data) > largeMessage {
		select {
		case w.exchange.instance.large <- struct{}{}:
			defer func() { <-w.exchange.instance.large }()
		case <-w.exchange.ctx.Done():
			return 0, context.Cause(w.exchange.ctx)
		}
	}
	if !w.exchange.sendBody(data) {
		return 0, context.Cause(w.exchange.ctx)
	}
	w.boundary.Follow(data)
	return len(data), nil
}

// largeMessage is the length from which on a message is handed over alone, in bytes: several clusters that send large
// ones at once must not fill the module's memory together. It takes no time of theirs: the message is here already.
const largeMessage = 1 << 20

// longestHead is the longest head of an answer that is handed over, in bytes: a server may send one of any length.
const longestHead = 1 << 20

// errTooLarge says that a message is larger than the core takes.
var errTooLarge = errors.New("the message is too large for the core")

// Flush has nothing to do: nothing is held back.
func (w *responseWriter) Flush() {}

// finish sends the end of the answer.
func (w *responseWriter) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin(http.StatusOK, w.header)
	w.end()
}

func (w *responseWriter) end() {
	if w.done {
		return
	}
	w.done = true
	w.exchange.send(deliverEnd, nil)
	_ = w.exchange.fromCore.Close()
	w.exchange.cancel(errDone)
}

// expire answers in place of a handler that took longer than the core was willing to wait.
func (w *responseWriter) expire(timeout time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return
	}
	w.conclude(context.DeadlineExceeded, grpcweb.Status{
		Code:    connect.CodeDeadlineExceeded,
		Message: fmt.Sprintf("there was no answer within %s", timeout),
	})
}

// refuse ends an answer that the core must not get.
func (w *responseWriter) refuse(why string) {
	w.conclude(errTooLarge, grpcweb.Status{Code: connect.CodeResourceExhausted, Message: why})
}

// conclude ends the answer with a status, where it stands between two messages, and else breaks it off.
func (w *responseWriter) conclude(err error, status grpcweb.Status) {
	if !w.began {
		// The handler may still write to its own header.
		w.begin(http.StatusOK, http.Header{"Content-Type": {grpcweb.ContentType}})
	} else if w.boundary.Ended || !w.boundary.Between() {
		w.done = true
		go w.exchange.abort(err)
		return
	}
	w.exchange.sendBody(status.Frame())
	w.end()
}
