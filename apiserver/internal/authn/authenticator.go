package authn

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/keelson/keelson/proto/apierrors"
	authenticationv1 "github.com/keelson/keelson/proto/gen/keelson/authentication/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"

	"github.com/keelson/keelson/apiserver/internal/authn/serviceaccount"
)

// Options say what credentials are good.
type Options struct {
	// Logger; nil: nothing is logged.
	Logger *zap.Logger
	// ClientCAs verify client certificates.
	ClientCAs *x509.CertPool
	// Issuer is the "iss" of tokens, and the audience of those for the API server itself. Empty:
	// https://kubernetes.default.svc.cluster.local.
	Issuer string
	// SigningKey signs tokens; VerifyingKeys verify them.
	SigningKey    crypto.Signer
	VerifyingKeys []crypto.PublicKey
	// Pods is a view of the cluster's pods, for tokens bound to one.
	Pods serviceaccount.Pods
	// CatchUpPods returns once Pods holds everything that was written before the call.
	CatchUpPods func(ctx context.Context) error
	// RestrictToken may refuse a request for a token; see node.Restriction.
	RestrictToken func(ctx context.Context, u *identity.User, namespace, name string, r *authenticationv1.TokenRequest) error
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// DefaultIssuer is what Kubernetes calls itself in tokens where nobody says otherwise.
const DefaultIssuer = "https://kubernetes.default.svc.cluster.local"

// Authenticator tells who makes a request. It is safe for concurrent use.
type Authenticator struct {
	logger *zap.Logger
	certs  *certificates
	tokens *serviceaccount.Tokens
}

// New returns an authenticator that knows certificates at once, and tokens once Run follows what they are bound to.
func New(o Options) (*Authenticator, error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Issuer == "" {
		o.Issuer = DefaultIssuer
	}
	tokens, err := serviceaccount.New(serviceaccount.Options{
		Logger: o.Logger, Issuer: o.Issuer, SigningKey: o.SigningKey, VerifyingKeys: o.VerifyingKeys,
		Pods: o.Pods, CatchUpPods: o.CatchUpPods, Restrict: o.RestrictToken, Now: o.Now,
	})
	if err != nil {
		return nil, err
	}
	return &Authenticator{logger: o.Logger, certs: newCertificates(o.ClientCAs, o.Now), tokens: tokens}, nil
}

// Run follows what tokens are bound to until ctx ends.
func (a *Authenticator) Run(ctx context.Context, server *pipeline.Server) { a.tokens.Run(ctx, server) }

// WaitForSync returns once tokens can be verified.
func (a *Authenticator) WaitForSync(ctx context.Context) error { return a.tokens.WaitForSync(ctx) }

// Documents are what others need to verify tokens: the issuer's OpenID configuration and its keys, by path. server is
// the URL of the REST door.
func (a *Authenticator) Documents(server string) map[string]http.Handler {
	return a.tokens.Documents(server)
}

// anonymous is everybody who shows no credentials.
var anonymous = &identity.User{Name: identity.Anonymous, Groups: []string{identity.GroupUnauthenticated}}

var errUnauthorized = apierrors.NewUnauthorized("")

// AuthenticateRequest tells who makes an HTTP request: by certificate, by the Authorization header, or by the
// subprotocol in which browsers put a token on a WebSocket, which is taken out of the request.
func (a *Authenticator) AuthenticateRequest(r *http.Request) (*identity.User, error) {
	token, given := bearer(r.Header.Get("Authorization"))
	if !given {
		token, given = webSocketToken(r)
	}
	u, err := a.authenticate(r.Context(), r.TLS, token, given)
	if err != nil {
		a.logger.Debug("refusing credentials", zap.String("remote", r.RemoteAddr), zap.String("path", r.URL.Path), zap.Error(err))
		return nil, errUnauthorized
	}
	if u == anonymous && !public(r.URL.Path) {
		return nil, errUnauthorized
	}
	return u, nil
}

// AuthenticateCall tells who makes a gRPC call: by certificate, or by "authorization" in the metadata. A call without
// credentials is anonymous; which methods are for anonymous callers is the door's to say.
func (a *Authenticator) AuthenticateCall(ctx context.Context) (*identity.User, error) {
	var state *tls.ConnectionState
	p, _ := peer.FromContext(ctx)
	if p != nil {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
			state = &info.State
		}
	}
	var token string
	var given bool
	if values := metadata.ValueFromIncomingContext(ctx, "authorization"); len(values) > 0 {
		token, given = bearer(values[0])
	}
	u, err := a.authenticate(ctx, state, token, given)
	if err != nil {
		if p != nil {
			a.logger.Debug("refusing credentials", zap.Stringer("remote", p.Addr), zap.Error(err))
		}
		return nil, errUnauthorized
	}
	return u, nil
}

func (a *Authenticator) authenticate(ctx context.Context, state *tls.ConnectionState, token string, given bool) (*identity.User, error) {
	if state != nil && len(state.PeerCertificates) > 0 {
		u, err := a.certs.user(state.PeerCertificates)
		if err == nil || !given {
			return u, err
		}
		// A proxy in between may have a certificate of its own: the token decides.
	}
	if !given {
		return anonymous, nil
	}
	return a.tokens.Authenticate(ctx, token)
}

// public tells whether a path is open to everybody, as far as RBAC allows.
func public(path string) bool {
	for _, p := range []string{"/healthz", "/livez", "/readyz", "/version"} {
		if rest, ok := strings.CutPrefix(path, p); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// bearer takes the token out of an Authorization header. Any other scheme counts as given and wrong.
func bearer(header string) (token string, given bool) {
	if header == "" {
		return "", false
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", true
	}
	return strings.TrimSpace(token), true
}

const tokenProtocol = "base64url.bearer.authorization.k8s.io."

// webSocketToken takes the token out of the subprotocols that a WebSocket offers.
func webSocketToken(r *http.Request) (token string, given bool) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return "", false
	}
	var left []string
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(line, ",") {
			p = strings.TrimSpace(p)
			encoded, ok := strings.CutPrefix(p, tokenProtocol)
			if !ok {
				left = append(left, p)
				continue
			}
			data, err := base64.RawURLEncoding.DecodeString(encoded)
			if err != nil || given {
				return "", true // unreadable, or two of them: wrong
			}
			token, given = string(data), true
		}
	}
	if given {
		r.Header.Set("Sec-WebSocket-Protocol", strings.Join(left, ", "))
	}
	return token, given
}

var errNoName = errors.New("the certificate has no common name")
