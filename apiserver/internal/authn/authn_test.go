package authn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"crypto"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	authenticationv1 "github.com/keelson/keelson/proto/gen/keelson/authentication/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/schema"

	"github.com/keelson/keelson/apiserver/internal/authz"
)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// authority signs test certificates.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, key: newKey(t), pool: x509.NewCertPool()}
	a.cert = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, a.key.Public())
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(template, parent *x509.Certificate, key crypto.PublicKey) *x509.Certificate {
	a.t.Helper()
	template.SerialNumber = big.NewInt(1)
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

func (a *authority) client(subject pkix.Name, change func(*x509.Certificate)) *x509.Certificate {
	template := &x509.Certificate{Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if change != nil {
		change(template)
	}
	return a.sign(template, a.cert, newKey(a.t).Public())
}

// cluster is a pipeline over a memory store with the real authenticator and authorizer.
type cluster struct {
	t      *testing.T
	ctx    context.Context
	server *pipeline.Server
	authn  *Authenticator
	ca     *authority
	now    atomic.Int64 // offset of the clock, ns
}

var admin = &identity.User{Name: "admin", Groups: []string{identity.GroupMasters, identity.GroupAuthenticated}}

func start(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, ca: newAuthority(t)}
	z := authz.New(authz.Options{APIAudiences: []string{DefaultIssuer}})
	key := newKey(t)
	var err error
	c.authn, err = New(Options{
		ClientCAs: c.ca.pool, SigningKey: key, VerifyingKeys: []crypto.PublicKey{key.Public()},
		Pods: z.Graph(), CatchUpPods: z.CatchUp, RestrictToken: z.Restriction().Token,
		Now: func() time.Time { return time.Now().Add(time.Duration(c.now.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	c.server, err = pipeline.New(pipeline.Config{
		Registry: schema.Builtin(), Store: memory.New(), Authorizer: z, Admission: z.Admission(),
		Handlers: append(z.Handlers(), c.authn.Handlers()...),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	c.ctx = ctx
	if err := c.server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	go func() { z.Run(running, c.server); done <- struct{}{} }()
	go func() { c.authn.Run(running, c.server); done <- struct{}{} }()
	t.Cleanup(func() { stop(); <-done; <-done; c.server.Close() })
	if err := errors.Join(z.WaitForSync(ctx), c.authn.WaitForSync(ctx)); err != nil {
		t.Fatal(err)
	}
	c.create(admin, at("namespaces", "", "shop"), &corev1.Namespace{Metadata: meta("", "shop")})
	return c
}

func meta(namespace, name string) *metav1.ObjectMeta {
	return &metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func at(plural, namespace, name string) *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Plural: plural}, Namespace: namespace, Name: name}
}

func (c *cluster) try(u *identity.User, ref *resourcev1.ObjectRef, m proto.Message) (*pipeline.Item, error) {
	c.t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		c.t.Fatal(err)
	}
	res, err := c.server.Create(identity.NewContext(c.ctx, u), &resourcev1.CreateRequest{
		Ref: ref, Object: &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF},
	})
	if err != nil {
		return nil, err
	}
	return res.Item, nil
}

func (c *cluster) create(u *identity.User, ref *resourcev1.ObjectRef, m proto.Message) *pipeline.Item {
	c.t.Helper()
	it, err := c.try(u, ref, m)
	if err != nil {
		c.t.Fatal(err)
	}
	return it
}

// uid creates an object and returns its UID.
func (c *cluster) uid(plural, name string, m proto.Message) string {
	c.t.Helper()
	it := c.create(admin, at(plural, "shop", name), m)
	o := m.ProtoReflect().New().Interface().(interface {
		proto.Message
		GetMetadata() *metav1.ObjectMeta
	})
	if err := it.Unmarshal(o); err != nil {
		c.t.Fatal(err)
	}
	return o.GetMetadata().GetUid()
}

func (c *cluster) account(name string) string {
	return c.uid("serviceaccounts", name, &corev1.ServiceAccount{Metadata: meta("shop", name)})
}

func (c *cluster) pod(name, account, node string) string {
	return c.uid("pods", name, &corev1.Pod{Metadata: meta("shop", name), Spec: &corev1.PodSpec{
		ServiceAccountName: account, NodeName: node, Containers: []*corev1.Container{{Name: "c", Image: "i"}},
		Volumes: []*corev1.Volume{{Name: "token", VolumeSource: &corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []*corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: proto.Int64(3600)}}},
		}}}},
	}})
}

