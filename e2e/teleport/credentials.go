package teleport

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Credentials are what `tctl auth sign` writes, all PEM.
type Credentials struct {
	// Certificate is auth.crt: the client certificate.
	Certificate string `json:"certificate"`
	// Key is auth.key: its private key.
	Key string `json:"key"`
	// Authorities is auth.cas: the cluster's host certificate authority.
	Authorities string `json:"authorities"`
	// Identity is the same as an identity file.
	Identity string `json:"identity"`
}

// Write puts the files auth.crt, auth.key, auth.cas and identity into a folder.
func (c *Credentials) Write(dir string) error {
	files := map[string]string{"auth.crt": c.Certificate, "auth.key": c.Key, "auth.cas": c.Authorities, "identity": c.Identity}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// ServerName is the name in the certificate of a cluster's auth server.
func ServerName(cluster string) string {
	return hex.EncodeToString([]byte(cluster)) + ".teleport.cluster.local"
}

// TLS makes a client's configuration for the auth server of a cluster.
func (c *Credentials) TLS(cluster string) (*tls.Config, error) {
	certificate, err := tls.X509KeyPair([]byte(c.Certificate), []byte(c.Key))
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM([]byte(c.Authorities)) {
		return nil, errors.New("there is no certificate authority")
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, RootCAs: authorities,
		ServerName: ServerName(cluster), NextProtos: []string{"h2"},
	}, nil
}

// Parts takes an identity file apart: key, client certificate and authorities, in this order.
func Parts(identity string) (*Credentials, error) {
	var blocks []string
	for rest := []byte(identity); ; {
		block, more := pem.Decode(rest)
		if block == nil {
			break
		}
		blocks, rest = append(blocks, string(pem.EncodeToMemory(block))), more
	}
	if len(blocks) < 3 {
		return nil, fmt.Errorf("an identity file holds a key, a certificate and authorities, this one has %d PEM blocks", len(blocks))
	}
	return &Credentials{Key: blocks[0], Certificate: blocks[1], Authorities: strings.Join(blocks[2:], ""), Identity: identity}, nil
}

// ParseCertificate parses the first certificate of a PEM text.
func ParseCertificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("there is no PEM block")
	}
	return x509.ParseCertificate(block.Bytes)
}
