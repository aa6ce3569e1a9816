package apidocs

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	openapi_v3 "github.com/google/gnostic-models/openapiv3"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/openapi"
)

func get(h *Handler, path, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, http.NoBody)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	paths := h.Paths()
	handler := paths[r.URL.Path]
	if handler == nil {
		handler = paths["/openapi/v3/"]
	}
	handler.ServeHTTP(w, r)
	return w
}

func TestDocuments(t *testing.T) {
	h := New(openapi.New(schema.Builtin(), "v1.37.0"))

	// As client-go's OpenAPISchema asks.
	w := get(h, "/openapi/v2", typeV2+"@v1.0+protobuf")
	var v2 openapi_v2.Document
	if err := proto.Unmarshal(w.Body.Bytes(), &v2); err != nil || v2.GetSwagger() != "2.0" {
		t.Errorf("v2: %d %v", w.Code, err)
	}
	var index struct {
		Paths map[string]struct{ ServerRelativeURL string }
	}
	if err := json.Unmarshal(get(h, "/openapi/v3", "application/json").Body.Bytes(), &index); err != nil {
		t.Fatal(err)
	}
	url := index.Paths["apis/apps/v1"].ServerRelativeURL
	if w = get(h, url, "application/json"); w.Code != 200 || w.Header().Get("Cache-Control") != "public, immutable" {
		t.Errorf("%s: %d %v", url, w.Code, w.Header())
	}
	var v3 openapi_v3.Document
	if w = get(h, url, typeV3+"@v1.0+protobuf"); proto.Unmarshal(w.Body.Bytes(), &v3) != nil || v3.GetOpenapi() != "3.0.0" {
		t.Errorf("v3 as protobuf: %d", w.Code)
	}
	if w = get(h, "/openapi/v3/apis/apps/v1?hash=old", ""); w.Code != 301 || w.Header().Get("Location") != url {
		t.Errorf("old hash: %d %v", w.Code, w.Header())
	}
	if w = get(h, "/openapi/v3/apis/nothing/v1", ""); w.Code != 404 {
		t.Errorf("unknown: %d", w.Code)
	}
	if w = get(h, "/openapi/v2", "text/html"); w.Code != 406 {
		t.Errorf("html: %d", w.Code)
	}
}
