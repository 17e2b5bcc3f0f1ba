package bridge

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gobwas/ws"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

const (
	// upgradePath is where Teleport's proxies take the connection upgrade.
	upgradePath = "/webapi/connectionupgrade"
	// upgradeKind asks for TLS routing with signs of life, which keep load balancers from cutting an idle connection.
	upgradeKind = "alpn-ping"
	// upgradeHeader repeats the header Upgrade, which some load balancers take away. It is of the earlier form.
	upgradeHeader = "X-Teleport-Upgrade"
	// largestAnswer bounds the head of the answer to an upgrade, in bytes.
	largestAnswer = 64 << 10
)

// upgradeError says that what ends TLS does not take the connection upgrade: its answer to each form.
type upgradeError struct {
	answers []string
}

func (e *upgradeError) Error() string {
	return "the connection upgrade is answered with " + strings.Join(e.answers, ", and in the earlier form with ")
}

// form is one of the two forms of the connection upgrade.
type form struct {
	route pb.Route
	// ask asks for the upgrade. What it answers reads what follows the answer's head.
	ask func(conn io.ReadWriter, address string) (*bufio.Reader, error)
	// framing is how bytes are carried afterwards.
	framing func() framing
}

var (
	webSocket = form{pb.Route_ROUTE_WEBSOCKET, askForWebSocket, func() framing { return &webSocketFraming{} }}
	legacy    = form{pb.Route_ROUTE_LEGACY, askForLegacy, func() framing { return &legacyFraming{} }}
)

// upgraded connects to what ends TLS, asks it for the connection upgrade, and does TLS with Teleport inside of it. Proxies
// before 15.1 know the earlier form only; newer ones will give it up.
func (r *route) upgraded(ctx context.Context, d *dialer) (*tls.Conn, error) {
	forms := []form{webSocket, legacy}
	if pb.Route(r.taken.Load()) == pb.Route_ROUTE_LEGACY {
		forms = []form{legacy, webSocket}
	}
	refused := &upgradeError{}
	for _, form := range forms {
		pipe, err := r.upgrade(ctx, d, form)
		var answer *upgradeError
		if errors.As(err, &answer) {
			refused.answers = append(refused.answers, answer.answers...)
			continue
		}
		if err != nil {
			return nil, err
		}
		conn, err := d.secure(ctx, pipe)
		if err != nil && ctx.Err() == nil && leadsNowhere(err) {
			refused.answers = append(refused.answers, statusText(http.StatusSwitchingProtocols)+" and then "+err.Error())
			continue
		}
		if err == nil {
			r.taken.Store(int32(form.route))
		}
		return conn, err
	}
	return nil, refused
}

// leadsNowhere tells whether no server of Teleport's was reached, as where the proxy does no TLS routing, or not for this cluster.
func leadsNowhere(err error) bool {
	failure := classify(err, nil)
	return failure == pb.Failure_FAILURE_BROKEN || failure == pb.Failure_FAILURE_PROTOCOL || failure == pb.Failure_FAILURE_NOT_TLS
}

// upgrade makes a connection that carries bytes to Teleport's proxy.
func (r *route) upgrade(ctx context.Context, d *dialer, form form) (net.Conn, error) {
	raw, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	outer := tls.Client(raw, r.outer)
	if err := outer.HandshakeContext(ctx); err != nil {
		_ = outer.Close()
		if classifyServerCertificate(err) != pb.Failure_FAILURE_UNSPECIFIED {
			return nil, &balancerCertificateError{err}
		}
		return nil, err
	}
	// The deadline of a context does not reach into reads and writes.
	stop := context.AfterFunc(ctx, func() { _ = outer.SetDeadline(time.Unix(1, 0)) })
	bounded := &io.LimitedReader{R: outer, N: largestAnswer}
	rest, err := form.ask(struct {
		io.Reader
		io.Writer
	}{bounded, outer}, r.address)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = outer.Close()
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, &upgradeError{[]string{err.Error()}}
	}
	bounded.N = math.MaxInt64
	if rest == nil {
		rest = bufio.NewReader(bounded)
	}
	return &pipe{Conn: outer, in: rest, framing: form.framing()}, nil
}

// askForWebSocket asks for the form that Teleport has from 15.1 on.
func askForWebSocket(conn io.ReadWriter, address string) (*bufio.Reader, error) {
	dialer := ws.Dialer{Protocols: []string{upgradeKind}}
	rest, handshake, err := dialer.Upgrade(conn, &url.URL{Scheme: "wss", Host: address, Path: upgradePath})
	var status ws.StatusError
	switch {
	case errors.As(err, &status):
		return nil, errors.New(statusText(int(status)))
	case err != nil:
		return nil, err
	case handshake.Protocol != upgradeKind:
		return nil, errors.New("a WebSocket that is not Teleport's")
	}
	return rest, nil
}

// askForLegacy asks for the form that Teleport has before 15.1.
func askForLegacy(conn io.ReadWriter, address string) (*bufio.Reader, error) {
	request := &http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Scheme: "https", Host: address, Path: upgradePath},
		Host:   address,
		Header: http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {upgradeKind}, upgradeHeader: {upgradeKind},
		},
	}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	rest := bufio.NewReader(conn)
	response, err := http.ReadResponse(rest, request)
	var broken net.Error
	switch {
	case errors.As(err, &broken), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, err
	case err != nil:
		// Not the parser's words: they repeat what the server says.
		return nil, errors.New("something that is not HTTP")
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		return nil, errors.New(statusText(response.StatusCode))
	}
	if got := response.Header.Get("Upgrade"); got != upgradeKind {
		return nil, errors.New("another upgrade than the one that was asked for")
	}
	return rest, nil
}

// statusText is an HTTP status in words, of which the server chooses the number only.
func statusText(code int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
}
