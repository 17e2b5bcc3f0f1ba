package double

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gravitational/teleport/api/identityfile"
	"golang.org/x/crypto/ssh"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// KeyKind is a kind of private key and how it is written.
type KeyKind int

const (
	// RSA in PKCS#1, as up to Teleport 16.
	RSA KeyKind = iota
	// ECDSA in PKCS#8, as since Teleport 17.
	ECDSA
	// Ed25519 in PKCS#8.
	Ed25519
)

// defaultTTL is how long signed credentials are good where nothing is said.
const defaultTTL = 12 * time.Hour

// Sign issues credentials for a user. A negative ttl makes credentials that have expired.
func (d *Double) Sign(_ context.Context, name string, ttl time.Duration) (*teleport.Credentials, error) {
	user, ok := d.state.user(name)
	if !ok {
		return nil, fmt.Errorf("user %q not found", name)
	}
	hasLogin := func(role *resource) bool { return len(role.Spec.Allow.Logins) > 0 }
	if d.version.loginsToSign() && !slices.ContainsFunc(d.state.rolesNamed(user.Spec.Roles), hasLogin) {
		return nil, errors.New("this user cannot create SSH sessions, has no allowed logins")
	}
	if ttl == 0 {
		ttl = defaultTTL
	}
	key, keyPEM, err := newKey(d.options.Keys)
	if err != nil {
		return nil, err
	}
	end := time.Now().Add(ttl)
	begin := time.Now().Add(-time.Minute)
	if end.Before(begin) {
		begin = end.Add(-time.Hour)
	}
	certificate, err := sign(&x509.Certificate{
		// As in Teleport's: the common name is the user, organizations are the roles.
		Subject: pkix.Name{CommonName: name, Organization: user.Spec.Roles}, NotBefore: begin, NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, d.authorities.user.certificate, key.Public(), d.authorities.user.key)
	if err != nil {
		return nil, err
	}
	signed := &teleport.Credentials{
		Certificate: string(pemOf("CERTIFICATE", certificate.Raw)), Key: string(keyPEM), Authorities: string(d.authorities.host.pem()),
	}
	ssh, known, err := d.signSSH(name, key.Public(), end)
	if err != nil {
		return nil, err
	}
	identity, err := identityfile.Encode(&identityfile.IdentityFile{
		PrivateKey: keyPEM, Certs: identityfile.Certs{SSH: ssh, TLS: []byte(signed.Certificate)},
		CACerts: identityfile.CACerts{SSH: [][]byte{known}, TLS: [][]byte{d.authorities.host.pem()}},
	})
	signed.Identity = string(identity)
	return signed, err
}

// signSSH makes the two SSH lines of an identity file: the user's certificate and the authority of the hosts.
func (d *Double) signSSH(name string, public crypto.PublicKey, end time.Time) (certificate, known []byte, err error) {
	signer, err := ssh.NewSignerFromSigner(d.authorities.user.key)
	if err != nil {
		return nil, nil, err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, nil, err
	}
	made := &ssh.Certificate{
		Key: key, CertType: ssh.UserCert, KeyId: name, ValidPrincipals: []string{"access-plugin"}, ValidBefore: uint64(end.Unix()),
	}
	if err := made.SignCert(rand.Reader, signer); err != nil {
		return nil, nil, err
	}
	host, err := ssh.NewPublicKey(d.authorities.host.key.Public())
	if err != nil {
		return nil, nil, err
	}
	line := fmt.Sprintf("@cert-authority %s,*.%s %s", d.Name(), d.Name(), ssh.MarshalAuthorizedKey(host))
	return ssh.MarshalAuthorizedKey(made), []byte(line), nil
}

func newKey(kind KeyKind) (crypto.Signer, []byte, error) {
	var key crypto.Signer
	var err error
	switch kind {
	case RSA:
		made, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, nil, err
		}
		return made, pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(made)), nil
	case ECDSA:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case Ed25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		return nil, nil, fmt.Errorf("there is no kind of key %d", kind)
	}
	if err != nil {
		return nil, nil, err
	}
	content, err := x509.MarshalPKCS8PrivateKey(key)
	return key, pemOf("PRIVATE KEY", content), err
}
