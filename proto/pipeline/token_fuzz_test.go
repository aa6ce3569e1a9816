package pipeline

import (
	"encoding/base64"
	"testing"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/schema"
)

// A forged token is refused as a bad request, or means a place in a list; it names nothing outside of the collection.
func FuzzToken(f *testing.F) {
	for _, s := range []string{`{"v":"meta.k8s.io/v1","rv":5,"start":"ns/name\u0000"}`, `{"v":"meta.k8s.io/v1","rv":-1,"start":"../../secrets/x"}`,
		`{"v":"meta.k8s.io/v1","rv":9223372036854775807,"start":"/"}`, `{"v":"x"}`, `[]`, ``, `{"v":"meta.k8s.io/v1","rv":1e400,"start":"a"}`} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(s)))
	}
	f.Add("%%%")
	pods, _ := schema.Builtin().ByResource("", "v1", "pods")
	nodes, _ := schema.Builtin().ByResource("", "v1", "nodes")
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := parseToken(s)
		if err != nil {
			if !apierrors.IsBadRequest(err) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if tok.position(pods, "ns").Namespace != "ns" {
			t.Errorf("%q leaves its namespace", s)
		}
		tok.position(pods, "")
		tok.position(nodes, "")
		again, err := parseToken(tok.String())
		if err != nil || again != tok {
			t.Errorf("%q: %+v became %+v, %v", s, tok, again, err)
		}
	})
}
