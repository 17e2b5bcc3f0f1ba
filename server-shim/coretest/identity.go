package coretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// Identity is an identity file as `tctl auth sign --format=file` writes it, as far as the plugin reads it: a key, its
// certificate, and the authority of the cluster "test".
func Identity(t testing.TB) string {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	certificate := func(name pkix.Name, authority bool) string {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: name, IsCA: authority, BasicConstraintsValid: true,
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		}
		raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		must(err)
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})) +
		certificate(pkix.Name{CommonName: "access-plugin"}, false) +
		certificate(pkix.Name{CommonName: "test", Organization: []string{"test"}}, true)
}
