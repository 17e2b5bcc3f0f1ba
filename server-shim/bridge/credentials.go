package bridge

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

// credentialError says what keeps credentials from being usable.
type credentialError struct {
	problem pb.CredentialProblem
	err     error
}

func (e *credentialError) Error() string { return e.err.Error() }
func (e *credentialError) Unwrap() error { return e.err }

// inspect tells what credentials are, as far as they can be read.
func inspect(credentials *pb.Credentials) *pb.InspectCredentialsResponse {
	answer := &pb.InspectCredentialsResponse{}
	note := func(err error) {
		var problem *credentialError
		if errors.As(err, &problem) && answer.Problem == pb.CredentialProblem_CREDENTIAL_PROBLEM_NONE {
			answer.Problem, answer.Detail = problem.problem, problem.Error()
		}
	}
	certificate, err := parseCertificate(credentials)
	note(err)
	if certificate != nil {
		answer.User = certificate.Leaf.Subject.CommonName
		answer.NotBefore = certificate.Leaf.NotBefore.Unix()
		answer.NotAfter = certificate.Leaf.NotAfter.Unix()
	}
	authorities, err := parseAuthorities(credentials)
	note(err)
	for _, authority := range authorities {
		// A Teleport authority carries its cluster's name as organization and as common name.
		name := authority.Subject.CommonName
		if len(authority.Subject.Organization) > 0 {
			name = authority.Subject.Organization[0]
		}
		if name != "" && !slices.Contains(answer.Clusters, name) {
			answer.Clusters = append(answer.Clusters, name)
		}
	}
	return answer
}

// parseCertificate reads the client certificate and its key. Where only the key is at fault, the certificate comes with
// the error.
func parseCertificate(credentials *pb.Credentials) (*tls.Certificate, error) {
	chain, err := parseChain(credentials.GetCertificate())
	if err != nil {
		return nil, &credentialError{pb.CredentialProblem_CREDENTIAL_PROBLEM_CERTIFICATE, err}
	}
	certificate := &tls.Certificate{Leaf: chain[0]}
	for _, link := range chain {
		certificate.Certificate = append(certificate.Certificate, link.Raw)
	}
	key, err := parseKey(credentials.GetPrivateKey())
	if err != nil {
		return certificate, &credentialError{pb.CredentialProblem_CREDENTIAL_PROBLEM_PRIVATE_KEY, err}
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(chain[0].PublicKey) {
		return certificate, &credentialError{
			pb.CredentialProblem_CREDENTIAL_PROBLEM_KEY_MISMATCH,
			errors.New("the private key belongs to another certificate"),
		}
	}
	certificate.PrivateKey = key
	return certificate, nil
}

// parseAuthorities reads the certificates to trust.
func parseAuthorities(credentials *pb.Credentials) ([]*x509.Certificate, error) {
	authorities, err := parseChain(credentials.GetCertificateAuthorities())
	if err != nil {
		return nil, &credentialError{pb.CredentialProblem_CREDENTIAL_PROBLEM_AUTHORITIES, err}
	}
	return authorities, nil
}

// parseChain reads all certificates of a PEM text; there must be one at least.
func parseChain(text string) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, certificate)
	}
	if len(chain) == 0 {
		return nil, errors.New("there is no PEM block of the type CERTIFICATE")
	}
	return chain, nil
}

// parseKey reads the first private key of a PEM text, of any kind that Teleport writes.
func parseKey(text string) (crypto.Signer, error) {
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("there is no PEM block with a private key")
		}
		var key any
		var err error
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return nil, errors.New("the private key is protected by a passphrase")
		case block.Type == "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case block.Type == "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case block.Type == "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("a %T cannot sign", key)
		}
		return signer, nil
	}
}
