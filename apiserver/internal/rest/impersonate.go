package rest

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// Headers by which an authorized user acts as another (kubectl --as, --as-group, --as-uid).
const (
	headerUser  = "Impersonate-User"
	headerGroup = "Impersonate-Group"
	headerUID   = "Impersonate-Uid"
	headerExtra = "Impersonate-Extra-"
)

// impersonate replaces the caller by the user that the headers name, if the caller may do so for each part of it.
func (s *Server) impersonate(r *http.Request, caller *identity.User) (*http.Request, error) {
	name, groups, uid := r.Header.Get(headerUser), r.Header.Values(headerGroup), r.Header.Get(headerUID)
	extra := map[string][]string{}
	for key, values := range r.Header {
		if k, ok := strings.CutPrefix(key, headerExtra); ok {
			if u, err := url.PathUnescape(k); err == nil {
				k = u
			}
			extra[strings.ToLower(k)] = values
		}
	}
	if name == "" {
		if len(groups) > 0 || uid != "" || len(extra) > 0 {
			return r, apierrors.NewBadRequest("requested impersonation of groups, a UID or extra information without impersonating a user")
		}
		return r, nil
	}
	ask := []pipeline.Attributes{{Resource: "users", Version: "v1", Name: name}}
	as := &identity.User{Name: name, UID: uid, Groups: groups}
	if ns, sa, ok := serviceAccount(name); ok {
		ask[0] = pipeline.Attributes{Resource: "serviceaccounts", Version: "v1", Namespace: ns, Name: sa}
		if len(groups) == 0 {
			as.Groups = []string{identity.GroupServiceAccounts, identity.GroupServiceAccounts + ":" + ns}
		}
	}
	for _, g := range groups {
		ask = append(ask, pipeline.Attributes{Resource: "groups", Version: "v1", Name: g})
	}
	if uid != "" {
		ask = append(ask, pipeline.Attributes{Group: "authentication.k8s.io", Resource: "uids", Version: "v1", Name: uid})
	}
	for key, values := range extra {
		for _, v := range values {
			ask = append(ask, pipeline.Attributes{Group: "authentication.k8s.io", Resource: "userextras", Subresource: key, Version: "v1", Name: v})
		}
	}
	for _, a := range ask {
		a.User, a.Verb = caller, "impersonate"
		if err := s.authorize(r.Context(), a); err != nil {
			return r, err
		}
	}
	if len(extra) > 0 {
		as.Extra = extra
	}
	switch {
	case name == identity.Anonymous:
		if !as.InGroup(identity.GroupUnauthenticated) {
			as.Groups = append(as.Groups[:len(as.Groups):len(as.Groups)], identity.GroupUnauthenticated)
		}
	case !as.InGroup(identity.GroupAuthenticated):
		as.Groups = append(as.Groups[:len(as.Groups):len(as.Groups)], identity.GroupAuthenticated)
	}
	return r.WithContext(identity.NewContext(r.Context(), as)), nil
}

// serviceAccount takes apart system:serviceaccount:<namespace>:<name>.
func serviceAccount(user string) (namespace, name string, ok bool) {
	rest, ok := strings.CutPrefix(user, identity.ServiceAccountPrefix)
	if !ok {
		return "", "", false
	}
	namespace, name, ok = strings.Cut(rest, ":")
	return namespace, name, ok && namespace != "" && name != ""
}
