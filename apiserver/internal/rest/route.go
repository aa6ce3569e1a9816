package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/keelson/keelson/apiserver/internal/rest/media"
	"github.com/keelson/keelson/apiserver/internal/rest/request"
	"github.com/keelson/keelson/apiserver/internal/rest/respond"
	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// route finds what serves the path.
func (s *Server) route(w http.ResponseWriter, r *http.Request, info *request.Info) {
	if h, ok := s.extension(info); ok {
		s.extend(w, r, info, h)
		return
	}
	if info.IsResource {
		s.resource(w, r, info)
		return
	}
	user, _ := identity.FromContext(r.Context())
	if err := s.authorize(r.Context(), pipeline.Attributes{User: user, Verb: info.Verb, Path: r.URL.Path}); err != nil {
		respond.Error(w, r, err)
		return
	}
	h, compress := s.document(r.URL.Path)
	if h == nil {
		respond.Error(w, r, apierrors.NewUnknownResource("", ""))
		return
	}
	w.Header().Set("Cache-Control", "no-cache, private") // what may be kept says so itself
	if compress {
		var done func()
		w, done = respond.Compress(w, r)
		defer done()
	}
	h.ServeHTTP(w, r)
}

// document finds the handler of a path that is no resource's, and whether its answers may be long.
func (s *Server) document(path string) (h http.Handler, compress bool) {
	switch {
	case path == "/":
		return http.HandlerFunc(s.index), false
	case s.cfg.Health.Handles(path):
		return s.cfg.Health, false
	case s.discovery.Handles(path):
		return s.discovery, true
	case path == "/version" || path == "/version/":
		return http.HandlerFunc(s.version), false
	case path == "/metrics" && s.cfg.Metrics != nil:
		return s.cfg.Metrics, false
	}
	if h, ok := s.cfg.Documents[path]; ok {
		return h, true
	}
	for p, h := range s.cfg.Documents {
		if strings.HasSuffix(p, "/") && strings.HasPrefix(path, p) {
			return h, true
		}
	}
	return nil, false
}

// authorize asks the authorizer and words a refusal.
func (s *Server) authorize(ctx context.Context, a pipeline.Attributes) error {
	decision, reason, err := s.cfg.Authorizer.Authorize(ctx, a)
	if err != nil {
		return apierrors.NewInternal(err)
	}
	if decision == pipeline.Allow {
		return nil
	}
	return apierrors.NewDenied(apierrors.Denied{User: a.User.Name, Verb: a.Verb, Group: a.Group, Resource: a.Resource,
		Subresource: a.Subresource, Namespace: a.Namespace, Name: a.Name, Path: a.Path, Reason: reason})
}

// index lists the paths.
func (s *Server) index(w http.ResponseWriter, r *http.Request) {
	s.json(w, r, map[string][]string{"paths": s.listPaths()})
}

// Version is the answer of /version, in the form that kubectl version reads.
type Version struct {
	Major string `json:"major"`
	Minor string `json:"minor"`
	// EmulationMajor and EmulationMinor name the version whose behaviour is served, the MinCompatibility ones the oldest
	// whose stored objects are understood (KEP-4330).
	EmulationMajor        string `json:"emulationMajor,omitempty"`
	EmulationMinor        string `json:"emulationMinor,omitempty"`
	MinCompatibilityMajor string `json:"minCompatibilityMajor,omitempty"`
	MinCompatibilityMinor string `json:"minCompatibilityMinor,omitempty"`

	GitVersion   string `json:"gitVersion"`
	GitCommit    string `json:"gitCommit"`
	GitTreeState string `json:"gitTreeState"`
	BuildDate    string `json:"buildDate"`
	GoVersion    string `json:"goVersion"`
	Compiler     string `json:"compiler"`
	Platform     string `json:"platform"`
}

func (s *Server) version(w http.ResponseWriter, r *http.Request) { s.json(w, r, s.cfg.Version) }

// json answers with a document that is no API object.
func (s *Server) json(w http.ResponseWriter, r *http.Request, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		respond.Error(w, r, err)
		return
	}
	out := &respond.Writer{ResponseWriter: w, Accept: media.Accepted{Format: media.JSON}, Pretty: true}
	if err := out.JSON(http.StatusOK, b); err != nil {
		respond.Error(w, r, err)
	}
}
