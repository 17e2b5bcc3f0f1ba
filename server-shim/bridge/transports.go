package bridge

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/proxy"
)

// connectTimeout bounds how long it takes to connect, TLS handshake included. Tests shorten it.
var connectTimeout = 10 * time.Second

const (
	// pingAfter is how long nothing may arrive on a connection until it is asked for a sign of life, and pingTimeout how
	// long that may take. Teleport's servers ask for one themselves after a minute of silence, and take it ill when a
	// client does so more often than once a minute ("too_many_pings").
	pingAfter   = 75 * time.Second
	pingTimeout = 10 * time.Second
	// writeTimeout bounds how long a connection may refuse to take anything.
	writeTimeout = 15 * time.Second
)

// keepAlive makes the kernel notice within half a minute that the other host is gone; the servers behind a connection
// do not see it.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// errConnectTimeout says that there was no connection in time.
var errConnectTimeout = errors.New("there was no connection in time")

// protocolError says that the server chose another protocol than HTTP/2.
type protocolError struct {
	chosen string
}

func (e *protocolError) Error() string {
	if e.chosen == "" {
		return "the server did not choose any of the offered protocols"
	}
	return fmt.Sprintf("the server chose the protocol %q", e.chosen)
}

// dialer makes the TLS connections to a Teleport server.
type dialer struct {
	address     string
	tls         *tls.Config
	connections *connections
	route       *route
}

// newHTTP2 is a transport that speaks HTTP/2 over the dialer's connections.
func newHTTP2(d *dialer) http.RoundTripper {
	return &http2.Transport{
		DialTLSContext: func(ctx context.Context, _, _ string, _ *tls.Config) (net.Conn, error) {
			return d.dial(ctx)
		},
		DisableCompression: true,
		ReadIdleTimeout:    pingAfter,
		PingTimeout:        pingTimeout,
		WriteByteTimeout:   writeTimeout,
	}
}

// dial connects and does the TLS handshake.
func (d *dialer) dial(ctx context.Context) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout, errConnectTimeout)
	defer cancel()
	conn, err := d.route.take(ctx, d)
	if err != nil && errors.Is(context.Cause(ctx), errConnectTimeout) {
		return nil, fmt.Errorf("%w: %w", errConnectTimeout, err)
	}
	return conn, err
}

// connect makes a connection that carries nothing yet.
func (d *dialer) connect(ctx context.Context) (net.Conn, error) {
	raw, err := dialTCP(ctx, d.address)
	if err != nil {
		return nil, err
	}
	return d.connections.add(raw)
}

// secure does the TLS handshake with Teleport over a connection, whatever that leads through.
func (d *dialer) secure(ctx context.Context, over net.Conn) (*tls.Conn, error) {
	conn := tls.Client(over, d.tls)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	if chosen := conn.ConnectionState().NegotiatedProtocol; chosen != http2.NextProtoTLS {
		_ = conn.Close()
		return nil, &protocolError{chosen}
	}
	return conn, nil
}

// reason connects once more and only listens. In TLS 1.3 a client learns that the server refuses its certificate with
// the first thing it reads; when it writes before that, the news may get lost in the connection's reset.
func (d *dialer) reason() error {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	conn, err := d.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

// dialTCP connects to an address, through the proxy that the environment names for it, if it names one.
func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	plain := &net.Dialer{KeepAliveConfig: keepAlive}
	through, err := proxyFor(address)
	if err != nil {
		return nil, err
	}
	if through == nil {
		return plain.DialContext(ctx, "tcp", address)
	}
	if strings.HasPrefix(through.Scheme, "socks5") {
		return dialSOCKS(ctx, plain, through, address)
	}
	conn, err := dialProxy(ctx, plain, through)
	if err != nil {
		return nil, fmt.Errorf("the proxy %s: %w", through.Host, err)
	}
	if err := tunnel(ctx, conn, through, address); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("the proxy %s: %w", through.Host, err)
	}
	return conn, nil
}

// dialSOCKS connects to an address through a SOCKS5 proxy, which looks the name up.
func dialSOCKS(ctx context.Context, plain *net.Dialer, address *url.URL, to string) (net.Conn, error) {
	dialer, err := proxy.FromURL(address, plain)
	if err != nil {
		return nil, fmt.Errorf("the proxy %s: %w", address.Host, &proxyError{err.Error()})
	}
	conn, err := dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, fmt.Errorf("the proxy %s: %w", address.Host, &proxyError{err.Error()})
	}
	return conn, nil
}

// dialProxy connects to a proxy that takes CONNECT, in the clear or over TLS.
func dialProxy(ctx context.Context, plain *net.Dialer, proxy *url.URL) (net.Conn, error) {
	secure := proxy.Scheme == "https"
	port := proxy.Port()
	switch {
	case port == "" && secure:
		port = "443"
	case port == "":
		port = "80"
	}
	conn, err := plain.DialContext(ctx, "tcp", net.JoinHostPort(proxy.Hostname(), port))
	if err != nil || !secure {
		return conn, err
	}
	overTLS := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: proxy.Hostname()})
	if err := overTLS.HandshakeContext(ctx); err != nil {
		_ = overTLS.Close()
		// Of a kind of its own: it is not about Teleport's certificate.
		return nil, &proxyError{err.Error()}
	}
	return overTLS, nil
}

// proxyError is a proxy's refusal.
type proxyError struct {
	what string
}

func (e *proxyError) Error() string { return e.what }

// tunnel asks a proxy for a connection to address.
func tunnel(ctx context.Context, conn net.Conn, proxy *url.URL, address string) error {
	// The deadline of a context does not reach into reads and writes.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	request := &http.Request{
		Method: http.MethodConnect,
		URL:    &url.URL{Opaque: address},
		Host:   address,
		Header: http.Header{},
	}
	if user := proxy.User; user != nil {
		password, _ := user.Password()
		request.Header.Set("Proxy-Authorization",
			"Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := request.Write(conn); err != nil {
		return err
	}
	// Nothing follows the answer before we speak TLS, so nothing is lost in the buffer.
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return &proxyError{"it answers " + response.Status}
	}
	return nil
}

// newWebTransport is a transport for a gateway that speaks gRPC-web, over HTTP/1.1 or HTTP/2, through the proxy that
// the environment names, if any.
func newWebTransport(tlsConfig *tls.Config, connections *connections) http.RoundTripper {
	plain := &net.Dialer{Timeout: connectTimeout, KeepAliveConfig: keepAlive}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := plain.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return connections.add(conn)
		},
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: connectTimeout,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true,
		MaxIdleConns:        8,
		IdleConnTimeout:     90 * time.Second,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: writeTimeout,
		},
	}
}
