package serviceaccount

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	authenticationv1 "github.com/keelson/keelson/proto/gen/keelson/authentication/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"

	"github.com/keelson/keelson/apiserver/internal/authn/jwt"
	"github.com/keelson/keelson/apiserver/internal/authz/feed"
	"github.com/keelson/keelson/apiserver/internal/authz/node"
)

const (
	// leeway is how far the clocks of API servers may be apart.
	leeway = time.Minute
	// afterlife is how long tokens of an object outlive the time at which it was to be gone, for its last requests.
	afterlife = time.Minute
	// cacheFor is how long a good signature is remembered.
	cacheFor = 10 * time.Second
	// cacheSize bounds how many are.
	cacheSize = 16384
	// catchUpTimeout bounds how long a refusal waits for views that lag.
	catchUpTimeout = time.Second
)

// Pods is a view of the cluster's pods.
type Pods interface {
	Pod(namespace, name string) (node.Pod, bool)
}

// Options of Tokens.
type Options struct {
	Logger        *zap.Logger
	Issuer        string
	SigningKey    crypto.Signer
	VerifyingKeys []crypto.PublicKey
	Pods          Pods
	// CatchUpPods returns once Pods holds everything written before the call; optional.
	CatchUpPods func(ctx context.Context) error
	// Restrict may refuse a request for a token; optional.
	Restrict func(ctx context.Context, u *identity.User, namespace, name string, r *authenticationv1.TokenRequest) error
	Now      func() time.Time
}

// Tokens issues and verifies tokens. It is safe for concurrent use.
type Tokens struct {
	o        Options
	signer   *jwt.Signer
	verifier *jwt.Verifier
	objects  *objects
	views    *feed.Set

	mu   sync.Mutex
	good map[[sha256.Size]byte]*verified
}

// verified is a token whose signature is known to be good. The user is made once, so that a token is always the same
// user.
type verified struct {
	claims *jwt.Claims
	user   *identity.User
	until  time.Time
}

// New returns an issuer and verifier that refuses every token until Run follows what tokens are bound to.
func New(o Options) (*Tokens, error) {
	signer, err := jwt.NewSigner(o.SigningKey)
	if err != nil {
		return nil, fmt.Errorf("service account key: %w", err)
	}
	verifier, err := jwt.NewVerifier(o.VerifyingKeys)
	if err != nil {
		return nil, fmt.Errorf("service account public keys: %w", err)
	}
	t := &Tokens{o: o, signer: signer, verifier: verifier, objects: newObjects(), good: make(map[[sha256.Size]byte]*verified)}
	t.views = feed.NewSet(o.Logger, t.objects.views()...)
	return t, nil
}

// Run follows what tokens are bound to until ctx ends.
func (t *Tokens) Run(ctx context.Context, server *pipeline.Server) {
	t.views.Run(ctx, feed.From(server))
}

// WaitForSync returns once tokens can be verified.
func (t *Tokens) WaitForSync(ctx context.Context) error { return t.views.WaitForSync(ctx) }

// Authenticate returns the user of a token that is meant for the API server.
func (t *Tokens) Authenticate(ctx context.Context, token string) (*identity.User, error) {
	u, _, err := t.Review(ctx, token, nil)
	return u, err
}

// errAudience tells that a token is for somebody else.
var errAudience = errors.New("token audiences do not match")