func (c *cluster) remove(plural, name string) {
	c.t.Helper()
	_, err := c.server.Delete(identity.NewContext(c.ctx, admin), &resourcev1.DeleteRequest{
		Ref: at(plural, "shop", name), Options: &metav1.DeleteOptions{GracePeriodSeconds: proto.Int64(0)},
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) token(u *identity.User, account string, spec *authenticationv1.TokenRequestSpec) (string, error) {
	c.t.Helper()
	ref := at("serviceaccounts", "shop", account)
	ref.Subresource = "token"
	it, err := c.try(u, ref, &authenticationv1.TokenRequest{Spec: spec})
	if err != nil {
		return "", err
	}
	r := &authenticationv1.TokenRequest{}
	if err := it.Unmarshal(r); err != nil {
		c.t.Fatal(err)
	}
	return r.GetStatus().GetToken(), nil
}

func (c *cluster) mustToken(account string, spec *authenticationv1.TokenRequestSpec) string {
	c.t.Helper()
	token, err := c.token(admin, account, spec)
	if err != nil {
		c.t.Fatal(err)
	}
	return token
}

func request(path string, change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for _, f := range change {
		f(r)
	}
	return r
}

func withBearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func withCert(chain ...*x509.Certificate) func(*http.Request) {
	return func(r *http.Request) { r.TLS = &tls.ConnectionState{PeerCertificates: chain} }
}

func TestCertificates(t *testing.T) {
	ca, foreign := newAuthority(t), newAuthority(t)
	key := newKey(t)
	a, err := New(Options{ClientCAs: ca.pool, SigningKey: key, VerifyingKeys: []crypto.PublicKey{key.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	jane := ca.client(pkix.Name{CommonName: "jane", Organization: []string{"dev", "ops"}}, nil)
	for range 2 { // the second time from memory
		u, err := a.AuthenticateRequest(request("/api", withCert(jane)))
		if err != nil {
			t.Fatal(err)
		}
		if u.Name != "jane" || !cmp.Equal(u.Groups, []string{"dev", "ops", "system:authenticated"}) {
			t.Errorf("got %+v", u)
		}
	}
	refused := map[string]*x509.Certificate{
		"of another authority": foreign.client(pkix.Name{CommonName: "jane"}, nil),
		"expired": ca.client(pkix.Name{CommonName: "jane"}, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		}),
		"of a server": ca.client(pkix.Name{CommonName: "jane"}, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}),
		"without a name": ca.client(pkix.Name{Organization: []string{"system:masters"}}, nil),
	}
	for name, cert := range refused {
		for _, path := range []string{"/api", "/healthz"} {
			if u, err := a.AuthenticateRequest(request(path, withCert(cert))); !apierrors.IsUnauthorized(err) {
				t.Errorf("%s, %s: got %v, %v", name, path, u, err)
			}
		}
	}
}

func TestCachedCertificateExpires(t *testing.T) {
	ca, key := newAuthority(t), newKey(t)
	now := time.Now()
	a, err := New(Options{ClientCAs: ca.pool, SigningKey: key, VerifyingKeys: []crypto.PublicKey{key.Public()}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	jane := ca.client(pkix.Name{CommonName: "jane"}, nil)
	if _, err := a.AuthenticateRequest(request("/api", withCert(jane))); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Hour)
	if _, err := a.AuthenticateRequest(request("/api", withCert(jane))); !apierrors.IsUnauthorized(err) {
		t.Errorf("got %v", err)
	}
}

func TestAnonymous(t *testing.T) {
	key := newKey(t)
	a, err := New(Options{ClientCAs: newAuthority(t).pool, SigningKey: key, VerifyingKeys: []crypto.PublicKey{key.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	for path, ok := range map[string]bool{
		"/healthz": true, "/livez/etcd": true, "/readyz": true, "/version": true, "/version/": true,
		"/": false, "/api": false, "/healthzz": false, "/metrics": false, "/api/v1/pods": false,
	} {
		u, err := a.AuthenticateRequest(request(path))
		if ok && (err != nil || u.Name != identity.Anonymous || !u.InGroup(identity.GroupUnauthenticated)) || !ok && !apierrors.IsUnauthorized(err) {
			t.Errorf("%s: %v, %v", path, u, err)
		}
	}
	for _, header := range []string{"Basic YTpi", "Bearer", "Bearer x", "x"} {
		if _, err := a.AuthenticateRequest(request("/healthz", func(r *http.Request) { r.Header.Set("Authorization", header) })); !apierrors.IsUnauthorized(err) {
			t.Errorf("%q: %v", header, err)
		}
	}
}

func TestToken(t *testing.T) {
	c := start(t)
	accountUID := c.account("robot")
	podUID := c.pod("p", "robot", "n1")
	token := c.mustToken("robot", &authenticationv1.TokenRequestSpec{
		BoundObjectRef: &authenticationv1.BoundObjectReference{ApiVersion: "v1", Kind: "Pod", Name: "p", UID: podUID},
	})
	u, err := c.authn.AuthenticateRequest(request("/api", withBearer(token)))
	if err != nil {
		t.Fatal(err)
	}
	if u.Name != "system:serviceaccount:shop:robot" || u.UID != accountUID ||
		!slices.Equal(u.Groups, []string{"system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"}) ||
		!slices.Equal(u.Extra["authentication.kubernetes.io/pod-name"], []string{"p"}) ||
		!slices.Equal(u.Extra["authentication.kubernetes.io/pod-uid"], []string{podUID}) {
		t.Errorf("got %+v", u)
	}
	if again, _ := c.authn.AuthenticateRequest(request("/api", withBearer(token))); again != u {
		t.Error("the second request is another user")
	}
	md := metadata.NewIncomingContext(c.ctx, metadata.Pairs("authorization", "Bearer "+token))
	if same, err := c.authn.AuthenticateCall(md); err != nil || same != u {
		t.Errorf("gRPC: %v, %v", same, err)
	}
	ws := request("/api", func(r *http.Request) {
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Protocol", "v5.channel.k8s.io, "+tokenProtocol+base64.RawURLEncoding.EncodeToString([]byte(token)))
	})
	if same, err := c.authn.AuthenticateRequest(ws); err != nil || same != u || ws.Header.Get("Sec-WebSocket-Protocol") != "v5.channel.k8s.io" {
		t.Errorf("WebSocket: %v, %v, %q", same, err, ws.Header.Get("Sec-WebSocket-Protocol"))
	}
}

// TestTokenEnds: whatever a token was bound to ends it at once, and so does its time.
func TestTokenEnds(t *testing.T) {
	good := func(c *cluster, token string) bool {
		_, err := c.authn.AuthenticateRequest(request("/api", withBearer(token)))
		return err == nil
	}
	podRef := func(uid string) *authenticationv1.TokenRequestSpec {
		return &authenticationv1.TokenRequestSpec{BoundObjectRef: &authenticationv1.BoundObjectReference{ApiVersion: "v1", Kind: "Pod", Name: "p", UID: uid}}
	}
	cases := map[string]func(c *cluster){
		"account deleted":  func(c *cluster) { c.remove("serviceaccounts", "robot") },
		"account anew":     func(c *cluster) { c.remove("serviceaccounts", "robot"); c.account("robot") },
		"pod deleted":      func(c *cluster) { c.remove("pods", "p") },
		"pod anew":         func(c *cluster) { c.remove("pods", "p"); c.pod("p", "robot", "n1") },
		"expired":          func(c *cluster) { c.now.Store(int64(time.Hour + time.Second)) },
		"from the future":  func(c *cluster) { c.now.Store(int64(-2 * time.Minute)) },
		"cached, then old": func(c *cluster) { c.now.Store(int64(2 * time.Hour)) },
	}
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			c := start(t)
			c.account("robot")
			token := c.mustToken("robot", podRef(c.pod("p", "robot", "n1")))
			if !good(c, token) {
				t.Fatal("the token is no good to begin with")
			}
			end(c)
			for good(c, token) { // the views see it at once, but not within the call
				if err := c.ctx.Err(); err != nil {
					t.Fatal("the token is still good")
				}
				if err := c.authn.tokens.CatchUp(c.ctx); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestTokenRequests(t *testing.T) {
	c := start(t)
	c.account("robot")
	c.account("other")
	podUID := c.pod("p", "robot", "n1")
	ref := at("serviceaccounts", "shop", "robot")
	ref.Subresource = "token"
	for want, meta := range map[string]*metav1.ObjectMeta{
		`metadata.name: Invalid value: "other": must match the service account name if specified`: {Name: "other"},
		"the namespace of the provided object does not match the namespace sent on the request":   {Name: "robot", Namespace: "other"},
	} {
		if _, err := c.try(admin, ref, &authenticationv1.TokenRequest{Metadata: meta}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a request for another account: %v", err)
		}
	}
	bound := func(kind, name, uid string) *authenticationv1.TokenRequestSpec {
		return &authenticationv1.TokenRequestSpec{BoundObjectRef: &authenticationv1.BoundObjectReference{ApiVersion: "v1", Kind: kind, Name: name, UID: uid}}
	}
	node := func(name string) *identity.User {
		return &identity.User{Name: "system:node:" + name, Groups: []string{identity.GroupNodes, identity.GroupAuthenticated}}
	}
	audience := func(spec *authenticationv1.TokenRequestSpec, a ...string) *authenticationv1.TokenRequestSpec {
		spec.Audiences = a
		return spec
	}
	cases := []struct {
		name    string
		user    *identity.User
		account string
		spec    *authenticationv1.TokenRequestSpec
		want    string // empty: granted
	}{
		{"plain", admin, "robot", nil, ""},
		{"ten minutes", admin, "robot", &authenticationv1.TokenRequestSpec{ExpirationSeconds: proto.Int64(600)}, ""},
		{"too short", admin, "robot", &authenticationv1.TokenRequestSpec{ExpirationSeconds: proto.Int64(599)},
			"Invalid value: 599: may not specify a duration less than 10 minutes"},
		{"too long", admin, "robot", &authenticationv1.TokenRequestSpec{ExpirationSeconds: proto.Int64(1<<32 + 1)}, "larger than 2^32 seconds"},
		{"no such account", admin, "nobody", nil, `serviceaccounts "nobody" not found`},
		{"bound to a pod", admin, "robot", bound("Pod", "p", podUID), ""},
		{"bound to another account's pod", admin, "other", bound("Pod", "p", podUID), `cannot bind token for serviceaccount "other" to pod running with different serviceaccount name.`},
		{"bound to a pod of old", admin, "robot", bound("Pod", "p", "old"), "does not match the UID in record"},
		{"bound to no pod", admin, "robot", bound("Pod", "q", ""), `pods "q" not found`},
		{"bound to something else", admin, "robot", bound("ConfigMap", "x", ""), "cannot bind token to object of type v1, Kind=ConfigMap"},
		{"a user without the right", &identity.User{Name: "jane"}, "robot", nil, `User "jane" cannot create resource "serviceaccounts/token"`},
		{"the pod's node", node("n1"), "robot", bound("Pod", "p", podUID), ""},
		{"the pod's node, own audience spelled out", node("n1"), "robot", audience(bound("Pod", "p", podUID), DefaultIssuer), ""},
		{"the pod's node, an audience the pod does not mount", node("n1"), "robot", audience(bound("Pod", "p", podUID), "vault"), `audience "vault" not found in pod spec volume`},
		{"the pod's node, unbound", node("n1"), "robot", nil, "node requested token not bound to a pod"},
		{"the pod's node, without UID", node("n1"), "robot", bound("Pod", "p", ""), "node requested token with a pod binding without a uid"},
		{"the pod's node, another account", node("n1"), "other", bound("Pod", "p", podUID), "no relationship found between node 'n1' and this object"},
		{"another node", node("n2"), "robot", bound("Pod", "p", podUID), "no relationship found between node 'n2' and this object"},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			token, err := c.token(x.user, x.account, x.spec)
			switch {
			case x.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case x.want == "" && strings.Count(token, ".") != 2:
				t.Errorf("token %q", token)
			case x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)):
				t.Errorf("got  %v\nwant %s", err, x.want)
			}
		})
	}
}

func TestReviews(t *testing.T) {
	c := start(t)
	c.account("robot")
	review := func(token string, audiences ...string) *authenticationv1.TokenReviewStatus {
		t.Helper()
		ref := &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: reviewGroup, Plural: "tokenreviews"}}
		it := c.create(admin, ref, &authenticationv1.TokenReview{Spec: &authenticationv1.TokenReviewSpec{Token: token, Audiences: audiences}})
		r := &authenticationv1.TokenReview{}
		if err := it.Unmarshal(r); err != nil {
			t.Fatal(err)
		}
		return r.GetStatus()
	}
	own := c.mustToken("robot", nil)
	vault := c.mustToken("robot", &authenticationv1.TokenRequestSpec{Audiences: []string{"vault"}})
	if s := review(own); !s.GetAuthenticated() || s.GetUser().GetUsername() != "system:serviceaccount:shop:robot" || !slices.Equal(s.GetAudiences(), []string{DefaultIssuer}) {
		t.Errorf("own: %v", s)
	}
	if s := review(vault, "x", "vault"); !s.GetAuthenticated() || !slices.Equal(s.GetAudiences(), []string{"vault"}) {
		t.Errorf("vault: %v", s)
	}
	if s := review(vault); s.GetAuthenticated() || s.GetError() == "" {
		t.Errorf("vault's token at the API server: %v", s)
	}
	if _, err := c.authn.AuthenticateRequest(request("/api", withBearer(vault))); !apierrors.IsUnauthorized(err) {
		t.Errorf("vault's token at the door: %v", err)
	}
	if s := review("nonsense"); s.GetAuthenticated() {
		t.Errorf("nonsense: %v", s)
	}

	ref := &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: reviewGroup, Plural: "selfsubjectreviews"}}
	it := c.create(&identity.User{Name: "jane", Groups: []string{identity.GroupAuthenticated}, Extra: map[string][]string{"k": {"v"}}}, ref, &authenticationv1.SelfSubjectReview{})
	r := &authenticationv1.SelfSubjectReview{}
	if err := it.Unmarshal(r); err != nil {
		t.Fatal(err)
	}
	if u := r.GetStatus().GetUserInfo(); u.GetUsername() != "jane" || u.GetExtra()["k"].GetItems()[0] != "v" {
		t.Errorf("whoami: %v", u)
	}
}

func TestDocuments(t *testing.T) {
	key := newKey(t)
	a, err := New(Options{ClientCAs: newAuthority(t).pool, SigningKey: key, VerifyingKeys: []crypto.PublicKey{key.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	docs := a.Documents("https://192.0.2.1:6443")
	for path, want := range map[string]map[string]any{
		"/.well-known/openid-configuration": {"issuer": DefaultIssuer, "jwks_uri": "https://192.0.2.1:6443/openid/v1/jwks"},
		"/openid/v1/jwks":                   {},
	} {
		w := httptest.NewRecorder()
		docs[path].ServeHTTP(w, request(path))
		var got map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: %s is %v", path, k, got[k])
			}
		}
	}
}

func BenchmarkCertificate(b *testing.B) {
	t := &testing.T{}
	ca, key := newAuthority(t), newKey(t)
	a, err := New(Options{ClientCAs: ca.pool, SigningKey: key, VerifyingKeys: []crypto.PublicKey{key.Public()}})
	if err != nil {
		b.Fatal(err)
	}
	chain := []*x509.Certificate{ca.client(pkix.Name{CommonName: "system:kube-scheduler"}, nil)}
	for b.Loop() {
		if _, err := a.certs.user(chain); err != nil {
			b.Fatal(err)
		}
	}
}
