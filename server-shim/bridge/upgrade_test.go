package bridge

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/gobwas/ws"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

// described is what the bridge tells of its way.
func (c *core) described() *pb.DescribeEndpointResponse {
	c.t.Helper()
	described, err := c.bridge.DescribeEndpoint(context.Background(),
		connect.NewRequest(&pb.DescribeEndpointRequest{Cluster: clusterName}))
	if err != nil {
		c.t.Fatal(err)
	}
	return described.Msg
}

// goes fails the test unless calls get through by this way.
func (c *core) goes(route pb.Route) {
	c.t.Helper()
	large := strings.Repeat("x", 1<<20)
	for _, value := range []string{"hello", large} {
		response, err := c.echo(value)
		if err != nil || response.Msg.GetValue() != value {
			c.t.Fatalf("%d bytes: %v", len(value), err)
		}
	}
	if got := c.described().GetRoute(); got != route {
		c.t.Errorf("the way is %v, not %v", got, route)
	}
}

func TestABalancerThatEndsTLSIsPassedByTheConnectionUpgrade(t *testing.T) {
	offers := map[string]func(*tls.Config){
		"HTTP/2":             nil,
		"HTTP/1.1 only":      func(config *tls.Config) { config.NextProtos = []string{"http/1.1"} },
		"no protocol at all": func(config *tls.Config) { config.NextProtos = nil },
		"its own name only": func(config *tls.Config) {
			config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				if strings.HasSuffix(hello.ServerName, ".teleport.cluster.local") {
					return nil, errors.New("no such name here")
				}
				return nil, nil
			}
		},
	}
	for name, change := range offers {
		for _, mode := range []pb.ConnectionUpgrade{auto, always} {
			t.Run(fmt.Sprintf("%s, %v", name, mode), func(t *testing.T) {
				tp := startTeleport(t, nil)
				b := startBalancer(t, tp.address, change)
				c := newCore(t)
				c.set(b.endpoint(tp, mode))
				if got := c.described().GetRoute(); got != pb.Route_ROUTE_UNSPECIFIED {
					t.Errorf("before the first call the way is %v", got)
				}
				c.goes(pb.Route_ROUTE_WEBSOCKET)
				if b.count("alpn-ping") != 0 {
					t.Error("it was asked for the earlier form, too")
				}
				// A proxy before 15.1.
				b.webSocket.Store(false)
				c.set(b.endpoint(tp, mode))
				c.goes(pb.Route_ROUTE_LEGACY)
			})
		}
	}
}

func TestTheWayIsFoundAnewWhenWhatIsInBetweenChanges(t *testing.T) {
	tp := startTeleport(t, nil)
	b := startBalancer(t, tp.address, nil)
	b.webSocket.Store(false)
	c := newCore(t)
	c.set(b.endpoint(tp, auto))
	c.goes(pb.Route_ROUTE_LEGACY)
	// The call ends when the connection is known to be gone.
	again := func() {
		t.Helper()
		stream := c.stream(context.Background(), "Wait", "now")
		defer func() { _ = stream.Close() }()
		if !stream.Receive() {
			t.Fatal(stream.Err())
		}
		_ = (<-b.upgraded).Close()
		for stream.Receive() {
		}
	}
	before := b.count("websocket")
	again()
	c.goes(pb.Route_ROUTE_LEGACY)
	if b.count("websocket") != before {
		t.Error("what worked was not tried first")
	}
	// The proxy is updated to one that has given the earlier form up.
	b.webSocket.Store(true)
	b.legacy.Store(false)
	again()
	c.goes(pb.Route_ROUTE_WEBSOCKET)
	// The balancer is taken away, and Teleport has its address.
	address := b.Listener.Addr().String()
	again()
	b.Close()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			here, err := listener.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", tp.address)
			if err != nil {
				t.Error(err)
				return
			}
			go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
			go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
		}
	}()
	c.goes(pb.Route_ROUTE_DIRECT)
}

