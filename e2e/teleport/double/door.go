package double

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// handshakeTimeout bounds a TLS handshake.
const handshakeTimeout = 10 * time.Second

// door is one port.
type door struct {
	double   *Double
	listener net.Listener
	mu       sync.Mutex
	// conns are the open connections.
	conns map[*gated]struct{}
	// closed refuses further ones.
	closed bool
}

// open listens at the address; empty means a free port on loopback.
func (d *Double) open(address string) (*door, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	// A port that was just given up may take a moment.
	var listener net.Listener
	var err error
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if listener, err = net.Listen("tcp", address); err == nil {
			return &door{double: d, listener: listener, conns: map[*gated]struct{}{}}, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("cannot listen at %s: %w", address, err)
		}
	}
}

func (o *door) address() string { return o.listener.Addr().String() }

// accept lets connections in and hands them on after the handshake: to the calls, or, where the TLS configuration says
// so, to the web pages.
func (o *door) accept(config func(*bool) *tls.Config, calls, pages *queue) {
	defer calls.Close()
	if pages != nil {
		defer pages.Close()
	}
	for {
		raw, err := o.listener.Accept()
		if err != nil {
			return
		}
		conn := &gated{Conn: raw, door: o}
		o.mu.Lock()
		if o.closed {
			o.mu.Unlock()
			_ = raw.Close()
			return
		}
		o.conns[conn] = struct{}{}
		o.mu.Unlock()
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
			defer cancel()
			o.admit(ctx, conn, config, calls, pages)
		}()
	}
}

// admit does the TLS handshake, and hands the connection on.
func (o *door) admit(ctx context.Context, conn net.Conn, config func(*bool) *tls.Config, calls, pages *queue) {
	toPages := false
	secure := tls.Server(conn, config(&toPages))
	if err := secure.HandshakeContext(ctx); err != nil {
		o.double.log("handshake with %s: %v", conn.RemoteAddr(), err)
		_ = conn.Close()
		return
	}
	to := calls
	if toPages {
		to = pages
	}
	if !to.push(secure) {
		_ = conn.Close()
	}
}

// cut resets all open connections.
func (o *door) cut() {
	o.mu.Lock()
	conns := make([]*gated, 0, len(o.conns))
	for conn := range o.conns {
		conns = append(conns, conn)
	}
	o.mu.Unlock()
	for _, conn := range conns {
		if tcp, ok := conn.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}

func (o *door) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	_ = o.listener.Close()
	o.cut()
}

// gated is a connection that a fault can freeze: then bytes go neither in nor out, and nobody is told.
type gated struct {
	net.Conn
	door *door
	once sync.Once
}

func (g *gated) Read(into []byte) (int, error) {
	n, err := g.Conn.Read(into)
	g.door.double.Faults.waitThawed()
	return n, err
}

func (g *gated) Write(from []byte) (int, error) {
	g.door.double.Faults.waitThawed()
	return g.Conn.Write(from)
}

func (g *gated) Close() error {
	g.once.Do(func() {
		g.door.mu.Lock()
		delete(g.door.conns, g)
		g.door.mu.Unlock()
	})
	return g.Conn.Close()
}

// authTLS is the auth server's configuration. A missing client certificate is let in, and may do next to nothing.
func (d *Double) authTLS(*bool) *tls.Config {
	clients := x509.NewCertPool()
	clients.AddCert(d.authorities.user.certificate)
	clients.AddCert(d.authorities.host.certificate)
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{d.authorities.hostCertificate},
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clients, NextProtos: []string{"h2"},
	}
}

// proxyTLS is the proxy's configuration: the first protocol that the client offers says who is meant. The session of a
// client that means the auth server is the auth server's own.
func (d *Double) proxyTLS(toPages *bool) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if !d.version.tlsRouting() {
				*toPages = true
				return d.webTLS(), nil
			}
			meant := slices.IndexFunc(hello.SupportedProtos, func(protocol string) bool {
				return protocol == "h2" || protocol == "http/1.1" || protocol == "teleport-auth@"+teleport.ServerName(d.Name())
			})
			if meant >= 0 && hello.SupportedProtos[meant] != "h2" && hello.SupportedProtos[meant] != "http/1.1" {
				return d.authTLS(nil), nil
			}
			*toPages = true
			pages := d.webTLS()
			// For agents, of which the double has none; by it clients tell a proxy from a load balancer.
			pages.NextProtos = append(pages.NextProtos, "teleport-reversetunnel")
			return pages, nil
		},
	}
}

// webTLS is the configuration of the proxy's web side.
func (d *Double) webTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{d.authorities.webCertificate}, NextProtos: []string{"h2", "http/1.1"},
	}
}

// queue is a listener whose connections are pushed in.
type queue struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newQueue(addr net.Addr) *queue {
	return &queue{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

func (q *queue) push(conn net.Conn) bool {
	select {
	case q.conns <- conn:
		return true
	case <-q.done:
		return false
	}
}

// Accept implements net.Listener.
func (q *queue) Accept() (net.Conn, error) {
	select {
	case conn := <-q.conns:
		return conn, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (q *queue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

// Addr implements net.Listener.
func (q *queue) Addr() net.Addr { return q.addr }

// handshaken takes connections whose TLS handshake is over.
type handshaken struct{}

func (handshaken) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return nil, nil, fmt.Errorf("%T is no TLS connection", conn)
	}
	return conn, credentials.TLSInfo{
		State: secure.ConnectionState(), CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}, nil
}

func (handshaken) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, fmt.Errorf("these credentials are a server's")
}

func (handshaken) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

func (h handshaken) Clone() credentials.TransportCredentials { return h }

func (handshaken) OverrideServerName(string) error { return nil }

// ServerTLS is the auth server's TLS configuration, for tests that put something else in its place.
func (d *Double) ServerTLS() *tls.Config { return d.authTLS(nil) }
