// Package apidocs serves the OpenAPI documents under /openapi: kubectl explains, validates and merges by them.
package apidocs

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/keelson/keelson/apiserver/internal/rest/respond"
	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/schema/openapi"
)

// Media types of gnostic's protobuf documents. Clients ask with the "@", which is not allowed in a Content-Type; the
// answer says it with a dot.
const (
	typeV2 = "application/com.github.proto-openapi.spec.v2"
	typeV3 = "application/com.github.proto-openapi.spec.v3"
)

// foreverCache is for documents whose URL names their content.
const foreverCache = 365 * 24 * time.Hour

// Handler serves the documents.
type Handler struct{ documents *openapi.Documents }

// New returns a handler of the documents.
func New(d *openapi.Documents) *Handler { return &Handler{d} }

// Paths returns the handler by the paths that it serves; one that ends in "/" is a prefix.
func (h *Handler) Paths() map[string]http.Handler {
	return map[string]http.Handler{
		"/openapi/v2":  http.HandlerFunc(h.v2),
		"/openapi/v3":  http.HandlerFunc(h.index),
		"/openapi/v3/": http.HandlerFunc(h.v3),
	}
}

func (h *Handler) v2(w http.ResponseWriter, r *http.Request) {
	d, err := h.documents.V2()
	if err != nil {
		respond.Error(w, r, err)
		return
	}
	write(w, r, d, typeV2)
}

func (h *Handler) index(w http.ResponseWriter, r *http.Request) {
	b, err := h.documents.Index()
	if err != nil {
		respond.Error(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b)
}

func (h *Handler) v3(w http.ResponseWriter, r *http.Request) {
	path := strings.Trim(strings.TrimPrefix(r.URL.Path, "/openapi/v3/"), "/")
	d, ok, err := h.documents.V3(path)
	switch {
	case err != nil:
		respond.Error(w, r, err)
		return
	case !ok:
		respond.Error(w, r, apierrors.NewUnknownResource("", ""))
		return
	}
	if hash := r.URL.Query().Get("hash"); hash != "" {
		if hash != d.Hash {
			// The document has changed since the index was read.
			to := url.URL{Path: r.URL.Path, RawQuery: "hash=" + d.Hash}
			http.Redirect(w, r, to.String(), http.StatusMovedPermanently)
			return
		}
		w.Header().Set("Cache-Control", "public, immutable")
		w.Header().Set("Expires", time.Now().Add(foreverCache).UTC().Format(http.TimeFormat))
	}
	write(w, r, d, typeV3)
}

// write answers in the first form of the Accept header that there is, JSON by default.
func write(w http.ResponseWriter, r *http.Request, d *openapi.Document, protobuf string) {
	h := w.Header()
	h.Add("Vary", "Accept")
	form, ok := choose(strings.Join(r.Header.Values("Accept"), ","), protobuf)
	if !ok {
		respond.Error(w, r, apierrors.NewNotAcceptable("application/json, "+protobuf+"@v1.0+protobuf"))
		return
	}
	etag := `"` + d.Hash + `"`
	h.Set("ETag", etag)
	if strings.Contains(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	b := d.JSON
	h.Set("Content-Type", "application/json")
	if form == formProtobuf {
		var err error
		if b, err = d.Protobuf(); err != nil {
			respond.Error(w, r, err)
			return
		}
		h.Set("Content-Type", protobuf+".v1.0+protobuf")
	}
	h.Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b)
}

type form int

const (
	formJSON form = iota
	formProtobuf
)

func choose(accept, protobuf string) (form, bool) {
	if strings.TrimSpace(accept) == "" {
		return formJSON, true
	}
	for _, part := range strings.Split(accept, ",") {
		switch kind, _, _ := strings.Cut(strings.TrimSpace(part), ";"); kind {
		case "application/json", "application/*", "*/*":
			return formJSON, true
		case protobuf + "@v1.0+protobuf", protobuf + ".v1.0+protobuf":
			return formProtobuf, true
		}
	}
	return 0, false
}