// Review returns the user of a token, and which of the audiences it is for. No audiences means the API server itself.
func (t *Tokens) Review(ctx context.Context, token string, audiences []string) (*identity.User, []string, error) {
	v, err := t.verify(token)
	if err != nil {
		return nil, nil, err
	}
	if len(audiences) == 0 {
		audiences = []string{t.o.Issuer}
	}
	var matched []string
	for _, a := range audiences {
		if slices.Contains(v.claims.Audience, a) {
			matched = append(matched, a)
		}
	}
	if len(matched) == 0 {
		return nil, nil, errAudience
	}
	err = t.holds(v.claims)
	if err != nil && !errors.Is(err, errTime) {
		// The token may be newer than the views.
		ctx, cancel := context.WithTimeout(ctx, catchUpTimeout)
		defer cancel()
		if t.CatchUp(ctx) == nil {
			err = t.holds(v.claims)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return v.user, matched, nil
}

// CatchUp returns once everything that tokens are bound to is known as it was before the call.
func (t *Tokens) CatchUp(ctx context.Context) error {
	if err := t.views.CatchUp(ctx); err != nil {
		return err
	}
	if t.o.CatchUpPods == nil {
		return nil
	}
	return t.o.CatchUpPods(ctx)
}

// verify checks what cannot change: signature, issuer and form.
func (t *Tokens) verify(token string) (*verified, error) {
	sum := sha256.Sum256([]byte(token))
	now := t.o.Now()
	t.mu.Lock()
	v := t.good[sum]
	t.mu.Unlock()
	if v != nil && now.Before(v.until) {
		return v, nil
	}
	claims, err := t.verifier.Verify(token)
	if err != nil {
		return nil, err
	}
	if claims.Issuer != t.o.Issuer {
		return nil, fmt.Errorf("token is from %q", claims.Issuer)
	}
	k := claims.Kubernetes
	if k == nil || k.Namespace == "" || k.ServiceAccount.Name == "" || k.ServiceAccount.UID == "" {
		return nil, errors.New("token is no service account's")
	}
	if claims.Subject != identity.ServiceAccountPrefix+k.Namespace+":"+k.ServiceAccount.Name {
		return nil, errors.New("token's subject is another than its service account")
	}
	fresh := &verified{claims: claims, user: userOf(claims), until: now.Add(cacheFor)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if v != nil {
		fresh.user = v.user
	} else if len(t.good) >= cacheSize {
		clear(t.good) // rare, and filled again within seconds
	}
	t.good[sum] = fresh
	return fresh, nil
}

// Keys of a user's extra information, as Kubernetes names them.
const (
	extraCredential = "authentication.kubernetes.io/credential-id"
	extraPodName    = "authentication.kubernetes.io/pod-name"
	extraPodUID     = "authentication.kubernetes.io/pod-uid"
	extraNodeName   = "authentication.kubernetes.io/node-name"
	extraNodeUID    = "authentication.kubernetes.io/node-uid"
)

func userOf(c *jwt.Claims) *identity.User {
	k := c.Kubernetes
	u := &identity.User{
		Name: c.Subject, UID: k.ServiceAccount.UID,
		Groups: []string{
			identity.GroupServiceAccounts, identity.GroupServiceAccounts + ":" + k.Namespace, identity.GroupAuthenticated,
		},
		Extra: make(map[string][]string),
	}
	if c.ID != "" {
		u.Extra[extraCredential] = []string{"JTI=" + c.ID}
	}
	if k.Pod != nil {
		u.Extra[extraPodName], u.Extra[extraPodUID] = []string{k.Pod.Name}, []string{k.Pod.UID}
	}
	if k.Node != nil {
		u.Extra[extraNodeName], u.Extra[extraNodeUID] = []string{k.Node.Name}, []string{k.Node.UID}
	}
	return u
}

// errTime tells that a token is expired, or not valid yet: views have nothing to do with it.
var errTime = errors.New("token is not valid at this time")

// holds checks what can change: the time, and that everything the token is bound to is still there.
func (t *Tokens) holds(c *jwt.Claims) error {
	now := t.o.Now()
	switch {
	case c.Expiry == 0 || !now.Before(time.Unix(c.Expiry, 0)):
		return fmt.Errorf("%w: expired", errTime)
	case now.Add(leeway).Before(time.Unix(max(c.NotBefore, c.IssuedAt), 0)):
		return fmt.Errorf("%w: from the future", errTime)
	}
	k := c.Kubernetes
	if err := alive("service account", t.objects.accounts.get(k.Namespace, k.ServiceAccount.Name), k.ServiceAccount.UID, now); err != nil {
		return err
	}
	if k.Secret != nil {
		if err := alive("secret", t.objects.secrets.get(k.Namespace, k.Secret.Name), k.Secret.UID, now); err != nil {
			return err
		}
	}
	if k.Pod != nil {
		var o *object
		if pod, ok := t.o.Pods.Pod(k.Namespace, k.Pod.Name); ok {
			o = &object{uid: pod.UID, deleted: pod.Deleted}
		}
		if err := alive("pod", o, k.Pod.UID, now); err != nil {
			return err
		}
	}
	// With a pod the node is only told, not bound to: the pod goes with the node anyhow.
	if k.Node != nil && k.Pod == nil {
		return alive("node", t.objects.nodes.get("", k.Node.Name), k.Node.UID, now)
	}
	return nil
}

func alive(kind string, o *object, uid string, now time.Time) error {
	switch {
	case o == nil:
		return fmt.Errorf("the token's %s is gone", kind)
	case o.uid != uid:
		return fmt.Errorf("the token's %s was made anew", kind)
	case !o.deleted.IsZero() && now.After(o.deleted.Add(afterlife)):
		return fmt.Errorf("the token's %s has been deleted", kind)
	}
	return nil
}
