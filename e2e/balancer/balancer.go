// Package balancer is a load balancer before a Teleport proxy, as clouds have them: it ends TLS with a certificate of its own, and
// passes HTTP/1.1 on, upgraded connections too.
package balancer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what load balancer to be. The zero value is one that most are like.
type Options struct {
	// Protocols are what it offers in the TLS handshake; nil means HTTP/2 and HTTP/1.1, and an empty list nothing at all.
	Protocols []string
	// Idle is how long nothing may pass a connection until it is cut; 0 means for ever.
	Idle time.Duration
	// NoUpgrades refuses upgraded connections.
	NoUpgrades bool
}

// Balancer is a running load balancer.
type Balancer struct {
	listener  net.Listener
	server    *http.Server
	authority []byte
	idle      time.Duration
	cuts      atomic.Int64

	mu       sync.Mutex
	upgrades map[string]int
}

// Start lets one serve before a proxy ("host:port").
func Start(proxy string, options Options) (*Balancer, error) {
	certificate, authority, err := certificates()
	if err != nil {
		return nil, err
	}
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if options.Protocols == nil {
		options.Protocols = []string{"h2", "http/1.1"}
	}
	b := &Balancer{authority: authority, idle: options.Idle, upgrades: map[string]int{}}
	b.listener = tls.NewListener(&watched{raw, b}, &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, NextProtos: options.Protocols,
	})
	quiet := log.New(io.Discard, "", 0)
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: proxy})
			r.Out.Host = r.In.Host
		},
		// Proxies behind load balancers have certificates that nobody has signed.
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		ErrorLog:  quiet,
	}
	b.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if kind := r.Header.Get("Upgrade"); kind != "" {
				b.mu.Lock()
				b.upgrades[kind]++
				b.mu.Unlock()
				if options.NoUpgrades {
					http.Error(w, "no upgrades here", http.StatusBadRequest)
					return
				}
			}
			forward.ServeHTTP(w, r)
		}),
		ErrorLog: quiet, ReadHeaderTimeout: 10 * time.Second,
		// Whatever it offers, it speaks HTTP/1.1: nobody who asks for an upgrade speaks anything else.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	go func() { _ = b.server.Serve(b.listener) }()
	return b, nil
}

// Address is its "host:port".
func (b *Balancer) Address() string { return b.listener.Addr().String() }

// Authority is the authority of its certificate, in PEM.
func (b *Balancer) Authority() string { return string(b.authority) }

// Upgrades is how often it was asked for an upgrade to this protocol.
func (b *Balancer) Upgrades(kind string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.upgrades[kind]
}

// Cuts is how many connections it has cut because they were idle.
func (b *Balancer) Cuts() int { return int(b.cuts.Load()) }

// Close ends it. Upgraded connections go on until one of their ends closes them.
func (b *Balancer) Close() { _ = b.server.Close() }

// watched is a listener whose connections are cut when they are idle.
type watched struct {
	net.Listener
	balancer *Balancer
}

func (w *watched) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &connection{Conn: conn, balancer: w.balancer}, nil
}

// connection is one that is cut when it is idle.
type connection struct {
	net.Conn
	balancer *Balancer
	cut      sync.Once
}

// alive puts the cut off.
func (c *connection) alive() {
	if c.balancer.idle > 0 {
		_ = c.SetDeadline(time.Now().Add(c.balancer.idle))
	}
}

// seen notes what came of a read or a write.
func (c *connection) seen(n int, err error) (int, error) {
	if c.balancer.idle > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		c.cut.Do(func() { c.balancer.cuts.Add(1) })
	} else if n > 0 {
		c.alive()
	}
	return n, err
}

func (c *connection) Read(into []byte) (int, error) { return c.seen(c.Conn.Read(into)) }

func (c *connection) Write(from []byte) (int, error) {
	c.alive()
	return c.seen(c.Conn.Write(from))
}

// certificates makes an authority, and a certificate of it for this machine.
func certificates() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Load balancers"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, authority, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pemOf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorityDER})
	return tls.Certificate{Certificate: [][]byte{serverDER}, PrivateKey: key}, pemOf, nil
}
