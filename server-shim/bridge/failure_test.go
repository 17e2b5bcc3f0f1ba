package bridge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

// listen accepts connections for the time of the test.
func listen(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		close(ended)
		_ = listener.Close()
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				serve(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// noNames makes all names unknown for the time of the test.
func noNames(t *testing.T) {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		query := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			// A response, to a recursive query: no such name.
			binary.BigEndian.PutUint16(query[2:], 0x8183)
			_, _ = server.WriteTo(query[:n], from)
		}
	}()
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		_ = server.Close()
	})
}

func TestEveryFailureToReachTeleportIsToldApart(t *testing.T) {
	cluster := pkix.Name{CommonName: clusterName, Organization: []string{clusterName}}
	stranger := newAuthority(t, cluster)
	serverTLS := func(change func(*tls.Config)) func(*testing.T) *pb.SetEndpointRequest {
		return func(t *testing.T) *pb.SetEndpointRequest { return startTeleport(t, change).endpoint() }
	}
	at := func(address func(*testing.T) string) func(*testing.T) *pb.SetEndpointRequest {
		return func(t *testing.T) *pb.SetEndpointRequest {
			return &pb.SetEndpointRequest{
				Cluster: clusterName, Kind: pb.EndpointKind_ENDPOINT_KIND_TELEPORT, Address: address(t),
				ServerName: serverName, AlpnProtocols: []string{"h2"}, Credentials: stranger.client(stranger, nil),
			}
		}
	}
	// behindTLS serves whatever comes after a handshake in which everything was right.
	behindTLS := func(serve func(net.Conn)) func(*testing.T) *pb.SetEndpointRequest {
		return at(func(t *testing.T) string {
			config := &tls.Config{Certificates: []tls.Certificate{stranger.server(nil)}, NextProtos: []string{"h2"}}
			return listen(t, func(conn net.Conn) { serve(tls.Server(conn, config)) })
		})
	}
	credentialsOf := func(version uint16, user func(*teleport) *pb.Credentials) func(*testing.T) *pb.SetEndpointRequest {
		return func(t *testing.T) *pb.SetEndpointRequest {
			tp := startTeleport(t, func(config *tls.Config) { config.MaxVersion = version })
			endpoint := tp.endpoint()
			endpoint.Credentials = user(tp)
			return endpoint
		}
	}
	strangers := func(tp *teleport) *pb.Credentials { return stranger.client(tp.host, nil) }
	old := func(tp *teleport) *pb.Credentials { return tp.user.client(tp.host, expired) }

	for name, test := range map[string]struct {
		want     string
		endpoint func(*testing.T) *pb.SetEndpointRequest
	}{
		"an unknown name": {"name", at(func(t *testing.T) string {
			noNames(t)
			return "teleport.example:3025"
		})},
		"a closed port": {"refused", at(func(t *testing.T) string {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			_ = listener.Close()
			return listener.Addr().String()
		})},
		"a server that says nothing": {"unreachable", at(func(t *testing.T) string {
			return listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
		})},
		"a server of another cluster": {"unknown_authority", func(t *testing.T) *pb.SetEndpointRequest {
			endpoint := startTeleport(t, nil).endpoint()
			endpoint.Credentials.CertificateAuthorities = stranger.pem()
			return endpoint
		}},
		"a certificate with other names": {"server_name", func(t *testing.T) *pb.SetEndpointRequest {
			endpoint := startTeleport(t, nil).endpoint()
			endpoint.ServerName = "6f74686572.teleport.cluster.local"
			return endpoint
		}},
		"a server whose certificate has expired": {"server_expired", func(t *testing.T) *pb.SetEndpointRequest {
			var host *authority
			tp := startTeleport(t, func(config *tls.Config) {
				host = newAuthority(t, cluster)
				config.Certificates = []tls.Certificate{host.server(expired)}
			})
			endpoint := tp.endpoint()
			endpoint.Credentials.CertificateAuthorities = host.pem()
			return endpoint
		}},
		"a certificate that is not a server's": {"unknown_authority", func(t *testing.T) *pb.SetEndpointRequest {
			var host *authority
			tp := startTeleport(t, func(config *tls.Config) {
				host = newAuthority(t, cluster)
				config.Certificates = []tls.Certificate{host.server(func(template *x509.Certificate) {
					template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
				})}
			})
			endpoint := tp.endpoint()
			endpoint.Credentials.CertificateAuthorities = host.pem()
			return endpoint
		}},
		"a plain HTTP server": {"not_tls", at(func(t *testing.T) string {
			server := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(server.Close)
			return server.Listener.Addr().String()
		})},
		"an SSH server": {"not_tls", at(func(t *testing.T) string {
			return listen(t, func(conn net.Conn) {
				_, _ = io.WriteString(conn, "SSH-2.0-Teleport\r\n")
				_, _ = io.Copy(io.Discard, conn)
			})
		})},
		"a server without HTTP/2": {"protocol", at(func(t *testing.T) string {
			config := &tls.Config{Certificates: []tls.Certificate{stranger.server(nil)}, NextProtos: []string{"http/1.1"}}
			return listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, tls.Server(conn, config)) })
		})},
		"a server that chooses no protocol": {"protocol", at(func(t *testing.T) string {
			config := &tls.Config{Certificates: []tls.Certificate{stranger.server(nil)}}
			return listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, tls.Server(conn, config)) })
		})},
		"a server with TLS 1.1 only": {"protocol", serverTLS(func(config *tls.Config) {
			config.MinVersion, config.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
		})},
		"a certificate that TLS 1.3 refuses": {"certificate_refused", credentialsOf(tls.VersionTLS13, strangers)},
		"a certificate that TLS 1.2 refuses": {"certificate_refused", credentialsOf(tls.VersionTLS12, strangers)},
		"an old certificate in TLS 1.3":      {"certificate_expired", credentialsOf(tls.VersionTLS13, old)},
		"an old certificate in TLS 1.2":      {"certificate_expired", credentialsOf(tls.VersionTLS12, old)},
		"an old certificate of another authority": {"certificate_expired", credentialsOf(tls.VersionTLS13,
			func(tp *teleport) *pb.Credentials { return stranger.client(tp.host, expired) })},
		"a web page over HTTP/2": {"not_grpc", at(func(t *testing.T) string {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = io.WriteString(w, "<html>")
			}))
			server.TLS = &tls.Config{Certificates: []tls.Certificate{stranger.server(nil)}}
			server.EnableHTTP2 = true
			server.StartTLS()
			t.Cleanup(server.Close)
			return server.Listener.Addr().String()
		})},
		"a server that hangs up at once": {"broken", at(func(t *testing.T) string {
			return listen(t, func(net.Conn) {})
		})},
		"a server that hangs up after the handshake": {"broken", behindTLS(func(conn net.Conn) {
			_ = conn.(*tls.Conn).Handshake()
		})},
		"a server that does not speak HTTP/2 after all": {"broken", behindTLS(func(conn net.Conn) {
			_, _ = io.WriteString(conn, "220 mail.example ESMTP and much more text than a frame's head has\r\n")
			_, _ = io.Copy(io.Discard, conn)
		})},
	} {
		t.Run(name, func(t *testing.T) {
			c, endpoint := newCore(t), test.endpoint(t)
			// None of these is a load balancer, whether one is looked for or not.
			for _, mode := range []pb.ConnectionUpgrade{
				pb.ConnectionUpgrade_CONNECTION_UPGRADE_NEVER, pb.ConnectionUpgrade_CONNECTION_UPGRADE_AUTO,
			} {
				endpoint.ConnectionUpgrade = mode
				c.set(endpoint)
				// The second time may find things that the first one left.
				for range 2 {
					if _, err := c.echo("hello"); failure(err) != test.want {
						t.Errorf("%v: the failure is %q, not %q: %v", mode, failure(err), test.want, err)
					}
				}
			}
		})
	}
	t.Run("no endpoint", func(t *testing.T) {
		if _, err := newCore(t).echo("hello"); failure(err) != "no_endpoint" {
			t.Errorf("the failure is %q", failure(err))
		}
	})
}
