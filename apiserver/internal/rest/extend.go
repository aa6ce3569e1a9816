package rest

import (
	"net/http"
	"strings"

	"github.com/keelson/keelson/apiserver/internal/fairness"
	"github.com/keelson/keelson/apiserver/internal/rest/discovery"
	"github.com/keelson/keelson/apiserver/internal/rest/request"
	"github.com/keelson/keelson/apiserver/internal/rest/respond"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// Extensions are other servers that serve versions of groups.
type Extensions interface {
	discovery.Others
	// Route returns what serves a group version; false where this server does.
	Route(group, version string) (http.Handler, bool)
}

// others keeps a nil interface nil.
func others(e Extensions) discovery.Others {
	if e == nil {
		return nil
	}
	return e
}

// extension finds the other server that a request is for: everything below the version's path is its.
func (s *Server) extension(info *request.Info) (http.Handler, bool) {
	if s.cfg.Extensions == nil {
		return nil, false
	}
	if info.IsResource {
		return s.cfg.Extensions.Route(info.Group, info.Version)
	}
	rest, ok := strings.CutPrefix(info.Path, "/apis/")
	if !ok {
		return nil, false
	}
	group, version, ok := strings.Cut(rest, "/")
	version, _, _ = strings.Cut(version, "/")
	if !ok || version == "" {
		return nil, false
	}
	return s.cfg.Extensions.Route(group, version)
}

// extend authorizes a request and hands it to another server. Its seat is given back before: a server that hangs holds
// up its own clients and nobody else.
func (s *Server) extend(w http.ResponseWriter, r *http.Request, info *request.Info, h http.Handler) {
	user, _ := identity.FromContext(r.Context())
	ask := pipeline.Attributes{User: user, Verb: info.Verb}
	if info.IsResource {
		ask.Group, ask.Version, ask.Resource, ask.Subresource = info.Group, info.Version, info.Resource, info.Subresource
		ask.Namespace, ask.Name = info.Namespace, info.Name
	} else {
		ask.Path = r.URL.Path
	}
	if err := s.authorize(r.Context(), ask); err != nil {
		respond.Error(w, r, err)
		return
	}
	fairness.Initialized(r.Context())
	h.ServeHTTP(w, r)
}
