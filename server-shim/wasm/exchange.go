package wasm

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/wall"
)

var (
	// errCancelled says that the core gave an exchange up.
	errCancelled = errors.New("the core gave up")
	// errDone ends the context of an exchange that is over.
	errDone = errors.New("the exchange is over")
)

// exchange is one HTTP exchange over the wall. The instance's owner moves it on; everybody else only hands in
// deliveries and reads the body.
type exchange struct {
	instance *instance
	// id is set by the owner before anybody else sees the exchange's answer.
	id uint32
	// lane is with whom the exchange shares its turns, and foreign whether a stranger opened it.
	lane    string
	foreign bool
	// ctx ends when the exchange is over.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// fromCore is the body that the core sends.
	fromCore *pipe
	// head receives the head of the core's answer, for an exchange that the host opened.
	head chan *wall.ResponseHead

	// Only the owner looks at these: which sides have sent their end.
	coreEnded, hostEnded bool
	// held is what it has of the strangers' share, in bytes. Only the owner looks at it.
	held int

	failOnce sync.Once
	// failed is closed when the exchange is over before its end; err says why.
	failed chan struct{}
	err    error
}

func newExchange(i *instance, ctx context.Context) *exchange {
	ex := &exchange{
		instance: i,
		fromCore: newPipe(i.config.QueueLimit),
		head:     make(chan *wall.ResponseHead, 1),
		failed:   make(chan struct{}),
	}
	ex.ctx, ex.cancel = context.WithCancelCause(ctx)
	return ex
}

// fail ends the exchange for everybody on the host's side. It does not tell the core.
func (ex *exchange) fail(err error) {
	ex.failOnce.Do(func() {
		ex.err = err
		close(ex.failed)
		ex.fromCore.finish(err)
		ex.cancel(err)
	})
}

// abort gives the exchange up: for the host's side at once, and for the core as soon as its owner gets to it.
func (ex *exchange) abort(err error) {
	ex.fail(err)
	ex.instance.deliver(context.Background(), delivery{kind: deliverCancel, exchange: ex})
}

// send hands a delivery to the owner. It is false when the exchange is over.
func (ex *exchange) send(kind deliveryKind, data []byte) bool {
	return ex.instance.deliver(ex.ctx, delivery{kind: kind, exchange: ex, data: data})
}

// pieceSize is how much of a body goes over the wall in one call.
const pieceSize = 64 << 10

// sendBody hands over a body in pieces. It copies what it is given.
func (ex *exchange) sendBody(data []byte) bool {
	for len(data) > 0 {
		n := min(len(data), pieceSize)
		if !ex.send(deliverBody, append([]byte(nil), data[:n]...)) {
			return false
		}
		data = data[n:]
	}
	return true
}

// upload sends the body of a request, and its end.
func (ex *exchange) upload(body io.ReadCloser) {
	if body != nil {
		defer func() { _ = body.Close() }()
		buffer := make([]byte, pieceSize)
		for {
			n, err := body.Read(buffer)
			if !ex.sendBody(buffer[:n]) {
				return
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				ex.abort(err)
				return
			}
		}
	}
	ex.send(deliverEnd, nil)
}
