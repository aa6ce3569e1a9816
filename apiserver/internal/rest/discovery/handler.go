package discovery

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/rest/media"
	"github.com/keelson/keelson/apiserver/internal/rest/respond"
	"github.com/keelson/keelson/proto/apierrors"
	apidiscoveryv2 "github.com/keelson/keelson/proto/gen/keelson/apidiscovery/v2"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// Handler serves /api, /apis and what is below them up to the version.
type Handler struct {
	serves     Serves
	documents  map[string]document
	aggregated map[string]*apidiscoveryv2.APIGroupDiscoveryList
	etags      map[string]string
}

type document struct {
	kind    string
	message proto.Message
}

// Serves tells whether a subresource's behaviour exists.
type Serves func(k *schema.Kind, subresource string) bool

// New derives the documents. address is what clients of the legacy document are told to use, host:port.
// What other servers serve is external.
func New(kinds []*schema.Kind, serves Serves, address string, external ...External) *Handler {
	h := &Handler{serves: serves, documents: map[string]document{}, etags: map[string]string{},
		aggregated: map[string]*apidiscoveryv2.APIGroupDiscoveryList{"/api": {Metadata: &metav1.ListMeta{}}, "/apis": {Metadata: &metav1.ListMeta{}}}}
	core := &metav1.APIVersions{ServerAddressByClientCIDRs: []*metav1.ServerAddressByClientCIDR{
		{ClientCIDR: "0.0.0.0/0", ServerAddress: address}}}
	named := &metav1.APIGroupList{}
	for _, g := range h.add(h.groups(kinds), external) {
		root := "/apis"
		if g.name == "" {
			root = "/api"
			for _, v := range g.versions {
				core.Versions = append(core.Versions, v.version)
			}
		} else {
			a := apiGroup(g)
			named.Groups = append(named.Groups, a)
			h.documents["/apis/"+g.name] = document{"APIGroup", a}
		}
		for _, v := range g.versions {
			if v.external != nil {
				continue
			}
			path := "/apis/" + v.group + "/" + v.version
			if v.group == "" {
				path = "/api/" + v.version
			}
			h.documents[path] = document{"APIResourceList", h.resourceList(v)}
		}
		h.aggregated[root].Items = append(h.aggregated[root].Items, h.groupDiscovery(g))
	}
	h.documents["/api"] = document{"APIVersions", core}
	h.documents["/apis"] = document{"APIGroupList", named}
	for path, list := range h.aggregated {
		// Deterministic within a build is enough: a new build is a new document.
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(list)
		if err != nil {
			panic(err) // messages made above
		}
		sum := sha256.Sum256(b)
		h.etags[path] = strings.ToUpper(hex.EncodeToString(sum[:]))
	}
	return h
}

// Paths lists the documents' paths.
func (h *Handler) Paths() []string {
	out := make([]string, 0, len(h.documents))
	for p := range h.documents {
		out = append(out, p)
	}
	return out
}

// Handles tells whether the path is one of discovery's.
func (h *Handler) Handles(path string) bool {
	_, ok := h.documents[strings.TrimSuffix(path, "/")]
	return ok
}

// ServeHTTP answers with the document of the path.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(r.URL.Path, "/")
	d, ok := h.documents[path]
	switch {
	case !ok:
		respond.Error(w, r, apierrors.NewUnknownResource("", ""))
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		respond.Error(w, r, apierrors.New(apierrors.ReasonMethodNotAllowed, "the server does not allow this method on the requested resource", nil))
		return
	}
	if list := h.aggregated[path]; list != nil {
		w.Header().Add("Vary", "Accept")
		if format, version, ok := wantsAggregated(r); ok {
			h.serveAggregated(w, r, path, format, version)
			return
		}
	}
	out, err := respond.New(w, r, media.Want{Formats: respond.AllFormats})
	if err == nil {
		err = out.Message(http.StatusOK, "v1", d.kind, d.message)
	}
	if err != nil {
		respond.Error(w, r, err)
	}
}

func (h *Handler) serveAggregated(w http.ResponseWriter, r *http.Request, path string, format media.Format, version string) {
	etag := `"` + h.etags[path] + `"`
	w.Header().Set("ETag", etag)
	w.Header().Set("Cache-Control", "public")
	if match := r.Header.Get("If-None-Match"); match != "" && (match == "*" || strings.Contains(match, etag)) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	out := &respond.Writer{ResponseWriter: w, Accept: media.Accepted{Format: format}, Pretty: media.Pretty(r),
		ContentParams: ";g=apidiscovery.k8s.io;v=" + version + ";as=APIGroupDiscoveryList"}
	if err := out.Message(http.StatusOK, "apidiscovery.k8s.io/"+version, "APIGroupDiscoveryList", h.aggregated[path]); err != nil {
		respond.Error(w, r, err)
	}
}

// wantsAggregated tells whether the client's first choice among what is spoken is the aggregated document: clients
// that know it list it before the old one.
func wantsAggregated(r *http.Request) (format media.Format, version string, ok bool) {
	a, ok := media.NegotiateAs(r, respond.AllFormats, "apidiscovery.k8s.io", "APIGroupDiscoveryList", "v2", "v2beta1")
	if !ok || a.ViewVersion == "" {
		return 0, "", false
	}
	return a.Format, a.ViewVersion, true
}
