package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
)

var _ credentials.TransportCredentials = (*reloader)(nil)

// reloader is TLS whose files are looked at again whenever a connection is made: a handshake is the only moment at
// which a new certificate matters, so there is nothing to poll.
type reloader struct {
	base                 *tls.Config
	ca, cert, key        string
	dialer               *dialer
	mu                   sync.Mutex
	current              credentials.TransportCredentials
	caMod, crtMod, kyMod time.Time
}

func newReloader(cfg Config, d *dialer) (*reloader, error) {
	if (cfg.CertFile == "") != (cfg.KeyFile == "") {
		return nil, fmt.Errorf("client: a certificate and its key go together: have certificate %q, key %q", cfg.CertFile, cfg.KeyFile)
	}
	r := &reloader{dialer: d, base: cfg.TLS, ca: cfg.CAFile, cert: cfg.CertFile, key: cfg.KeyFile}
	if r.base == nil {
		r.base = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if _, err := r.fresh(); err != nil {
		return nil, err
	}
	return r, nil
}

// fresh returns credentials made of the files as they are now. Where they cannot be read (a renewal may be half done)
// the last good ones serve on.
func (r *reloader) fresh() (credentials.TransportCredentials, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ca, crt, ky := modified(r.ca), modified(r.cert), modified(r.key)
	if r.current != nil && ca.Equal(r.caMod) && crt.Equal(r.crtMod) && ky.Equal(r.kyMod) {
		return r.current, nil
	}
	cfg, err := r.load()
	if err != nil {
		if r.current != nil {
			return r.current, nil
		}
		return nil, err
	}
	r.current, r.caMod, r.crtMod, r.kyMod = credentials.NewTLS(cfg), ca, crt, ky
	return r.current, nil
}

func (r *reloader) load() (*tls.Config, error) {
	cfg := r.base.Clone()
	if r.ca != "" {
		pem, err := os.ReadFile(r.ca)
		if err != nil {
			return nil, fmt.Errorf("client: read authorities: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("client: %s holds no certificate", r.ca)
		}
	}
	if r.cert != "" {
		pair, err := tls.LoadX509KeyPair(r.cert, r.key)
		if err != nil {
			return nil, fmt.Errorf("client: read certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

func modified(path string) time.Time {
	if path == "" {
		return time.Time{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// ClientHandshake implements credentials.TransportCredentials.
func (r *reloader) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	creds, err := r.fresh()
	if err != nil {
		return nil, nil, err
	}
	address := conn.RemoteAddr().String()
	secure, info, err := creds.ClientHandshake(ctx, authority, conn)
	if err != nil {
		r.dialer.report(address, "TLS with the API server failed", err)
		return nil, nil, err
	}
	r.dialer.succeeded(address)
	return secure, info, nil
}

// ServerHandshake implements credentials.TransportCredentials; a client has none.
func (r *reloader) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, fmt.Errorf("client: credentials are for clients")
}

// Info implements credentials.TransportCredentials.
func (r *reloader) Info() credentials.ProtocolInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current.Info()
}

// Clone implements credentials.TransportCredentials.
func (r *reloader) Clone() credentials.TransportCredentials {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &reloader{dialer: r.dialer, base: r.base, ca: r.ca, cert: r.cert, key: r.key, current: r.current.Clone(),
		caMod: r.caMod, crtMod: r.crtMod, kyMod: r.kyMod}
}

// OverrideServerName implements credentials.TransportCredentials; names come from the endpoints.
func (r *reloader) OverrideServerName(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.base = r.base.Clone()
	r.base.ServerName = name
	cfg, err := r.load()
	if err != nil {
		return err
	}
	r.current = credentials.NewTLS(cfg)
	return nil
}

// bearer sends a token with each call, over TLS only.
type bearer func() (string, error)

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token, err := b()
	if err != nil {
		return nil, fmt.Errorf("client: token: %w", err)
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (b bearer) RequireTransportSecurity() bool { return true }
