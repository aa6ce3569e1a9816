package pki

import (
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"slices"
	"time"
)

// Pair is a certificate with its key, in PEM.
type Pair struct {
	Cert, Key []byte
	// Leaf is the parsed certificate.
	Leaf *x509.Certificate
}

// ensurePair returns the certificate and key at base+".crt" and base+".key", and signs the key anew where the
// certificate is missing, unreadable, not ours, lacks a wanted name, is for somebody else, or has used up two thirds
// of its life; or, with always, in any case. changed tells whether it did.
func (ca *CA) ensurePair(base string, s Subject, always bool) (p Pair, changed bool, err error) {
	key, keyPEM, _, err := loadOrMakeKey(base + ".key")
	if err != nil {
		// A leaf's key is nobody's memory: a broken one is replaced.
		signer, data, kerr := newKey()
		if kerr != nil {
			return Pair{}, false, kerr
		}
		if werr := writeFile(base+".key", data, modeSecret); werr != nil {
			return Pair{}, false, fmt.Errorf("%w (replacing it failed: %w)", err, werr)
		}
		key, keyPEM = signer, data
	}
	if data, err := os.ReadFile(base + ".crt"); err == nil {
		if always {
			// Signed below.
		} else if certs, err := parseCerts(data); err == nil && sameKey(certs[0].PublicKey, key.Public()) && ca.fits(certs[0], s) {
			return Pair{Cert: data, Key: keyPEM, Leaf: certs[0]}, false, nil
		}
	} else if !os.IsNotExist(err) {
		return Pair{}, false, err
	}
	data, err := ca.sign(s, key.Public())
	if err != nil {
		return Pair{}, false, fmt.Errorf("%s.crt: %w", base, err)
	}
	if err := writeFile(base+".crt", data, modePublic); err != nil {
		return Pair{}, false, err
	}
	certs, err := parseCerts(data)
	if err != nil {
		return Pair{}, false, err
	}
	return Pair{Cert: data, Key: keyPEM, Leaf: certs[0]}, true, nil
}

// Issue signs a new certificate for a new key and writes neither.
func (ca *CA) Issue(s Subject) (Pair, error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return Pair{}, err
	}
	data, err := ca.sign(s, key.Public())
	if err != nil {
		return Pair{}, err
	}
	certs, err := parseCerts(data)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Cert: data, Key: keyPEM, Leaf: certs[0]}, nil
}

// fits tells whether an existing certificate can go on serving as s.
func (ca *CA) fits(c *x509.Certificate, s Subject) bool {
	usage := x509.ExtKeyUsageClientAuth
	if s.Server {
		usage = x509.ExtKeyUsageServerAuth
	}
	_, err := c.Verify(x509.VerifyOptions{Roots: ca.Pool, CurrentTime: ca.now(), KeyUsages: []x509.ExtKeyUsage{usage}})
	if err != nil || ca.now().After(renewAt(c)) {
		return false
	}
	if c.Subject.CommonName != s.CommonName || !sameSet(c.Subject.Organization, s.Organizations) {
		return false
	}
	// More names than wanted are no reason: addresses come and go with links, and each change would be a new certificate.
	for _, name := range s.DNSNames {
		if !slices.Contains(c.DNSNames, name) {
			return false
		}
	}
	for _, ip := range s.IPs {
		if !slices.ContainsFunc(c.IPAddresses, func(have net.IP) bool { return have.Equal(ip) }) {
			return false
		}
	}
	return true
}

// sameSet compares without regard to order, which DER's sets do not keep.
func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// renewAt is when two thirds of a certificate's life are over.
func renewAt(c *x509.Certificate) time.Time {
	life := c.NotAfter.Sub(c.NotBefore)
	return c.NotBefore.Add(life / 3 * 2)
}
