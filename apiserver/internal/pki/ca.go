package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	caLifetime = 10 * 365 * 24 * time.Hour
	// backdate lets a certificate be valid on machines whose clock is a little behind.
	backdate = 5 * time.Minute
)

// CA signs certificates.
type CA struct {
	// Cert is the certificate that signs; nil key means that it can only verify.
	Cert *x509.Certificate
	// Bundle is ca.crt as it is on disk: the signing certificate, and others while rotating.
	Bundle []byte
	// Pool holds every certificate of Bundle.
	Pool *x509.CertPool
	key  crypto.Signer
	now  func() time.Time
}

// Subject says what a leaf certificate is for.
type Subject struct {
	// CommonName is the user name of a client.
	CommonName string
	// Organizations are the groups of a client.
	Organizations []string
	// DNSNames and IPs are what a server is called; clients need none.
	DNSNames []string
	IPs      []net.IP
	// Server asks for a serving certificate, otherwise it is a client's.
	Server bool
	// Lifetime from now.
	Lifetime time.Duration
}

// openCA loads the authority of dir, or makes one where there is none. The caller holds the lock.
func openCA(dir string, now func() time.Time) (*CA, error) {
	return openNamedCA(dir, "ca", "keelson-ca", now)
}

// openNamedCA is openCA for the files base+".crt" and base+".key".
func openNamedCA(dir, base, commonName string, now func() time.Time) (*CA, error) {
	certPath, keyPath := filepath.Join(dir, base+".crt"), filepath.Join(dir, base+".key")
	bundle, err := os.ReadFile(certPath)
	switch {
	case err == nil:
		return loadCA(bundle, keyPath, now)
	case !os.IsNotExist(err):
		return nil, err
	}
	// Without a certificate nothing was ever signed: a key that is already there is what a crash left of a first start.
	key, _, _, err := loadOrMakeKey(keyPath)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now().Add(-backdate),
		NotAfter:              now().Add(caLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	bundle = encodeCert(der)
	if err := writeFile(certPath, bundle, modePublic); err != nil {
		return nil, err
	}
	return loadCA(bundle, keyPath, now)
}

// loadCA reads an existing authority; its key may be missing as long as nothing is to be signed.
func loadCA(bundle []byte, keyPath string, now func() time.Time) (*CA, error) {
	certs, err := parseCerts(bundle)
	if err != nil {
		return nil, fmt.Errorf("ca.crt: %w", err)
	}
	ca := &CA{Bundle: bundle, Pool: x509.NewCertPool(), now: now}
	for _, c := range certs {
		ca.Pool.AddCert(c)
	}
	data, err := os.ReadFile(keyPath)
	if os.IsNotExist(err) {
		ca.Cert = certs[0]
		return ca, nil
	}
	if err != nil {
		return nil, err
	}
	if ca.key, err = parseKey(data); err != nil {
		return nil, fmt.Errorf("ca.key: %w", err)
	}
	for _, c := range certs {
		if sameKey(c.PublicKey, ca.key.Public()) {
			ca.Cert = c
			return ca, nil
		}
	}
	return nil, errors.New("ca.key belongs to no certificate of ca.crt: restore the pair that the cluster was started with")
}

// sign issues a certificate for a key that the subject keeps.
func (ca *CA) sign(s Subject, key crypto.PublicKey) ([]byte, error) {
	if ca.key == nil {
		return nil, errors.New("a certificate has to be signed but ca.key is missing: restore it, or supply the certificate")
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	notAfter := ca.now().Add(s.Lifetime)
	if notAfter.After(ca.Cert.NotAfter) {
		notAfter = ca.Cert.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: s.CommonName, Organization: s.Organizations},
		NotBefore:             ca.now().Add(-backdate),
		NotAfter:              notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		DNSNames:              s.DNSNames,
		IPAddresses:           s.IPs,
	}
	if s.Server {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Cert, key, ca.key)
	if err != nil {
		return nil, err
	}
	return encodeCert(der), nil
}

func newSerial() (*big.Int, error) {
	// 127 bits: positive and at most 16 octets, so that every implementation takes it.
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// parseCerts reads all certificates of PEM data; none is an error.
func parseCerts(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for rest := bytes.TrimSpace(data); len(rest) > 0; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, errors.New("no PEM certificate found")
	}
	return certs, nil
}
