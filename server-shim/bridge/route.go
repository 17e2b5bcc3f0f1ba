package bridge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/net/http/httpproxy"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

const (
	// probeTimeout bounds how long it takes to find out whether something else than Teleport ends TLS.
	probeTimeout = 5 * time.Second
	// probeProtocol is one that every Teleport proxy with TLS routing knows, and nothing else does.
	probeProtocol = "teleport-reversetunnel"
	// teleportsNames is how the names end that Teleport's servers have certificates for.
	teleportsNames = ".teleport.cluster.local"
	// alertNoApplicationProtocol is the TLS alert of a server that knows none of the offered protocols.
	alertNoApplicationProtocol = 120
)

// route is which way connections take: straight, or through a load balancer that ends TLS before Teleport's proxy.
type route struct {
	mode pb.ConnectionUpgrade
	// address is the "host:port" that is dialed.
	address string
	// outer is how TLS is done with the load balancer.
	outer *tls.Config
	// taken is the pb.Route of the last connection that was made.
	taken atomic.Int32
}

// newRoute reads which way connections are to take. The address is "host:port".
func newRoute(request *pb.SetEndpointRequest) (*route, error) {
	host, _, err := net.SplitHostPort(request.GetAddress())
	if err != nil {
		return nil, err
	}
	r := &route{
		mode:    request.GetConnectionUpgrade(),
		address: request.GetAddress(),
		outer:   &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host},
	}
	if text := request.GetLoadBalancerAuthorities(); text != "" {
		authorities, err := parseAuthorities(&pb.Credentials{CertificateAuthorities: text})
		if err != nil {
			return nil, fmt.Errorf("the load balancer's certificate authority: %w", err)
		}
		r.outer.RootCAs = pool(authorities)
	}
	return r, nil
}

// balancerError says that something else than Teleport ends TLS, while there is to be no connection upgrade.
type balancerError struct {
	straight error
}

func (e *balancerError) Error() string {
	return "something else than Teleport ends TLS: " + e.straight.Error()
}

func (e *balancerError) Unwrap() error { return e.straight }

// balancerCertificateError says that the certificate of the load balancer is not trusted.
type balancerCertificateError struct {
	verification error
}

func (e *balancerCertificateError) Error() string { return e.verification.Error() }

func (e *balancerCertificateError) Unwrap() error { return e.verification }

// take makes a connection to Teleport over the way that is set, or that works.
func (r *route) take(ctx context.Context, d *dialer) (*tls.Conn, error) {
	if r.mode == pb.ConnectionUpgrade_CONNECTION_UPGRADE_ALWAYS {
		return r.upgraded(ctx, d)
	}
	automatic := r.mode == pb.ConnectionUpgrade_CONNECTION_UPGRADE_AUTO
	if automatic && r.wasUpgraded() {
		if conn, err := r.upgraded(ctx, d); err == nil || ctx.Err() != nil {
			return conn, err
		}
		// What is in between may have changed.
	}
	straight, err := r.straight(ctx, d)
	if err == nil || !mayBeABalancers(err) || !r.somethingElseEndsTLS(ctx, d) {
		return straight, err
	}
	if !automatic {
		return nil, &balancerError{err}
	}
	return r.upgraded(ctx, d)
}

// straight connects to what must be Teleport itself.
func (r *route) straight(ctx context.Context, d *dialer) (*tls.Conn, error) {
	raw, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := d.secure(ctx, raw)
	if err == nil {
		r.taken.Store(int32(pb.Route_ROUTE_DIRECT))
	}
	return conn, err
}

func (r *route) wasUpgraded() bool {
	taken := pb.Route(r.taken.Load())
	return taken == pb.Route_ROUTE_WEBSOCKET || taken == pb.Route_ROUTE_LEGACY
}

// mayBeABalancers tells whether a failure of the straight way is one that a load balancer in between makes.
func mayBeABalancers(err error) bool {
	switch classify(err, nil) {
	case pb.Failure_FAILURE_UNKNOWN_AUTHORITY, pb.Failure_FAILURE_SERVER_NAME, pb.Failure_FAILURE_SERVER_EXPIRED,
		pb.Failure_FAILURE_PROTOCOL, pb.Failure_FAILURE_BROKEN:
		return !isOfTeleport(err)
	default:
		return false
	}
}

// isOfTeleport tells whether a certificate that was not trusted is one that some Teleport cluster has made for its servers.
func isOfTeleport(err error) bool {
	var verification *tls.CertificateVerificationError
	return errors.As(err, &verification) && names(verification.UnverifiedCertificates)
}

func names(certificates []*x509.Certificate) bool {
	if len(certificates) == 0 {
		return false
	}
	for _, name := range certificates[0].DNSNames {
		if strings.HasSuffix(name, teleportsNames) {
			return true
		}
	}
	return false
}

// somethingElseEndsTLS tells whether what answers does not know a protocol that every Teleport proxy with TLS routing knows, and
// is no other server of Teleport's either.
func (r *route) somethingElseEndsTLS(ctx context.Context, d *dialer) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	state, err := r.probe(ctx, d, probeProtocol)
	if err == nil {
		return state.NegotiatedProtocol == "" && !names(state.PeerCertificates)
	}
	code, refused := alert(err)
	// crypto/tls has no type for the second one.
	if code != alertNoApplicationProtocol && (refused || !strings.Contains(err.Error(), "unadvertised ALPN protocol")) {
		return false
	}
	// An auth server does not know the protocol, either. It is known by its certificate.
	state, err = r.probe(ctx, d)
	return err != nil || !names(state.PeerCertificates)
}

// probe looks how the server does TLS where these protocols are offered.
func (r *route) probe(ctx context.Context, d *dialer, protocols ...string) (tls.ConnectionState, error) {
	raw, err := d.connect(ctx)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	conn := tls.Client(raw, &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: r.outer.ServerName,
		NextProtos: protocols,
		// Nothing is sent over this connection, and all that it tells is which way is tried next.
		InsecureSkipVerify: true,
	})
	defer func() { _ = conn.Close() }()
	err = conn.HandshakeContext(ctx)
	return conn.ConnectionState(), err
}

// proxyFor is the proxy that the environment names for an address; nil where it names none.
func proxyFor(address string) (*url.URL, error) {
	proxy, err := httpproxy.FromEnvironment().ProxyFunc()(&url.URL{Scheme: "https", Host: address})
	if err != nil {
		// Not the parser's words: they repeat the whole of it, and there may be a password in it.
		return nil, errors.New("the environment's HTTPS_PROXY makes no sense")
	}
	return proxy, nil
}

// DescribeEndpoint tells which way the connections to a cluster take.
func (b *Bridge) DescribeEndpoint(
	_ context.Context, request *connect.Request[pb.DescribeEndpointRequest],
) (*connect.Response[pb.DescribeEndpointResponse], error) {
	response := &pb.DescribeEndpointResponse{}
	endpoint, end := b.begin(request.Msg.GetCluster())
	if endpoint == nil {
		return connect.NewResponse(response), nil
	}
	defer end()
	if endpoint.route != nil {
		response.Route = pb.Route(endpoint.route.taken.Load())
		if proxy, err := proxyFor(endpoint.route.address); err == nil && proxy != nil {
			response.Proxy = proxy.Host
		}
	}
	return connect.NewResponse(response), nil
}