func TestSignsOfLifeOfTheProxyAreAnswered(t *testing.T) {
	tp := startTeleport(t, nil)
	b := startBalancer(t, tp.address, nil)
	// The first one comes together with the answer to the upgrade.
	var welcome bytes.Buffer
	_ = ws.WriteFrame(&welcome, ws.NewPingFrame([]byte("welcome")))
	b.welcome = welcome.Bytes()
	c := newCore(t)
	c.set(b.endpoint(tp, always))
	c.goes(pb.Route_ROUTE_WEBSOCKET)
	conn := <-b.upgraded
	wants := []string{"welcome", "teleport", "", strings.Repeat("p", 125)}
	for _, payload := range wants[1:] {
		var ping bytes.Buffer
		_ = ws.WriteFrame(&ping, ws.NewPingFrame([]byte(payload)))
		if err := conn.write(ping.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range wants {
		select {
		case got := <-conn.pongs:
			if got != want {
				t.Errorf("the answer is %q, not %q", got, want)
			}
		case <-time.After(soon):
			t.Fatal("there was no answer")
		}
	}
	c.goes(pb.Route_ROUTE_WEBSOCKET)
}

func TestWhatIsNoStreamOfBytesEndsTheConnectionAndNothingElse(t *testing.T) {
	masked := ws.MaskFrameInPlace(ws.NewBinaryFrame([]byte("x")))
	reserved := ws.NewBinaryFrame([]byte("x"))
	reserved.Header.Rsv = ws.Rsv(true, false, false)
	longPing := ws.NewPingFrame(make([]byte, 126))
	for name, frame := range map[string]ws.Frame{
		"the end":                         ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusGoingAway, "bye")),
		"a text":                          ws.NewTextFrame([]byte("x")),
		"a masked frame":                  masked,
		"a compressed frame":              reserved,
		"a sign of life that is too long": longPing,
		"the rest of nothing":             ws.NewFrame(ws.OpContinuation, true, []byte("x")),
		"other bytes than Teleport's":     ws.NewBinaryFrame([]byte("something that is no record of TLS, and long enough")),
	} {
		t.Run(name, func(t *testing.T) {
			tp := startTeleport(t, nil)
			b := startBalancer(t, tp.address, nil)
			c := newCore(t)
			c.set(b.endpoint(tp, auto))
			stream := c.stream(context.Background(), "Wait", "now")
			defer func() { _ = stream.Close() }()
			if !stream.Receive() {
				t.Fatal(stream.Err())
			}
			var bytes bytes.Buffer
			_ = ws.WriteFrame(&bytes, frame)
			if err := (<-b.upgraded).write(bytes.Bytes()); err != nil {
				t.Fatal(err)
			}
			for stream.Receive() {
				t.Errorf("got %v, too", stream.Msg())
			}
			if got := failure(stream.Err()); got != "broken" && got != "not_tls" {
				t.Errorf("the failure is %q: %v", got, stream.Err())
			}
			c.goes(pb.Route_ROUTE_WEBSOCKET)
		})
	}
}

// Whatever is in between carries bytes: who answers must prove to be the cluster, as on the straight way.
func TestABalancerIsTrustedForNothing(t *testing.T) {
	tp := startTeleport(t, nil)
	for name, test := range map[string]struct {
		want  string
		start func(t *testing.T) *balancer
	}{
		"it leads to another cluster": {"unknown_authority", func(t *testing.T) *balancer {
			return startBalancer(t, startTeleport(t, nil).address, nil)
		}},
		"it plays Teleport itself, with the certificate that is trusted outside": {"server_name", func(t *testing.T) *balancer {
			b := startBalancer(t, "", nil)
			pretender := startTeleport(t, func(config *tls.Config) {
				config.Certificates = []tls.Certificate{b.authority.server(func(template *x509.Certificate) {
					template.DNSNames = []string{"teleport.example"}
				})}
			})
			b.teleport = pretender.address
			return b
		}},
		"it plays Teleport itself, with a certificate of Teleport's name": {"unknown_authority", func(t *testing.T) *balancer {
			b := startBalancer(t, "", nil)
			b.teleport = startTeleport(t, func(config *tls.Config) {
				config.Certificates = []tls.Certificate{b.authority.server(nil)}
			}).address
			return b
		}},
	} {
		for _, mode := range []pb.ConnectionUpgrade{auto, always} {
			t.Run(fmt.Sprintf("%s, %v", name, mode), func(t *testing.T) {
				c := newCore(t)
				c.set(test.start(t).endpoint(tp, mode))
				if _, err := c.echo("hello"); failure(err) != test.want {
					t.Errorf("the failure is %q: %v", failure(err), err)
				}
				if got := c.described().GetRoute(); got != pb.Route_ROUTE_UNSPECIFIED {
					t.Errorf("the way is %v", got)
				}
			})
		}
	}
	// The other way round: what is trusted inside counts for nothing outside.
	t.Run("the cluster's authority is not the balancer's", func(t *testing.T) {
		b := startBalancer(t, tp.address, nil)
		endpoint := b.endpoint(tp, always)
		endpoint.LoadBalancerAuthorities = tp.host.pem()
		c := newCore(t)
		c.set(endpoint)
		if _, err := c.echo("hello"); failure(err) != "load_balancer_certificate" {
			t.Errorf("the failure is %q: %v", failure(err), err)
		}
		if b.count("websocket")+b.count("alpn-ping") != 0 {
			t.Error("it was asked for an upgrade")
		}
	})
}

