package embed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/keelson/keelson/apiserver/internal/pki"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// certificates authenticates by client certificate: the common name is the user, the organizations are the groups.
type certificates struct{ authority *pki.Authority }

// AuthenticateRequest implements rest.Authenticator.
func (c certificates) AuthenticateRequest(r *http.Request) (*identity.User, error) {
	if r.Header.Get("Authorization") != "" {
		return nil, errors.New("unknown credentials")
	}
	return c.user(r.TLS)
}

// AuthenticateContext implements grpcdoor.Authenticate.
func (c certificates) AuthenticateContext(ctx context.Context) (*identity.User, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return c.user(nil)
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return c.user(nil)
	}
	return c.user(&info.State)
}

func (c certificates) user(state *tls.ConnectionState) (*identity.User, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return &identity.User{Name: identity.Anonymous, Groups: []string{identity.GroupUnauthenticated}}, nil
	}
	leaf := state.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		intermediates.AddCert(cert)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: c.authority.ClientCAs(), Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return nil, err
	}
	return &identity.User{Name: leaf.Subject.CommonName, Groups: append(leaf.Subject.Organization, identity.GroupAuthenticated)}, nil
}
