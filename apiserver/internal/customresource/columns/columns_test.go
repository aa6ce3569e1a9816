package columns

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keelson/keelson/proto/codec"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
)

const object = `{"metadata":{"name":"n","creationTimestamp":"2020-01-01T00:00:00Z","annotations":{"a.b/c":"x"}},"spec":{"replicas":3,
	"ratio":1.5,"on":true,"list":["a","b","c"],"items":[{"type":"Ready","status":"True","n":1},{"type":"Other","status":"False","n":2}],"null":null}}`

func TestPaths(t *testing.T) {
	v, err := codec.ParseTree([]byte(object))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]any{
		".metadata.name":                           {"n"},
		"{.metadata.name}":                         {"n"},
		`.metadata.annotations.a\.b/c`:             {"x"},
		`.metadata.annotations['a\.b/c']`:          {"x"},
		`.metadata.annotations["a.b/c"]`:           {"x"},
		".spec.list[0]":                            {"a"},
		".spec.list[-1]":                           {"c"},
		".spec.list[1:]":                           {"b", "c"},
		".spec.list[:2]":                           {"a", "b"},
		".spec.list[*]":                            {"a", "b", "c"},
		".spec.list[0,2]":                          {"a", "c"},
		".spec.list[9]":                            nil,
		`.spec.items[?(@.type=="Ready")].status`:   {"True"},
		`.spec.items[?(@.type == 'Other')].status`: {"False"},
		`.spec.items[?(@.n>1)].type`:               {"Other"},
		`.spec.items[?(@.n!=1)].type`:              {"Other"},
		`.spec.items[?(@.type)].n`:                 {int64(1), int64(2)},
		`.spec.items[?(@.missing=="x")].n`:         nil,
		"..status":                                 {"True", "False"},
		".nothing.here":                            nil,
		".":                                        {v},
	} {
		p, err := Parse(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if diff := cmp.Diff(want, p.Find(v)); diff != "" {
			t.Errorf("%s: -want +got\n%s", path, diff)
		}
	}
	for _, bad := range []string{".a[", ".a[x]", ".a[?(@.b==c)]", "..", ".a[1:2:3:4]"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestCells(t *testing.T) {
	v, err := codec.ParseTree([]byte(object))
	if err != nil {
		t.Fatal(err)
	}
	var list []*apiextensionsv1.CustomResourceColumnDefinition
	for _, c := range [][2]string{{"integer", ".spec.replicas"}, {"integer", ".spec.ratio"}, {"number", ".spec.replicas"}, {"boolean", ".spec.on"}, {"string", ".spec.on"},
		{"string", ".spec.list"}, {"date", ".metadata.creationTimestamp"}, {"date", ".metadata.name"}, {"string", ".missing"}, {"boolean", ".metadata.name"}} {
		list = append(list, &apiextensionsv1.CustomResourceColumnDefinition{Name: "c", Type: c[0], JsonPath: c[1]})
	}
	got := New(list).Cells(v.(map[string]any), time.Date(2020, 1, 1, 0, 5, 0, 0, time.UTC))
	want := []any{int64(3), int64(1), float64(3), true, "true", `["a","b","c"]`, "5m", "<invalid>", nil, nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if d := New(nil).Definitions(); len(d) != 1 || d[0].Name != "Age" || d[0].Type != "date" {
		t.Error(d)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{".a.b", "[?(@.a=='b')]", "..x[1:2]", "['a']", `.a\.b`} {
		f.Add(s)
	}
	v, err := codec.ParseTree([]byte(object))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(_ *testing.T, s string) {
		if p, err := Parse(s); err == nil {
			p.Find(v)
		}
	})
}
