package rest

import (
	"net/http"
	"strconv"

	"github.com/keelson/keelson/apiserver/internal/fairness"
	"github.com/keelson/keelson/apiserver/internal/rest/request"
	"github.com/keelson/keelson/proto/pipeline/identity"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// admit waits until it is the request's turn. The request that it returns carries the seat, which must be released. What
// lasts has none, but for watches until they are up: see fairness.Initialized.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, info *request.Info, long bool) (*http.Request, *fairness.Seat, error) {
	if long && info.Verb != "watch" {
		return r, nil, nil
	}
	user, _ := identity.FromContext(r.Context())
	ask := fairness.Request{User: user, Verb: info.Verb}
	if info.IsResource {
		ask.Group, ask.Resource, ask.Subresource, ask.Namespace = info.Group, info.Resource, info.Subresource, info.Namespace
		ask.Width = s.width(r, info)
	} else {
		ask.Path = r.URL.Path
	}
	seat, err := s.cfg.Limiter.Acquire(r.Context(), &ask)
	seat.SetHeaders(w.Header())
	if err != nil {
		return r, nil, err
	}
	if r.Body != nil && r.Body != http.NoBody && !long {
		r.Body = &slowBody{ReadCloser: r.Body, seat: seat}
	}
	if _, extended := s.extension(info); long || extended {
		r = r.WithContext(fairness.NewContext(r.Context(), seat))
	}
	return r, seat, nil
}

// width is how many seats the request takes.
func (s *Server) width(r *http.Request, info *request.Info) int {
	if info.Name != "" || info.Verb != "list" && info.Verb != "watch" && info.Verb != "deletecollection" {
		return 1
	}
	q := r.URL.Query()
	if info.Verb == "watch" && q.Get("sendInitialEvents") != "true" {
		if v := q.Get("resourceVersion"); v != "" && v != "0" {
			return 1
		}
	}
	limit, err := strconv.ParseInt(q.Get("limit"), 10, 64)
	if err != nil || limit < 0 {
		limit = 0
	}
	return fairness.Width(s.cfg.Pipeline.Weigh(&resourcev1.Selection{Namespace: info.Namespace,
		Resource: &resourcev1.Resource{Group: info.Group, Version: info.Version, Plural: info.Resource}}, limit))
}
