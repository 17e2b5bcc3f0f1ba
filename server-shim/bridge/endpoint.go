package bridge

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

// errReplaced says that an endpoint is not to be used any more.
var errReplaced = errors.New("the endpoint was replaced")

// endpoint is one generation of the way to a cluster, with the connections to it.
type endpoint struct {
	transport http.RoundTripper
	// base is put before the path of a call.
	base *url.URL
	// web is true where the endpoint speaks gRPC-web itself.
	web bool
	// certificate is the client certificate; nil where there is none.
	certificate *x509.Certificate
	connections *connections
	// calls are those that are under way.
	calls *calls
	// worked is true once a call was answered.
	worked atomic.Bool
	// reason looks for the reason of a connection that broke before it carried anything; nil where that makes no sense.
	reason func() error
	// route is which way connections take; nil for a gateway.
	route *route
}

// newEndpoint prepares an endpoint; it does not connect.
func newEndpoint(request *pb.SetEndpointRequest) (*endpoint, error) {
	if request.GetCluster() == "" {
		return nil, errors.New("cluster is missing")
	}
	var e *endpoint
	var err error
	switch request.GetKind() {
	case pb.EndpointKind_ENDPOINT_KIND_TELEPORT:
		e, err = newTeleport(request)
	case pb.EndpointKind_ENDPOINT_KIND_GATEWAY:
		e, err = newGateway(request)
	default:
		err = errors.New("kind must be TELEPORT or GATEWAY")
	}
	if err != nil {
		return nil, err
	}
	// Calls on connections that are closed fail.
	e.calls = newCalls(e.connections.close)
	return e, nil
}

// url is the address of a call.
func (e *endpoint) url(path string) *url.URL {
	address := *e.base
	address.Path = strings.TrimSuffix(address.Path, "/") + path
	return &address
}

// newTeleport prepares the way to a Teleport auth server, or through a proxy to it.
func newTeleport(request *pb.SetEndpointRequest) (*endpoint, error) {
	host, port, err := net.SplitHostPort(request.GetAddress())
	if err != nil || host == "" || port == "" {
		return nil, fmt.Errorf("the address %q is not host:port", request.GetAddress())
	}
	if request.GetServerName() == "" {
		return nil, errors.New("server_name is missing")
	}
	certificate, err := parseCertificate(request.GetCredentials())
	if err != nil {
		return nil, err
	}
	authorities, err := parseAuthorities(request.GetCredentials())
	if err != nil {
		return nil, err
	}
	tlsConfig := &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: request.GetServerName(),
		RootCAs:    pool(authorities),
		NextProtos: request.GetAlpnProtocols(),
		// Offered whatever authorities the server names: it may name none that we know, and take it all the same.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil },
	}
	route, err := newRoute(request)
	if err != nil {
		return nil, err
	}
	d := &dialer{address: request.GetAddress(), tls: tlsConfig, connections: newConnections(), route: route}
	return &endpoint{
		transport:   newHTTP2(d),
		base:        &url.URL{Scheme: "https", Host: request.GetAddress()},
		certificate: certificate.Leaf,
		connections: d.connections,
		reason:      d.reason,
		route:       route,
	}, nil
}

// newGateway prepares the way to a gateway that speaks gRPC-web.
func newGateway(request *pb.SetEndpointRequest) (*endpoint, error) {
	base, err := url.Parse(request.GetAddress())
	if err != nil {
		return nil, fmt.Errorf("the address is not a URL: %w", err)
	}
	if (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("the address %q is not an http:// or https:// URL", request.GetAddress())
	}
	if base.RawQuery != "" || base.Fragment != "" || base.User != nil {
		return nil, errors.New("the address of a gateway has neither user, nor query, nor fragment")
	}
	e := &endpoint{base: base, web: true, connections: newConnections()}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	credentials := request.GetCredentials()
	if credentials.GetCertificate() != "" || credentials.GetPrivateKey() != "" {
		certificate, err := parseCertificate(credentials)
		if err != nil {
			return nil, err
		}
		e.certificate = certificate.Leaf
		tlsConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return certificate, nil
		}
	}
	if credentials.GetCertificateAuthorities() != "" {
		authorities, err := parseAuthorities(credentials)
		if err != nil {
			return nil, err
		}
		tlsConfig.RootCAs = pool(authorities)
	}
	e.transport = newWebTransport(tlsConfig, e.connections)
	return e, nil
}

func pool(certificates []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, certificate := range certificates {
		pool.AddCert(certificate)
	}
	return pool
}
