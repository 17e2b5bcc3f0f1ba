package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"connectrpc.com/connect"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/grpcweb"
)

// largestMessage is the most that a message from Teleport may have, in bytes. The core takes no larger ones.
const largestMessage = 8 << 20

// Cluster carries gRPC-web calls to a cluster.
func (b *Bridge) Cluster(cluster string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		endpoint, end := b.begin(cluster)
		if endpoint == nil {
			failed(fmt.Errorf("%w: %q", errNoEndpoint, cluster), nil).Write(w)
			return
		}
		defer end()
		endpoint.call(w, request)
	})
}

// call carries one call there and its answer back.
func (e *endpoint) call(w http.ResponseWriter, request *http.Request) {
	ctx, cancel := context.WithCancel(request.Context())
	// Ends the sending of the request, too, where the answer comes early.
	defer cancel()
	response, err := e.transport.RoundTrip(e.request(ctx, request))
	if err != nil {
		e.explain(ctx, err).Write(w)
		return
	}
	defer func() { _ = response.Body.Close() }()
	if err := e.isGRPC(response); err != nil {
		e.failed(err).Write(w)
		return
	}
	e.worked.Store(true)
	w.Header().Set("Content-Type", grpcweb.ContentType)
	for name, values := range response.Header {
		if !hopHeaders[name] && !isStatus(name) {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(http.StatusOK)
	flush(w)
	trailers, err := forward(w, response)
	if err != nil {
		if ctx.Err() != nil {
			// Whoever called does not wait any more.
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(e.broken(err).Frame())
		return
	}
	if trailers != nil {
		_, _ = w.Write(grpcweb.TrailerFrame(trailers))
	}
}

// request is the call as the endpoint wants it.
func (e *endpoint) request(ctx context.Context, request *http.Request) *http.Request {
	out := &http.Request{
		Method: http.MethodPost,
		URL:    e.url(request.URL.Path),
		Header: http.Header{},
		Body:   request.Body,
		// Streamed: how much comes is not known.
		ContentLength: -1,
	}
	for name, values := range request.Header {
		if !hopHeaders[name] {
			out.Header[name] = values
		}
	}
	if e.web {
		out.Header.Set("Content-Type", grpcweb.ContentType)
		out.Header.Set("Accept", grpcweb.ContentType)
		out.Header.Set("X-Grpc-Web", "1")
	} else {
		out.Header.Set("Content-Type", "application/grpc")
		out.Header.Set("Te", "trailers")
	}
	return out.WithContext(ctx)
}

// hopHeaders belong to one side of the bridge only. So does Version: Teleport takes it for the version of a client of its own,
// and from 16 on closes the connection where it cannot read it, or finds it too old. Without one, clients are let in.
var hopHeaders = map[string]bool{
	"Accept": true, "Connection": true, "Content-Length": true, "Content-Type": true, "Date": true, "Host": true,
	"Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true, "Proxy-Connection": true, "Server": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Version": true, "X-Grpc-Web": true, "X-User-Agent": true,
}

func isStatus(name string) bool {
	return name == "Grpc-Status" || name == "Grpc-Message" || name == "Grpc-Status-Details-Bin"
}

// isGRPC is an error about an answer that is not what the endpoint should speak.
func (e *endpoint) isGRPC(response *http.Response) error {
	wanted := "application/grpc"
	if e.web {
		wanted = "application/grpc-web"
	}
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if response.StatusCode == http.StatusOK && (kind == wanted || kind == wanted+"+proto") {
		return nil
	}
	// Gateways answer calls that end at once without a body, and then without a content type, too.
	if e.web && response.StatusCode == http.StatusOK && kind == "" && response.Header.Get("Grpc-Status") != "" {
		return nil
	}
	if kind == "" {
		kind = "no content type"
	}
	return &notGRPCError{fmt.Sprintf("HTTP %s with %s", response.Status, kind)}
}

// forward passes the messages of an answer on, each as soon as it is there. It returns the trailers that have still to
// be sent, or none where they were in the body.
func forward(w http.ResponseWriter, response *http.Response) (http.Header, error) {
	for {
		frame, err := grpcweb.ReadFrame(response.Body, largestMessage)
		if errors.Is(err, io.EOF) {
			return trailers(response)
		}
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(frame); err != nil {
			return nil, err
		}
		if grpcweb.IsTrailerFrame(frame) {
			return nil, nil
		}
		flush(w)
	}
}

// flush sends what a writer may hold back.
func flush(w http.ResponseWriter) {
	// A writer that cannot flush holds nothing back.
	_ = http.NewResponseController(w).Flush()
}

// trailers are what came after the body, or in its place.
func trailers(response *http.Response) (http.Header, error) {
	if response.Trailer.Get("Grpc-Status") != "" {
		return response.Trailer, nil
	}
	if response.Header.Get("Grpc-Status") == "" {
		return nil, io.ErrUnexpectedEOF
	}
	only := http.Header{}
	for name, values := range response.Header {
		if isStatus(name) {
			only[name] = values
		}
	}
	return only, nil
}

// explain is the status of a call that got no answer at all.
func (e *endpoint) explain(ctx context.Context, err error) grpcweb.Status {
	if ctx.Err() == nil && e.reason != nil && !e.worked.Load() && !e.connections.isClosed() &&
		classify(err, e.certificate) == pb.Failure_FAILURE_BROKEN {
		// A timeout means that there is nothing to hear: the first error stays.
		if reason := e.reason(); reason != nil {
			if failure := classify(reason, e.certificate); failure != pb.Failure_FAILURE_BROKEN &&
				failure != pb.Failure_FAILURE_UNREACHABLE {
				err = reason
			}
		}
	}
	return e.failed(err)
}

// broken is the status of a call whose answer ended early.
func (e *endpoint) broken(err error) grpcweb.Status {
	if errors.Is(err, grpcweb.ErrFrameTooLarge) {
		return grpcweb.Status{Code: connect.CodeResourceExhausted, Message: err.Error()}
	}
	return e.failed(err)
}

func (e *endpoint) failed(err error) grpcweb.Status {
	if e.connections.isClosed() {
		err = fmt.Errorf("%w: %w", errReplaced, err)
	}
	return failed(err, e.certificate)
}
