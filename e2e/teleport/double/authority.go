package double

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/gravitational/teleport/api/constants"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// authority is a certificate authority.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// authorities of a cluster: one signs the servers' certificates, one the users', and one is the web's, which no client of
// the API trusts.
type authorities struct {
	host, user, web *authority
	hostCertificate tls.Certificate
	webCertificate  tls.Certificate
}

// loadAuthorities reads the authorities from the folder, or makes them and keeps them there.
func loadAuthorities(dir, cluster string) (*authorities, error) {
	// As Teleport's: the subject is the cluster's name.
	subject := pkix.Name{CommonName: cluster, Organization: []string{cluster}}
	var a authorities
	for _, one := range []struct {
		name    string
		subject pkix.Name
		place   **authority
	}{
		{"host", subject, &a.host}, {"user", subject, &a.user},
		{"web", pkix.Name{CommonName: "localhost", Organization: []string{"Teleport OSS"}}, &a.web},
	} {
		made, err := loadAuthority(dir, one.name, one.subject)
		if err != nil {
			return nil, err
		}
		*one.place = made
	}
	// The auth server's certificate has neither address nor cluster name in it.
	names := []string{teleport.ServerName(cluster), constants.APIDomain, "*." + constants.APIDomain}
	var err error
	host := pkix.Name{CommonName: "00000000-0000-0000-0000-00000000d0be." + cluster, Organization: []string{"Auth"}}
	if a.hostCertificate, err = a.host.server(host, names, nil); err != nil {
		return nil, err
	}
	a.webCertificate, err = a.web.server(pkix.Name{CommonName: "localhost"}, []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)})
	return &a, err
}

func loadAuthority(dir, name string, subject pkix.Name) (*authority, error) {
	path := filepath.Join(dir, name+"-authority.pem")
	if dir != "" {
		content, err := os.ReadFile(path)
		if err == nil {
			return parseAuthority(path, content)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	made, err := newAuthority(subject)
	if err != nil || dir == "" {
		return made, err
	}
	key, err := x509.MarshalECPrivateKey(made.key)
	if err != nil {
		return nil, err
	}
	content := append(pemOf("EC PRIVATE KEY", key), made.pem()...)
	return made, os.WriteFile(path, content, 0o600)
}

func parseAuthority(path string, content []byte) (*authority, error) {
	keyBlock, rest := pem.Decode(content)
	certificateBlock, _ := pem.Decode(rest)
	if keyBlock == nil || certificateBlock == nil {
		return nil, fmt.Errorf("%s is no authority: delete the folder", path)
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(certificateBlock.Bytes)
	return &authority{certificate, key}, err
}

func newAuthority(subject pkix.Name) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certificate, err := sign(&x509.Certificate{
		Subject: subject, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().AddDate(10, 0, 0), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, nil, key.Public(), key)
	return &authority{certificate, key}, err
}

// sign makes a certificate; without an issuer it signs itself.
func sign(template, issuer *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	if issuer == nil {
		issuer = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func (a *authority) pem() []byte { return pemOf("CERTIFICATE", a.certificate.Raw) }

// server makes a certificate for a server, with its key.
func (a *authority) server(subject pkix.Name, names []string, addresses []net.IP) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	certificate, err := sign(&x509.Certificate{
		Subject: subject, DNSNames: names, IPAddresses: addresses, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.certificate, key.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{certificate.Raw, a.certificate.Raw}, PrivateKey: key, Leaf: certificate}, nil
}

func pemOf(kind string, content []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
}
