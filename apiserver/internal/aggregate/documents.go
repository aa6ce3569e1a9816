package aggregate

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/keelson/keelson/apiserver/internal/rest/apidocs"
	"github.com/keelson/keelson/apiserver/internal/rest/respond"
	"github.com/keelson/keelson/proto/schema/openapi"
)

// Paths of the OpenAPI documents.
const (
	pathV2 = "/openapi/v2"
	pathV3 = "/openapi/v3"
)

// Documents adds what other servers say about their versions to this server's OpenAPI documents, which are given by
// path. Without other servers they are handed out as they are.
func (a *Aggregator) Documents(local map[string]http.Handler) map[string]http.Handler {
	out := maps.Clone(local)
	if h := local[pathV2]; h != nil {
		out[pathV2] = &joinedV2{a: a, local: h}
	}
	if h := local[pathV3]; h != nil {
		out[pathV3] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.index(w, r, h) })
	}
	if h := local[pathV3+"/"]; h != nil {
		out[pathV3+"/"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.v3(w, r, h) })
	}
	return out
}

// captured is an answer that is not sent yet.
type captured struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (c *captured) Header() http.Header { return c.header }
func (c *captured) WriteHeader(code int) {
	if c.code == 0 {
		c.code = code
	}
}
func (c *captured) Write(p []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	return c.body.Write(p)
}

// capture asks a handler for its document as JSON.
func capture(h http.Handler, r *http.Request) *captured {
	c := &captured{header: http.Header{}}
	ask := r.Clone(r.Context())
	ask.Header = http.Header{"Accept": {"application/json"}}
	h.ServeHTTP(c, ask)
	return c
}

// index answers with where the documents of OpenAPI 3 are.
func (a *Aggregator) index(w http.ResponseWriter, r *http.Request, local http.Handler) {
	routes := *a.routes.Load()
	if len(routes) == 0 {
		local.ServeHTTP(w, r)
		return
	}
	c := capture(local, r)
	var doc struct {
		Paths map[string]map[string]string `json:"paths"`
	}
	if err := json.Unmarshal(c.body.Bytes(), &doc); err != nil || c.code != http.StatusOK || doc.Paths == nil {
		local.ServeHTTP(w, r)
		return
	}
	for gv, remote := range routes {
		path := strings.TrimPrefix(gv.root(), "/")
		delete(doc.Paths, path)
		if s := remote.specs.Load(); s != nil && s.v3URL != "" {
			there := pathV3 + "/" + path
			if u, err := url.Parse(s.v3URL); err == nil && u.RawQuery != "" {
				there += "?" + u.RawQuery
			}
			doc.Paths[path] = map[string]string{"serverRelativeURL": there}
		}
	}
	b, err := json.Marshal(doc)
	if err != nil {
		respond.Error(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b)
}

// v3 answers with a version's document, or has the server answer that serves the version.
func (a *Aggregator) v3(w http.ResponseWriter, r *http.Request, local http.Handler) {
	path := strings.Trim(strings.TrimPrefix(r.URL.Path, pathV3+"/"), "/")
	if rest, ok := strings.CutPrefix(path, "apis/"); ok {
		if group, version, ok := strings.Cut(rest, "/"); ok {
			if h, ok := a.Route(group, version); ok {
				h.ServeHTTP(w, r)
				return
			}
		}
	}
	local.ServeHTTP(w, r)
}

// joinedV2 is the one document of OpenAPI 2, made again when this server's or another's has changed.
type joinedV2 struct {
	a     *Aggregator
	local http.Handler

	mu       sync.Mutex
	etag     string
	revision int64
	document *openapi.Document
}

// ServeHTTP implements http.Handler.
func (j *joinedV2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	routes := *j.a.routes.Load()
	d, err := j.join(r, routes)
	switch {
	case err != nil:
		respond.Error(w, r, err)
	case d == nil:
		j.local.ServeHTTP(w, r)
	default:
		apidocs.WriteV2(w, r, d)
	}
}

// join returns the document; nil where nobody adds anything.
func (j *joinedV2) join(r *http.Request, routes map[groupVersion]*remote) (*openapi.Document, error) {
	adds := false
	for _, remote := range routes {
		if s := remote.specs.Load(); s != nil && len(s.v2) > 0 {
			adds = true
		}
	}
	if !adds {
		return nil, nil
	}
	revision := j.a.Revision()
	c := capture(j.local, r)
	if c.code != http.StatusOK {
		return nil, nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	etag := c.header.Get("ETag")
	if j.document != nil && j.etag == etag && j.revision == revision {
		return j.document, nil
	}
	var doc map[string]any
	if err := json.Unmarshal(c.body.Bytes(), &doc); err != nil {
		return nil, err
	}
	for gv, remote := range routes {
		if s := remote.specs.Load(); s != nil && len(s.v2) > 0 {
			var other map[string]any
			if json.Unmarshal(s.v2, &other) == nil {
				mergeV2(doc, other, gv.root())
			}
		}
	}
	d, err := openapi.JoinedV2(doc)
	if err != nil {
		return nil, err
	}
	j.document, j.etag, j.revision = d, etag, revision
	return d, nil
}
