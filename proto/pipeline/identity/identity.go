// Package identity carries who makes a request: the front doors authenticate and put a User in the context, everything
// behind them reads it from there.
package identity

import "context"

// User is an authenticated caller, in the terms of Kubernetes' authentication.k8s.io UserInfo.
type User struct {
	// Name is what RBAC subjects of kind User are compared with.
	Name string
	// UID is set for service accounts only.
	UID string
	// Groups are what RBAC subjects of kind Group are compared with.
	Groups []string
	// Extra holds what the authenticator knows besides: the pod of a bound token, for one.
	Extra map[string][]string
}

// Names that Kubernetes reserves.
const (
	Anonymous            = "system:anonymous"
	GroupUnauthenticated = "system:unauthenticated"
	GroupAuthenticated   = "system:authenticated"
	GroupMasters         = "system:masters"
	GroupNodes           = "system:nodes"
	GroupServiceAccounts = "system:serviceaccounts"
	NodePrefix           = "system:node:"
	ServiceAccountPrefix = "system:serviceaccount:"
)

// InGroup tells whether the user is a member of the group.
func (u *User) InGroup(group string) bool {
	if u == nil {
		return false
	}
	for _, g := range u.Groups {
		if g == group {
			return true
		}
	}
	return false
}

type contextKey struct{}

// NewContext returns a context that carries the user.
func NewContext(ctx context.Context, u *User) context.Context {
	return context.WithValue(ctx, contextKey{}, u)
}

// FromContext returns the user of the request; ok is false before authentication.
func FromContext(ctx context.Context) (u *User, ok bool) {
	u, ok = ctx.Value(contextKey{}).(*User)
	return u, ok
}
