package bridge

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

func TestCredentialsAreReadWithoutConnecting(t *testing.T) {
	root := newAuthority(t, pkix.Name{CommonName: "tp.example", Organization: []string{"tp.example"}})
	leaf := newAuthority(t, pkix.Name{CommonName: "leaf.example"})
	good := root.client(root, nil)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	otherKey := pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(other))
	half := func(text string) string { return text[:len(text)/2] }
	pkcs8 := func() *pb.Credentials {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		certificate := root.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "access-plugin"}}, key.Public())
		return &pb.Credentials{
			Certificate: pemOf("CERTIFICATE", certificate.Raw), PrivateKey: pemOf("PRIVATE KEY", der),
			CertificateAuthorities: root.pem(),
		}
	}
	with := func(change func(*pb.Credentials)) *pb.Credentials {
		credentials := &pb.Credentials{
			Certificate: good.Certificate, PrivateKey: good.PrivateKey, CertificateAuthorities: good.CertificateAuthorities,
		}
		change(credentials)
		return credentials
	}
	const (
		none        = pb.CredentialProblem_CREDENTIAL_PROBLEM_NONE
		certificate = pb.CredentialProblem_CREDENTIAL_PROBLEM_CERTIFICATE
		key         = pb.CredentialProblem_CREDENTIAL_PROBLEM_PRIVATE_KEY
		mismatch    = pb.CredentialProblem_CREDENTIAL_PROBLEM_KEY_MISMATCH
		authorities = pb.CredentialProblem_CREDENTIAL_PROBLEM_AUTHORITIES
	)
	for name, test := range map[string]struct {
		credentials *pb.Credentials
		problem     pb.CredentialProblem
		user        string
		clusters    []string
	}{
		"good ones":             {good, none, "access-plugin", []string{"tp.example"}},
		"a key of another kind": {pkcs8(), none, "access-plugin", []string{"tp.example"}},
		"several authorities": {with(func(c *pb.Credentials) {
			c.CertificateAuthorities = root.pem() + leaf.pem() + root.pem()
		}), none, "access-plugin", []string{"tp.example", "leaf.example"}},
		"text around the blocks": {with(func(c *pb.Credentials) {
			c.Certificate = "\r\nhello\n" + c.Certificate + "bye"
		}), none, "access-plugin", []string{"tp.example"}},
		"nothing":            {&pb.Credentials{}, certificate, "", nil},
		"half a certificate": {with(func(c *pb.Credentials) { c.Certificate = half(c.Certificate) }), certificate, "", []string{"tp.example"}},
		"garbage in a block": {with(func(c *pb.Credentials) { c.Certificate = pemOf("CERTIFICATE", []byte("garbage")) }), certificate, "", []string{"tp.example"}},
		"no key":             {with(func(c *pb.Credentials) { c.PrivateKey = "" }), key, "access-plugin", []string{"tp.example"}},
		"half a key":         {with(func(c *pb.Credentials) { c.PrivateKey = half(c.PrivateKey) }), key, "access-plugin", []string{"tp.example"}},
		"garbage as a key":   {with(func(c *pb.Credentials) { c.PrivateKey = pemOf("RSA PRIVATE KEY", []byte("garbage")) }), key, "access-plugin", []string{"tp.example"}},
		"a key with a passphrase": {with(func(c *pb.Credentials) {
			c.PrivateKey = pemOf("ENCRYPTED PRIVATE KEY", []byte("secret"))
		}), key, "access-plugin", []string{"tp.example"}},
		"another key":         {with(func(c *pb.Credentials) { c.PrivateKey = otherKey }), mismatch, "access-plugin", []string{"tp.example"}},
		"no authorities":      {with(func(c *pb.Credentials) { c.CertificateAuthorities = "" }), authorities, "access-plugin", nil},
		"garbage authorities": {with(func(c *pb.Credentials) { c.CertificateAuthorities += pemOf("CERTIFICATE", nil) }), authorities, "access-plugin", nil},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := New(&discard{}).InspectCredentials(context.Background(), connect.NewRequest(test.credentials))
			if err != nil {
				t.Fatal(err)
			}
			got := response.Msg
			if got.GetProblem() != test.problem || (got.GetDetail() == "") != (test.problem == none) {
				t.Errorf("the problem is %v: %q", got.GetProblem(), got.GetDetail())
			}
			if got.GetUser() != test.user || !slices.Equal(got.GetClusters(), test.clusters) {
				t.Errorf("user %q, clusters %q", got.GetUser(), got.GetClusters())
			}
			now := time.Now().Unix()
			if test.user != "" && (got.GetNotBefore() >= now || got.GetNotAfter() <= now) {
				t.Errorf("valid from %d to %d", got.GetNotBefore(), got.GetNotAfter())
			}
		})
	}
}