func TestWhereABalancerCannotBePassedTheFailureSaysSo(t *testing.T) {
	tp := startTeleport(t, nil)
	trusting := func(t *testing.T, change func(*tls.Config)) *balancer { return startBalancer(t, tp.address, change) }
	for name, test := range map[string]struct {
		want  string
		words []string
		make  func(t *testing.T) *pb.SetEndpointRequest
	}{
		"the upgrade is not wanted": {"load_balancer", nil, func(t *testing.T) *pb.SetEndpointRequest {
			return trusting(t, nil).endpoint(tp, never)
		}},
		"nothing is said of it": {"load_balancer", nil, func(t *testing.T) *pb.SetEndpointRequest {
			return trusting(t, nil).endpoint(tp, pb.ConnectionUpgrade_CONNECTION_UPGRADE_UNSPECIFIED)
		}},
		"there is no upgrade": {"upgrade_refused", []string{"404 Not Found"}, func(t *testing.T) *pb.SetEndpointRequest {
			b := trusting(t, nil)
			b.webSocket.Store(false)
			b.legacy.Store(false)
			return b.endpoint(tp, auto)
		}},
		"it is always to be used, and there is none": {"upgrade_refused", []string{"404 Not Found"}, func(t *testing.T) *pb.SetEndpointRequest {
			b := trusting(t, nil)
			b.webSocket.Store(false)
			b.legacy.Store(false)
			return b.endpoint(tp, always)
		}},
		"the certificate is not the system's": {"load_balancer_certificate", []string{"unknown authority"}, func(t *testing.T) *pb.SetEndpointRequest {
			endpoint := trusting(t, nil).endpoint(tp, auto)
			endpoint.LoadBalancerAuthorities = ""
			return endpoint
		}},
		"the certificate has expired": {"load_balancer_certificate", []string{"expired"}, func(t *testing.T) *pb.SetEndpointRequest {
			var b *balancer
			b = trusting(t, func(config *tls.Config) {
				config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
					certificate := b.authority.server(func(template *x509.Certificate) {
						template.DNSNames, template.IPAddresses = nil, []net.IP{net.IPv4(127, 0, 0, 1)}
						expired(template)
					})
					return &certificate, nil
				}
				config.Certificates = nil
			})
			return b.endpoint(tp, auto)
		}},
		"another WebSocket": {"upgrade_refused", []string{"not Teleport's"}, func(t *testing.T) *pb.SetEndpointRequest {
			b := trusting(t, nil)
			b.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _, _, _ = ws.UpgradeHTTP(r, w)
			})
			return b.endpoint(tp, auto)
		}},
		"a proxy without TLS routing": {"upgrade_refused", []string{"101 Switching Protocols and then"}, func(t *testing.T) *pb.SetEndpointRequest {
			return startBalancer(t, listen(t, func(net.Conn) {}), nil).endpoint(tp, auto)
		}},
		"a proxy that does not know the cluster": {"upgrade_refused", []string{"101 Switching Protocols and then"}, func(t *testing.T) *pb.SetEndpointRequest {
			config := &tls.Config{Certificates: []tls.Certificate{tp.host.server(nil)}, NextProtos: []string{"http/1.1"}}
			other := listen(t, func(conn net.Conn) { _ = tls.Server(conn, config).Handshake() })
			return startBalancer(t, other, nil).endpoint(tp, always)
		}},
		"something that is not HTTP": {"upgrade_refused", []string{"not HTTP"}, func(t *testing.T) *pb.SetEndpointRequest {
			b := trusting(t, nil)
			b.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if here, _, err := w.(http.Hijacker).Hijack(); err == nil {
					_, _ = io.WriteString(here, "220 <b>mail</b> @all\r\n")
					_ = here.Close()
				}
			})
			return b.endpoint(tp, auto)
		}},
		"the end of the connection": {"upgrade_refused", []string{"EOF"}, func(t *testing.T) *pb.SetEndpointRequest {
			b := trusting(t, nil)
			b.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			return b.endpoint(tp, auto)
		}},
		"an answer without end": {"upgrade_refused", nil, func(t *testing.T) *pb.SetEndpointRequest {
			b := trusting(t, nil)
			b.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for {
					w.Header().Add("X-More", strings.Repeat("x", 1000))
					if len(w.Header()["X-More"]) > 500 {
						return
					}
				}
			})
			return b.endpoint(tp, auto)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCore(t)
			c.set(test.make(t))
			for range 2 {
				_, err := c.echo("hello")
				if failure(err) != test.want {
					t.Errorf("the failure is %q: %v", failure(err), err)
				}
				if strings.Contains(err.Error(), "@all") {
					t.Errorf("what the server says is repeated: %v", err)
				}
				for _, word := range test.words {
					if !strings.Contains(err.Error(), word) {
						t.Errorf("no %q in: %v", word, err)
					}
				}
			}
		})
	}
	request := tp.endpoint()
	request.LoadBalancerAuthorities = "nothing"
	_, err := newCore(t).bridge.SetEndpoint(context.Background(), connect.NewRequest(request))
	if connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), "load balancer") {
		t.Errorf("an authority that is none: %v", err)
	}
}

