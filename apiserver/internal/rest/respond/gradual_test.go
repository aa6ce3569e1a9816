package respond

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/keelson/keelson/apiserver/internal/rest/media"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/schema"
)

// A list of any length says the same in every format.
func TestGradual(t *testing.T) {
	kind, ok := schema.Builtin().ByResource("", "v1", "configmaps")
	if !ok {
		t.Fatal("no config maps")
	}
	texts := []string{"", "plain", "a\nb\n", "\n\n  indented\n\n", " leading", "- x: y", "#", strings.Repeat("long words ", 40), "trailing \n", "tab\there", "'\"", "null", "1"}
	for _, n := range []int{0, 1, wholeUpTo, wholeUpTo + 1, 200} {
		l := &pipeline.List{Kind: kind, Revision: 7}
		for i := range n {
			data := map[string]string{}
			for j, text := range texts {
				data[fmt.Sprint("k", j)] = strings.Repeat(text, 1+i%3)
			}
			wire, err := proto.Marshal(&corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Name: fmt.Sprint("c", i), Namespace: "ns"}, Data: data})
			if err != nil {
				t.Fatal(err)
			}
			it, err := item.New(kind, wire, int64(i+1), "ns", fmt.Sprint("c", i))
			if err != nil {
				t.Fatal(err)
			}
			l.Items = append(l.Items, it)
		}
		write := func(a media.Accepted, pretty bool) string {
			rec := httptest.NewRecorder()
			if err := (&Writer{ResponseWriter: rec, Accept: a, Pretty: pretty}).List(l); err != nil {
				t.Fatal(err)
			}
			return rec.Body.String()
		}
		plain := write(media.Accepted{Format: media.JSON}, false)
		pretty := write(media.Accepted{Format: media.JSON}, true)
		var want strings.Builder
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(json.RawMessage(plain)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimSpace(want.String()), pretty); diff != "" {
			t.Errorf("%d items, indented: %.2000s", n, diff)
		}
		inYAML := write(media.Accepted{Format: media.YAML}, false)
		var a, b any
		if err := json.Unmarshal([]byte(plain), &a); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal([]byte(inYAML), &b); err != nil {
			t.Fatalf("%d items: %v\n%.2000s", n, err, inYAML)
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%d items, YAML: %.2000s", n, diff)
		}
	}
}
