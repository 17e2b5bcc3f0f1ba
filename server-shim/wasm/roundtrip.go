package wasm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/wall"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/grpcweb"
)

// RoundTrip sends a request into the core: it opens an exchange, streams the request's body, and returns with the head
// of the answer, whose body streams likewise. The end of the request's context, or closing the answer's body before its
// end, cancels the exchange. Where this instance of the core is lost, the answer is the gRPC-web status UNAVAILABLE.
func (i *instance) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := i.exchange(request, false)
	if errors.Is(err, errNotTaken) {
		closeBody(request)
		return i.lost(request, &LostError{Cause: i.cause}), nil
	}
	return response, err
}

// errNotTaken says that an instance was lost before it took a request: nothing of it was read or done.
var errNotTaken = errors.New("the core was lost before")

// exchange is RoundTrip, but for the error errNotTaken.
func (i *instance) exchange(request *http.Request, foreign bool) (*http.Response, error) {
	head, err := proto.Marshal(&wall.RequestHead{
		Method:  request.Method,
		Path:    request.URL.EscapedPath(),
		Headers: toWall(request.Header),
	})
	if err != nil {
		closeBody(request)
		return nil, err
	}
	ctx := request.Context()
	ex := newExchange(i, ctx)
	ex.lane, ex.foreign = hooksLane, foreign
	if foreign {
		ex.lane = laneOf(ctx)
	}
	if !ex.send(deliverOpen, head) {
		ex.cancel(errDone)
		if ctx.Err() != nil {
			closeBody(request)
			return nil, ctx.Err()
		}
		return nil, errNotTaken
	}
	stop := context.AfterFunc(ctx, func() { ex.abort(ctx.Err()) })
	go ex.upload(request.Body)

	var answer *wall.ResponseHead
	select {
	case answer = <-ex.head:
	case <-ex.failed:
	case <-i.dead:
		// It may have died before it took the exchange.
		ex.fail(&LostError{Cause: i.cause})
	}
	if answer == nil {
		// What came before the end counts: the answer may even be complete.
		select {
		case answer = <-ex.head:
		default:
		}
	}
	if answer == nil {
		stop()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(ex.err, errCancelled) {
			return nil, ex.err
		}
		return i.lost(request, ex.err), nil
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", answer.GetStatus(), http.StatusText(int(answer.GetStatus()))),
		StatusCode:    int(answer.GetStatus()),
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        fromWall(answer.GetHeaders()),
		Body:          &answerBody{exchange: ex, stop: stop},
		ContentLength: -1,
		Request:       request,
	}, nil
}

func (i *instance) lost(request *http.Request, err error) *http.Response {
	return unavailable(err).Response(request)
}

// unavailable is the status of a call that the core did not answer.
func unavailable(err error) grpcweb.Status {
	if errors.Is(err, errBusy) {
		return grpcweb.Status{Code: connect.CodeResourceExhausted, Message: err.Error()}
	}
	return grpcweb.Status{Code: connect.CodeUnavailable, Message: err.Error()}
}

// answerBody is the body of the core's answer.
type answerBody struct {
	exchange *exchange
	stop     func() bool
	boundary grpcweb.Boundary
	// rest is what follows the core's part: the trailers that a lost core cannot send.
	rest []byte
	lost bool
}

// Read waits for the next piece. A core that is lost between two messages leaves a body that ends properly, with the
// status UNAVAILABLE.
func (b *answerBody) Read(buffer []byte) (int, error) {
	if b.lost {
		return b.readRest(buffer)
	}
	n, err := b.exchange.fromCore.Read(buffer)
	b.boundary.Follow(buffer[:n])
	var lost *LostError
	if errors.As(err, &lost) && b.boundary.Between() && !b.boundary.Ended {
		b.lost = true
		b.rest = unavailable(err).Frame()
		return b.readRest(buffer)
	}
	return n, err
}

func (b *answerBody) readRest(buffer []byte) (int, error) {
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(buffer, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close ends the exchange, early or not.
func (b *answerBody) Close() error {
	b.stop()
	drained := b.exchange.fromCore.drained()
	_ = b.exchange.fromCore.Close()
	if drained {
		// Complete; but a request's body may still be on its way, and nobody wants it any more.
		b.exchange.cancel(errDone)
	}
	// Cancels nothing where both sides have ended already.
	go b.exchange.abort(errDone)
	return nil
}

func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
}

// toWall puts header fields into the wall's form: lower-case names, in a steady order.
func toWall(header http.Header) []*wall.Header {
	var fields []*wall.Header
	for name, values := range header {
		for _, value := range values {
			fields = append(fields, &wall.Header{Name: strings.ToLower(name), Value: []byte(value)})
		}
	}
	slices.SortStableFunc(fields, func(a, b *wall.Header) int { return strings.Compare(a.GetName(), b.GetName()) })
	return fields
}

// fromWall is the way back.
func fromWall(fields []*wall.Header) http.Header {
	header := make(http.Header, len(fields))
	for _, field := range fields {
		header.Add(field.GetName(), string(field.GetValue()))
	}
	return header
}