func TestABalancerThatFallsSilentIsGivenUp(t *testing.T) {
	tp := startTeleport(t, nil)
	b := startBalancer(t, tp.address, nil)
	stuck := make(chan struct{})
	b.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck })
	defer close(stuck)
	c := newCore(t)
	c.set(b.endpoint(tp, always))
	if _, err := c.echo("hello"); failure(err) != "unreachable" {
		t.Errorf("the failure is %q: %v", failure(err), err)
	}
}

func TestAForgottenEndpointClosesUpgradedConnectionsToo(t *testing.T) {
	tp := startTeleport(t, nil)
	b := startBalancer(t, tp.address, nil)
	c := newCore(t)
	c.set(b.endpoint(tp, auto))
	stream := c.stream(context.Background(), "Wait", "now")
	defer func() { _ = stream.Close() }()
	if !stream.Receive() {
		t.Fatal(stream.Err())
	}
	there := <-tp.waiting
	forget := connect.NewRequest(&pb.ForgetEndpointRequest{Cluster: clusterName})
	if _, err := c.bridge.ForgetEndpoint(context.Background(), forget); err != nil {
		t.Fatal(err)
	}
	select {
	case <-there.Done():
	case <-time.After(soon):
		t.Error("the connection is still open")
	}
	if got := c.described(); got.GetRoute() != pb.Route_ROUTE_UNSPECIFIED {
		t.Errorf("it is still described as %v", got)
	}
}

func TestTheSystemsAuthoritiesCountWhereNoneIsGiven(t *testing.T) {
	tp := startTeleport(t, nil)
	b := startBalancerOf(t, system, tp.address, nil)
	endpoint := b.endpoint(tp, auto)
	endpoint.LoadBalancerAuthorities = ""
	c := newCore(t)
	c.set(endpoint)
	c.goes(pb.Route_ROUTE_WEBSOCKET)
	// One that is given takes their place.
	endpoint.LoadBalancerAuthorities = newAuthority(t, pkix.Name{CommonName: "another"}).pem()
	c.set(endpoint)
	if _, err := c.echo("hello"); failure(err) != "load_balancer_certificate" {
		t.Errorf("the failure is %q: %v", failure(err), err)
	}
}
