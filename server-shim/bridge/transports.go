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
	"time"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/http2"
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
	conn, err := d.handshake(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errConnectTimeout) {
		return nil, fmt.Errorf("%w: %w", errConnectTimeout, err)
	}
	return conn, err
}

func (d *dialer) handshake(ctx context.Context) (*tls.Conn, error) {
	raw, err := dialTCP(ctx, d.address)
	if err != nil {
		return nil, err
	}
	kept, err := d.connections.add(raw)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(kept, d.tls)
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

// dialTCP connects to an address, through the proxy that the environment names for it, if it names one that speaks
// plain HTTP, as nearly all do.
func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	plain := &net.Dialer{KeepAliveConfig: keepAlive}
	proxy, err := httpproxy.FromEnvironment().ProxyFunc()(&url.URL{Scheme: "https", Host: address})
	if err != nil {
		return nil, fmt.Errorf("the environment's HTTPS_PROXY makes no sense: %w", err)
	}
	if proxy == nil || proxy.Scheme != "http" {
		return plain.DialContext(ctx, "tcp", address)
	}
	port := proxy.Port()
	if port == "" {
		port = "80"
	}
	conn, err := plain.DialContext(ctx, "tcp", net.JoinHostPort(proxy.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("the proxy %s: %w", proxy.Host, err)
	}
	if err := tunnel(ctx, conn, proxy, address); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("the proxy %s: %w", proxy.Host, err)
	}
	return conn, nil
}

// proxyError is a proxy's refusal.
type proxyError struct {
	status string
}

func (e *proxyError) Error() string { return "it answers " + e.status }

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
		return &proxyError{response.Status}
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
