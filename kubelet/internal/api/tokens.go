package api

import (
	"context"
	"fmt"
	"sync"
	"time"

	authv1 "github.com/keelson/keelson/proto/gen/keelson/authentication/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
)

// Tokens gets service account tokens bound to pods and keeps them until they are nearly over; it implements
// volumes.Tokens.
type Tokens struct {
	conn *client.Conn

	mu    sync.Mutex
	cache map[tokenKey]token
}

type tokenKey struct {
	uid, audience string
	expiration    time.Duration
}

type token struct {
	text       string
	renew, end time.Time
}

// NewTokens uses the connection.
func NewTokens(c *client.Conn) *Tokens { return &Tokens{conn: c, cache: map[tokenKey]token{}} }

// maxAge is when even a long-lived token is replaced.
const maxAge = 24 * time.Hour

// Token implements volumes.Tokens. A token is replaced after four fifths of its life.
func (t *Tokens) Token(ctx context.Context, pod *corev1.Pod, audience string, expiration time.Duration) (string, time.Time, error) {
	key, now := tokenKey{pod.Metadata.Uid, audience, expiration}, time.Now()
	t.mu.Lock()
	for k, v := range t.cache {
		if now.After(v.end) {
			delete(t.cache, k)
		}
	}
	cached, ok := t.cache[key]
	t.mu.Unlock()
	if ok && now.Before(cached.renew) {
		return cached.text, cached.renew, nil
	}
	account := pod.Spec.ServiceAccountName
	if account == "" {
		account = "default"
	}
	seconds := int64(expiration / time.Second)
	request := &authv1.TokenRequest{
		Metadata: &metav1.ObjectMeta{Name: account, Namespace: pod.Metadata.Namespace},
		Spec: &authv1.TokenRequestSpec{
			ExpirationSeconds: &seconds,
			BoundObjectRef:    &authv1.BoundObjectReference{Kind: "Pod", ApiVersion: "v1", Name: pod.Metadata.Name, UID: pod.Metadata.Uid},
		},
	}
	if audience != "" {
		request.Spec.Audiences = []string{audience}
	}
	accounts := client.For[*corev1.ServiceAccount](t.conn)
	response, err := client.Sub[*authv1.TokenRequest, *authv1.TokenRequest](ctx, t.conn, accounts.Ref(pod.Metadata.Namespace, account, "token"), request)
	if err != nil {
		if ok && now.Before(cached.end) {
			// An API server that is away must not take a token away that is still good.
			return cached.text, now.Add(time.Minute), nil
		}
		return "", time.Time{}, fmt.Errorf("failed to fetch token: %w", err)
	}
	end := apitime.Go(response.Status.GetExpirationTimestamp())
	life := end.Sub(now)
	fresh := token{text: response.Status.GetToken(), end: end, renew: now.Add(min(life*4/5, maxAge))}
	t.mu.Lock()
	t.cache[key] = fresh
	t.mu.Unlock()
	return fresh.text, fresh.renew, nil
}
