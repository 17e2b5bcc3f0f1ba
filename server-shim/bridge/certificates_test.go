package bridge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"sync"
	"testing"
	"time"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

const (
	clusterName = "tp.example"
	serverName  = "74702e6578616d706c65.teleport.cluster.local"
	proxyALPN   = "teleport-auth@" + serverName
)

// authority signs certificates as Teleport's authorities do.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(t testing.TB, name pkix.Name) *authority {
	t.Helper()
	a := &authority{t: t, key: ecdsaKey(t)}
	a.cert = a.sign(&x509.Certificate{
		Subject: name, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, a.key.Public())
	return a
}

func ecdsaKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign fills in what a template leaves out, and signs it; an authority's first certificate is its own.
func (a *authority) sign(template *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	a.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = serial
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent := a.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return signed
}

func (a *authority) pool() *x509.CertPool {
	return pool([]*x509.Certificate{a.cert})
}

func (a *authority) pem() string {
	return pemOf("CERTIFICATE", a.cert.Raw)
}

// server is a certificate for servers.
func (a *authority) server(change func(*x509.Certificate)) tls.Certificate {
	a.t.Helper()
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "auth", Organization: []string{clusterName}},
		DNSNames:    []string{serverName, "teleport.cluster.local"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	key := ecdsaKey(a.t)
	return tls.Certificate{Certificate: [][]byte{a.sign(template, key.Public()).Raw}, PrivateKey: key}
}

// client are credentials of a Teleport user, with the authorities to trust.
func (a *authority) client(trust *authority, change func(*x509.Certificate)) *pb.Credentials {
	a.t.Helper()
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "access-plugin", Organization: []string{"access-plugin-role"}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	key, err := clientKey()
	if err != nil {
		a.t.Fatal(err)
	}
	return &pb.Credentials{
		Certificate:            pemOf("CERTIFICATE", a.sign(template, key.Public()).Raw),
		PrivateKey:             pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
		CertificateAuthorities: trust.pem(),
	}
}

// clientKey is of the kind that `tctl auth sign` writes. One will do for nearly all tests: making it is slow.
var clientKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func expired(template *x509.Certificate) {
	template.NotBefore, template.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
