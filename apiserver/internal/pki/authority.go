package pki

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	serverLifetime    = 90 * 24 * time.Hour
	componentLifetime = 365 * 24 * time.Hour
	adminLifetime     = 365 * 24 * time.Hour
	// recheck is how often a running server looks whether its host got new addresses.
	recheck = time.Hour
)

// Options say where the files are and what the server is called.
type Options struct {
	// DataDir is the API server's data directory; required.
	DataDir string
	// AdvertiseAddress is the address that clients are told to use. Empty: 127.0.0.1.
	AdvertiseAddress string
	// ExtraNames are further names and addresses of the serving certificate.
	ExtraNames []string
	// ServiceRange is the range of service addresses, whose first one is the API server's. Optional.
	ServiceRange netip.Prefix
	// ClusterDomain is the DNS suffix of services. Empty: cluster.local.
	ClusterDomain string
	// RESTPort is the port in admin.kubeconfig. 0: 6443.
	RESTPort int
	// Logger is told what is issued. Nil: nothing is logged.
	Logger *zap.Logger
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// HostAddresses lists the addresses of this machine. Nil: those of its links.
	HostAddresses func() []net.IP
}

// Authority holds the cluster's authority and the server's own credentials.
type Authority struct {
	// CA signs and verifies certificates.
	CA *CA

	o       Options
	dir     string
	serving atomic.Pointer[tls.Certificate]

	frontProxyCA *CA
	frontProxy   atomic.Pointer[tls.Certificate]

	saKey crypto.Signer
	saPub []crypto.PublicKey
}

// Open loads everything below the data directory and makes what is missing, expired or no longer fitting.
func Open(o Options) (*Authority, error) {
	o.setDefaults()
	dir := filepath.Join(o.DataDir, "pki")
	if err := os.MkdirAll(dir, modeDir); err != nil {
		return nil, err
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	for _, d := range []string{o.DataDir, dir} {
		if err := removeLeftovers(d); err != nil {
			return nil, err
		}
	}
	a := &Authority{o: o, dir: dir}
	if a.CA, err = openCA(dir, o.Now); err != nil {
		return nil, err
	}
	if err := a.openServiceAccountKeys(); err != nil {
		return nil, err
	}
	if err := a.ensureCertificates(); err != nil {
		return nil, err
	}
	return a, nil
}

func (o *Options) setDefaults() {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ClusterDomain == "" {
		o.ClusterDomain = "cluster.local"
	}
	if o.RESTPort == 0 {
		o.RESTPort = 6443
	}
	if o.HostAddresses == nil {
		o.HostAddresses = hostAddresses
	}
}

// openServiceAccountKeys loads or makes the signing key and keeps its public half in sa.pub.
func (a *Authority) openServiceAccountKeys() error {
	key, _, _, err := loadOrMakeKey(filepath.Join(a.dir, "sa.key"))
	if err != nil {
		return err
	}
	a.saKey, a.saPub = key, []crypto.PublicKey{key.Public()}
	path := filepath.Join(a.dir, "sa.pub")
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	known, err := parsePublicKeys(data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	listed := false
	for _, k := range known {
		if sameKey(k, key.Public()) {
			listed = true
			continue
		}
		a.saPub = append(a.saPub, k)
	}
	if listed {
		return nil
	}
	own, err := encodePublicKey(key.Public())
	if err != nil {
		return err
	}
	return writeFile(path, append(own, data...), modePublic)
}

// ensureCertificates issues what is due. The caller holds the lock.
func (a *Authority) ensureCertificates() error {
	if err := a.ensureFrontProxy(); err != nil {
		return err
	}
	names, ips := a.names()
	pair, changed, err := a.CA.ensurePair(filepath.Join(a.dir, "apiserver"), Subject{
		CommonName: "kube-apiserver", DNSNames: names, IPs: ips, Server: true, Lifetime: serverLifetime,
	}, false)
	if err != nil {
		return err
	}
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return err
	}
	a.serving.Store(&cert)
	if changed {
		a.o.Logger.Info("issued serving certificate", zap.Strings("dns", names), zap.Stringers("ips", ips),
			zap.Time("notAfter", pair.Leaf.NotAfter))
	}
	clients := []struct {
		file string
		s    Subject
	}{
		{"scheduler", Subject{CommonName: "system:kube-scheduler", Lifetime: componentLifetime}},
		{"controller-manager", Subject{CommonName: "system:kube-controller-manager", Lifetime: componentLifetime}},
		{"admin", Subject{CommonName: "kubernetes-admin", Organizations: []string{"system:masters"}, Lifetime: adminLifetime}},
	}
	for _, c := range clients {
		pair, changed, err = a.CA.ensurePair(filepath.Join(a.dir, c.file), c.s, false)
		if err != nil {
			return err
		}
		if changed {
			a.o.Logger.Info("issued client certificate", zap.String("user", c.s.CommonName), zap.Time("notAfter", pair.Leaf.NotAfter))
		}
	}
	return a.ensureKubeconfig(pair)
}

// Run renews certificates as they age and as the machine gets new addresses, until ctx ends. Connections that are open
// keep theirs; new ones get the new one.
func (a *Authority) Run(ctx context.Context) error {
	for {
		wait := recheck
		if leaf := a.serving.Load().Leaf; leaf != nil {
			wait = min(wait, max(renewAt(leaf).Sub(a.o.Now()), time.Second))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if err := a.Renew(); err != nil {
			// The old ones still work; a full disk or a missing CA key is the operator's to mend.
			a.o.Logger.Error("renewing certificates failed", zap.Error(err))
		}
	}
}

// Renew issues what is due now and takes a serving certificate that somebody else put in place.
func (a *Authority) Renew() error {
	unlock, err := lock(a.dir)
	if err != nil {
		return err
	}
	defer unlock()
	return a.ensureCertificates()
}

// ServerTLS is the configuration of both doors. Client certificates are asked for and verified by authentication, not
// by the handshake: a wrong one is answered with 401 in the API's own form.
func (a *Authority) ServerTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		ClientAuth: tls.RequestClientCert,
		// Small records would let a browser show the first bytes early; here they only cost system calls.
		DynamicRecordSizingDisabled: true,
		ClientCAs:                   a.CA.Pool,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return a.serving.Load(), nil
		},
	}
}

// ClientCAs verifies client certificates.
func (a *Authority) ClientCAs() *x509.CertPool { return a.CA.Pool }

// ServiceAccountKey signs tokens.
func (a *Authority) ServiceAccountKey() crypto.Signer { return a.saKey }

// ServiceAccountPublicKeys verify tokens; the first is that of ServiceAccountKey.
func (a *Authority) ServiceAccountPublicKeys() []crypto.PublicKey { return a.saPub }
