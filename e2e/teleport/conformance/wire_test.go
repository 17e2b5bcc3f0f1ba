package conformance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/identityfile"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// shake makes a TLS handshake at the address and answers what was agreed.
func shake(ctx context.Context, address string, config *tls.Config) (tls.ConnectionState, error) {
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState(), nil
}

func TestTheProxyRoutesByTheFirstProtocolThatIsOffered(t *testing.T) {
	onBoth(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		signed, err := cluster.Sign(ctx, teleport.PluginUser, 0)
		if err != nil {
			t.Fatal(err)
		}
		toAuth := "teleport-auth@" + teleport.ServerName(cluster.Name())
		with := func(protocols ...string) *tls.Config {
			config, err := signed.TLS(cluster.Name())
			if err != nil {
				t.Fatal(err)
			}
			config.NextProtos = protocols
			return config
		}
		agreed, err := shake(ctx, cluster.ProxyAddress(), with(toAuth, "h2"))
		if err != nil || agreed.NegotiatedProtocol != "h2" {
			t.Errorf("the auth server behind the proxy: got %q, %v", agreed.NegotiatedProtocol, err)
		}
		if _, err = shake(ctx, cluster.ProxyAddress(), with(toAuth)); err == nil || !strings.Contains(err.Error(), "no application protocol") {
			t.Errorf("without h2: got %v", err)
		}
		var unknown x509.UnknownAuthorityError
		var name x509.HostnameError
		if _, err = shake(ctx, cluster.ProxyAddress(), with("h2", toAuth)); !errors.As(err, &unknown) && !errors.As(err, &name) {
			t.Errorf("with h2 first: got %v, want the web's certificate", err)
		}
		agreed, err = shake(ctx, cluster.AuthAddress(), with(toAuth, "h2"))
		if err != nil || agreed.NegotiatedProtocol != "h2" {
			t.Errorf("the auth server itself: got %q, %v", agreed.NegotiatedProtocol, err)
		}
		plain := with("h2")
		plain.ServerName = "teleport.cluster.local"
		if _, err = shake(ctx, cluster.AuthAddress(), plain); err != nil {
			t.Errorf("by the name that all clusters share: %v", err)
		}
		plain.ServerName = cluster.Name()
		if _, err = shake(ctx, cluster.AuthAddress(), plain); !errors.As(err, &name) {
			t.Errorf("by the cluster's name: got %v, want a name that is not in the certificate", err)
		}
	})
}

func TestTheProxyTellsWhoItIs(t *testing.T) {
	onBoth(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		// The web's certificate signs itself, as on a new server.
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: 10 * time.Second}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+cluster.ProxyAddress()+"/webapi/ping", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var answer struct {
			ClusterName   string `json:"cluster_name"`
			ServerVersion string `json:"server_version"`
			Proxy         struct {
				TLSRouting bool `json:"tls_routing_enabled"`
			} `json:"proxy"`
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		if answer.ClusterName != cluster.Name() || answer.ServerVersion != cluster.Version() || !answer.Proxy.TLSRouting {
			t.Errorf("got %+v", answer)
		}
	})
}

func TestAClientWithoutACertificateGetsNoFurtherThanPing(t *testing.T) {
	onEvery(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		signed, err := cluster.Sign(ctx, teleport.PluginUser, 0)
		if err != nil {
			t.Fatal(err)
		}
		config, err := signed.TLS(cluster.Name())
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = nil
		connection, err := grpc.NewClient("passthrough:///"+cluster.AuthAddress(), grpc.WithTransportCredentials(credentials.NewTLS(config)), grpc.WithNoProxy())
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		auth := proto.NewAuthServiceClient(connection)
		if _, err := auth.Ping(ctx, &proto.PingRequest{}); err != nil {
			t.Errorf("Ping: %v", err)
		}
		_, err = auth.SetAccessRequestState(ctx, &proto.RequestStateSetter{ID: "x", State: 2})
		denied(t, cluster, err, types.VerbUpdate, types.KindAccessRequest)
	})
}

func TestACertificateOfAnotherClusterIsTurnedAwayInTheHandshake(t *testing.T) {
	onEvery(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		signed, err := cluster.Sign(ctx, teleport.PluginUser, 0)
		if err != nil {
			t.Fatal(err)
		}
		foreign, err := other(cluster).Sign(ctx, teleport.PluginUser, 0)
		if err != nil {
			t.Fatal(err)
		}
		signed.Certificate, signed.Key = foreign.Certificate, foreign.Key
		config, err := signed.TLS(cluster.Name())
		if err != nil {
			t.Fatal(err)
		}
		// Go leaves out a certificate that is from none of the authorities that the server names; here it is sent all the same.
		certificate := config.Certificates[0]
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
		connection, err := grpc.NewClient("passthrough:///"+cluster.AuthAddress(), grpc.WithTransportCredentials(credentials.NewTLS(config)), grpc.WithNoProxy())
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		_, err = proto.NewAuthServiceClient(connection).Ping(ctx, &proto.PingRequest{})
		says(t, err, codes.Unavailable, "")
	})
}

func TestAnIdentityFileHoldsTheSameAsTheThreeFiles(t *testing.T) {
	onEvery(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		signed, err := cluster.Sign(ctx, teleport.PluginUser, 0)
		if err != nil {
			t.Fatal(err)
		}
		official, err := identityfile.FromString(signed.Identity)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := teleport.Parts(signed.Identity)
		if err != nil {
			t.Fatal(err)
		}
		if string(official.PrivateKey) != parts.Key || string(official.Certs.TLS) != parts.Certificate || len(official.CACerts.SSH) == 0 {
			t.Error("the parts are not what Teleport's own reader finds")
		}
		if parts.Authorities != signed.Authorities {
			t.Errorf("the authorities are\n%s, want\n%s", parts.Authorities, signed.Authorities)
		}
		if !strings.HasPrefix(signed.Key, "-----BEGIN RSA PRIVATE KEY-----") {
			t.Error("the key is not RSA in PKCS#1")
		}
		certificate, err := tls.X509KeyPair([]byte(parts.Certificate), []byte(parts.Key))
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(certificate.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if leaf.Subject.CommonName != teleport.PluginUser || len(leaf.Subject.Organization) != 1 || leaf.Subject.Organization[0] != "access-plugin" {
			t.Errorf("the certificate's subject is %s", leaf.Subject)
		}
	})
}

func TestTheAuthoritysSubjectNamesTheCluster(t *testing.T) {
	onEvery(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		signed, err := cluster.Sign(ctx, teleport.PluginUser, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := teleport.ParseCertificate(signed.Authorities)
		if err != nil {
			t.Fatal(err)
		}
		if parsed.Subject.CommonName != cluster.Name() || len(parsed.Subject.Organization) != 1 || parsed.Subject.Organization[0] != cluster.Name() {
			t.Errorf("got %s", parsed.Subject)
		}
	})
}
