package authn

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"sync"
	"time"
	"weak"

	"github.com/keelson/keelson/proto/pipeline/identity"
)

// maxCached bounds how many certificates are remembered: more than a cluster has nodes and people at a time.
const maxCached = 8192

// certificates turns client certificates into users. Verifying a chain costs a tenth of a millisecond and happens once
// a certificate; after that a look-up by its hash, and for further requests on the same connection by its address.
type certificates struct {
	roots *x509.CertPool
	now   func() time.Time

	mu    sync.RWMutex
	known map[[sha256.Size]byte]*certUser
	// parsed are the same by the certificates themselves, which TLS parses once for all connections that use them.
	parsed map[weak.Pointer[x509.Certificate]]*certUser
}

type certUser struct {
	user *identity.User
	// from and until are the narrowest of the chain's.
	from, until time.Time
}

func newCertificates(roots *x509.CertPool, now func() time.Time) *certificates {
	return &certificates{roots: roots, now: now, known: make(map[[sha256.Size]byte]*certUser),
		parsed: make(map[weak.Pointer[x509.Certificate]]*certUser)}
}

// user returns who a verified certificate belongs to. chain[0] is the certificate that the peer has proven to hold.
func (c *certificates) user(chain []*x509.Certificate) (*identity.User, error) {
	now, at := c.now(), weak.Make(chain[0])
	c.mu.RLock()
	known := c.parsed[at]
	c.mu.RUnlock()
	if known.valid(now) {
		return known.user, nil
	}
	sum := sha256.Sum256(chain[0].Raw)
	c.mu.RLock()
	known = c.known[sum]
	c.mu.RUnlock()
	if !known.valid(now) {
		var err error
		if known, err = c.verify(chain, now, sum); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxCached || len(c.parsed) >= maxCached {
		clear(c.known) // rare, and cheap to fill again
		clear(c.parsed)
	}
	c.known[sum], c.parsed[at] = known, known
	return known.user, nil
}

func (u *certUser) valid(now time.Time) bool {
	return u != nil && !now.Before(u.from) && !now.After(u.until)
}

func (c *certificates) verify(chain []*x509.Certificate, now time.Time, sum [sha256.Size]byte) (*certUser, error) {
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	verified, err := chain[0].Verify(x509.VerifyOptions{
		Roots: c.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, err
	}
	subject := chain[0].Subject
	if subject.CommonName == "" {
		return nil, errNoName
	}
	u := &certUser{from: chain[0].NotBefore, until: chain[0].NotAfter}
	for _, cert := range verified[0] {
		if cert.NotBefore.After(u.from) {
			u.from = cert.NotBefore
		}
		if cert.NotAfter.Before(u.until) {
			u.until = cert.NotAfter
		}
	}
	groups := make([]string, 0, len(subject.Organization)+1)
	groups = append(append(groups, subject.Organization...), identity.GroupAuthenticated)
	u.user = &identity.User{
		Name: subject.CommonName, Groups: groups,
		Extra: map[string][]string{"authentication.kubernetes.io/credential-id": {"X509SHA256=" + hex.EncodeToString(sum[:])}},
	}
	return u, nil
}
