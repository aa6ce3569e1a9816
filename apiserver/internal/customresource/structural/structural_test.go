package structural

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keelson/keelson/proto/codec"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
)

func parse(t *testing.T, text string) *Schema {
	t.Helper()
	p := &apiextensionsv1.JSONSchemaProps{}
	if _, err := codec.Unmarshal([]byte(text), p, codec.DecodeOptions{Validation: codec.Strict}); err != nil {
		t.Fatal(err)
	}
	return New(p)
}

func tree(t *testing.T, text string) map[string]any {
	t.Helper()
	v, err := codec.ParseTree([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v.(map[string]any)
}

const sample = `{"type":"object","properties":{
	"a":{"type":"string","default":"x"},
	"n":{"type":"string","nullable":true,"default":"y"},
	"plain":{"type":"string"},
	"o":{"type":"object","properties":{"p":{"type":"integer","default":1}}},
	"d":{"type":"object","default":{},"properties":{"q":{"type":"integer","default":2}}},
	"l":{"type":"array","items":{"type":"object","properties":{"r":{"type":"integer","default":3}}}},
	"m":{"type":"object","additionalProperties":{"type":"object","properties":{"s":{"type":"integer","default":4}}}},
	"open":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"t":{"type":"object","properties":{"u":{"type":"string"}}}}},
	"free":{"type":"object","additionalProperties":true},
	"e":{"type":"object","x-kubernetes-embedded-resource":true,"properties":{"spec":{"type":"object"}}}}}`

func TestDefaults(t *testing.T) {
	s := parse(t, sample)
	for in, want := range map[string]string{
		`{}`: `{"a":"x","n":"y","d":{"q":2}}`,
		`{"a":null,"n":null,"plain":null,"d":null}`:          `{"a":"x","n":null,"d":{"q":2}}`,
		`{"o":{},"l":[{},{"r":9}],"m":{"k":{}},"d":{"q":5}}`: `{"a":"x","n":"y","o":{"p":1},"l":[{"r":3},{"r":9}],"m":{"k":{"s":4}},"d":{"q":5}}`,
	} {
		body := tree(t, in)
		s.SetDefaults(body)
		if diff := cmp.Diff(tree(t, want), body); diff != "" {
			t.Errorf("%s: -want +got\n%s", in, diff)
		}
		again := Copy(body).(map[string]any)
		s.SetDefaults(again)
		if diff := cmp.Diff(body, again); diff != "" {
			t.Errorf("%s is not the same a second time: %s", in, diff)
		}
	}
}

func TestPrune(t *testing.T) {
	s := parse(t, sample)
	body := tree(t, `{"zz":1,"a":"v","o":{"p":1,"x":2},"l":[{"r":1},{"x":{"y":1}}],"m":{"k":{"s":1,"x":2}},"open":{"any":{"thing":[1]},"t":{"u":"a","x":1}},
		"e":{"apiVersion":"v1","kind":"K","metadata":{"name":"n"},"spec":{},"other":1}}`)
	want := tree(t, `{"a":"v","o":{"p":1},"l":[{"r":1},{}],"m":{"k":{"s":1}},"open":{"any":{"thing":[1]},"t":{"u":"a"}},
		"e":{"apiVersion":"v1","kind":"K","metadata":{"name":"n"},"spec":{}}}`)
	dropped := map[string]bool{}
	s.Prune(body, func(path string) { dropped[path] = true })
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	paths := map[string]bool{"zz": true, "o.x": true, "l[1].x": true, "m.k.x": true, "open.t.x": true, "e.other": true}
	if diff := cmp.Diff(paths, dropped); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestApplyType(t *testing.T) {
	s := parse(t, `{"type":"object","properties":{"spec":{"type":"object","properties":{
		"set":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}},
		"map":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],"items":{"type":"object","properties":{"k":{"type":"string"},"v":{"type":"integer"}}}},
		"list":{"type":"array","items":{"type":"string"}},
		"atomic":{"type":"object","x-kubernetes-map-type":"atomic","properties":{"a":{"type":"string"}}},
		"port":{"x-kubernetes-int-or-string":true},
		"any":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}}`)
	v, err := s.ApplyType().FromUnstructured(tree(t, `{"apiVersion":"a/v1","kind":"K","metadata":{"name":"n","labels":{"l":"x"}},"spec":{"set":["a"],"map":[{"k":"x","v":1}],
		"list":["a"],"atomic":{"a":"b"},"port":"80%","any":{"x":{"y":1}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	set, err := v.ToFieldSet()
	if err != nil {
		t.Fatal(err)
	}
	got, err := set.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"f:apiVersion":{},"f:kind":{},"f:metadata":{"f:labels":{"f:l":{}},"f:name":{}},"f:spec":{"f:any":{"f:x":{".":{},"f:y":{}}},"f:atomic":{},"f:list":{},"f:map":{"k:{\"k\":\"x\"}":{".":{},"f:k":{},"f:v":{}}},"f:port":{},"f:set":{"v:\"a\"":{}}}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}
