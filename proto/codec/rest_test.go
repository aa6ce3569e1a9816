package codec_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

func TestCustomObject(t *testing.T) {
	var obj metav1.CustomObject
	var tm codec.TypeMeta
	const in = `{"spec": {"a":[1, 2.5,{"b":null}]}, "apiVersion":"x.io/v1","metadata":{"name":"n","labels":{"l":"v"}},"kind":"K","status":"\u00e9"}`
	if _, err := codec.Unmarshal([]byte(in), &obj, codec.DecodeOptions{TypeMeta: &tm}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(codec.TypeMeta{APIVersion: "x.io/v1", Kind: "K"}, tm); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(`{"spec":{"a":[1, 2.5,{"b":null}]},"status":"\u00e9"}`, string(obj.Body)); diff != "" {
		t.Error(diff)
	}
	out, err := codec.AppendMessage(nil, &obj, codec.EncodeOptions{APIVersion: "x.io/v1", Kind: "K"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"kind":"K","apiVersion":"x.io/v1","metadata":{"name":"n","labels":{"l":"v"}},"spec":{"a":[1, 2.5,{"b":null}]},"status":"\u00e9"}`
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Error(diff)
	}
}

func TestCustomObjectOfMetadataAlone(t *testing.T) {
	var obj metav1.CustomObject
	if _, err := codec.Unmarshal([]byte(`{"metadata":{"name":"n"}}`), &obj, codec.DecodeOptions{}); err != nil || obj.Body != nil {
		t.Error(obj.Body, err)
	}
	out, err := codec.AppendMessage(nil, &obj, codec.EncodeOptions{APIVersion: "v1", Kind: "K"})
	if diff := cmp.Diff(`{"kind":"K","apiVersion":"v1","metadata":{"name":"n"}}`, string(out)); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestCustomObjectStrict(t *testing.T) {
	var obj metav1.CustomObject
	_, err := codec.Unmarshal([]byte(`{"metadata":{"name":"n","x":1},"spec":{"a":1,"l":[{},{"b":1,"b":2}],"a":2},"spec":3}`), &obj, codec.DecodeOptions{Validation: codec.Strict})
	var strict *codec.StrictError
	if !errors.As(err, &strict) {
		t.Fatal(err)
	}
	want := []string{`unknown field "metadata.x"`, `duplicate field "spec.l[1].b"`, `duplicate field "spec.a"`, `duplicate field "spec"`}
	if diff := cmp.Diff(want, strict.Problems); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{`{"spec":{"a":}}`, `{"spec":[1,]}`, `{"spec":`, `{"spec":{"a":1,}}`} {
		for _, v := range []codec.Validation{codec.Ignore, codec.Strict} {
			var syntax *codec.SyntaxError
			if _, err := codec.Unmarshal([]byte(bad), &obj, codec.DecodeOptions{Validation: v}); !errors.As(err, &syntax) {
				t.Errorf("%s: %v", bad, err)
			}
		}
	}
}

func TestMembers(t *testing.T) {
	for _, c := range []struct{ object, name, value, want string }{
		{``, "status", `1`, `{"status":1}`},
		{`{"spec":{}}`, "status", `{"a":1}`, `{"spec":{},"status":{"a":1}}`},
		{`{"spec":{},"status":1}`, "status", `2`, `{"spec":{},"status":2}`},
		{`{"spec":{},"status":1}`, "status", ``, `{"spec":{}}`},
		{`{"status":1}`, "status", ``, ``},
		{`{"status":1,"z":2}`, "status", ``, `{"z":2}`},
		{`{"a":1,"status":1,"z":2}`, "status", ``, `{"a":1,"z":2}`},
		{`{"a":1,"z":2}`, "status", `"x"`, `{"a":1,"status":"x","z":2}`},
		{`{"z":2}`, "a", `"x"`, `{"a":"x","z":2}`},
		{`{"z":2}`, "a", ``, `{"z":2}`},
	} {
		var value []byte
		if c.value != "" {
			value = []byte(c.value)
		}
		got := codec.SetMember([]byte(c.object), c.name, value)
		if string(got) != c.want {
			t.Errorf("%s with %s=%s is %s, want %s", c.object, c.name, c.value, got, c.want)
		}
		if back := codec.Member(got, c.name); string(back) != c.value {
			t.Errorf("%s of %s is %s", c.name, got, back)
		}
	}
}
