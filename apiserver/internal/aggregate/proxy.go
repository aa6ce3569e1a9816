package aggregate

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"

	"github.com/keelson/keelson/apiserver/internal/rest/respond"
	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// Route returns what serves a group version that is another server's; false where it is not.
func (a *Aggregator) Route(group, version string) (http.Handler, bool) {
	routes := *a.routes.Load()
	if len(routes) == 0 {
		return nil, false
	}
	r, ok := routes[groupVersion{group, version}]
	return r, ok
}

// silent is where reverse proxies would log: what goes wrong with a request is told to its client.
var silent = log.New(io.Discard, "", 0)

// ServeHTTP sends a request on. It has been authorized here; what it means is the other server's to judge, in the user's
// name.
func (r *remote) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !r.available.Load() {
		// Clients know this answer as it is.
		http.Error(w, "service unavailable", http.StatusServiceUnavailable)
		return
	}
	user, ok := identity.FromContext(req.Context())
	if !ok {
		http.Error(w, "missing user", http.StatusInternalServerError)
		return
	}
	select {
	case r.waiting <- struct{}{}:
		defer func() { <-r.waiting }()
	default:
		respond.Error(w, req, apierrors.NewTooManyRequests("too many requests wait for the server behind "+r.gv.name()+", please try again later", 1))
		return
	}
	p := httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "https", r.host(), r.host()
			setUser(p.Out.Header, user)
			p.SetXForwarded()
			if id := w.Header().Get("Audit-Id"); id != "" {
				p.Out.Header.Set("Audit-Id", id)
			}
		},
		Transport: r.transport, FlushInterval: -1, ErrorLog: silent,
		ModifyResponse: func(resp *http.Response) error {
			resp.Header.Del("Audit-Id") // this server has said its own, which is the same
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, req *http.Request, err error) {
			r.look()
			if req.Context().Err() != nil {
				err = apierrors.NewTimeout("the server behind "+r.gv.name()+" did not answer in time", 0)
			} else {
				err = apierrors.NewServiceUnavailable("error trying to reach service: " + err.Error())
			}
			respond.Error(w, req, err)
		},
	}
	p.ServeHTTP(w, req)
}
