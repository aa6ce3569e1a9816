package pki

import (
	"crypto/tls"
	"path/filepath"
	"time"
)

// FrontProxyName is as whom this server asks servers that extend the API, on behalf of its own clients.
const FrontProxyName = "front-proxy-client"

const frontProxyLifetime = 365 * 24 * time.Hour

// ensureFrontProxy opens the authority by which extension servers know this one, and its certificate. It is another
// authority than the clients' own: otherwise whoever gets a client certificate with the right name could speak for
// everybody. The caller holds the lock.
func (a *Authority) ensureFrontProxy() error {
	if a.frontProxyCA == nil {
		ca, err := openNamedCA(a.dir, "front-proxy-ca", "keelson-front-proxy-ca", a.o.Now)
		if err != nil {
			return err
		}
		a.frontProxyCA = ca
	}
	pair, _, err := a.frontProxyCA.ensurePair(filepath.Join(a.dir, FrontProxyName), Subject{CommonName: FrontProxyName, Lifetime: frontProxyLifetime}, false)
	if err != nil {
		return err
	}
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return err
	}
	a.frontProxy.Store(&cert)
	return nil
}

// FrontProxy is the certificate that this server shows to extension servers; it is renewed as it ages.
func (a *Authority) FrontProxy() *tls.Certificate { return a.frontProxy.Load() }

// FrontProxyCA is the PEM bundle by which extension servers verify it.
func (a *Authority) FrontProxyCA() []byte { return a.frontProxyCA.Bundle }
