package envelope

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What Kubernetes' protobuf serializer writes for an object whose bytes are "raw".
const kubernetes = "k8s\x00\n\x09\n\x02v1\x12\x03Pod\x12\x03raw\x1a\x00\"\x00"

// ours says in a field of its own that the object is complete.
const ours = kubernetes + "\x78\x01"

func TestBytesAreKubernetes(t *testing.T) {
	if got := string(Append(nil, "v1", "Pod", []byte("r"), []byte("aw"))); got != ours {
		t.Fatalf("got  %q\nwant %q", got, ours)
	}
	for value, complete := range map[string]bool{kubernetes: false, ours: true, kubernetes + "\x78\x00": false} {
		o, err := Parse([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Object{APIVersion: "v1", Kind: "Pod", Complete: complete, Raw: []byte("raw")}, o); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, v := range []string{"", "{}", "k8s", "k8s\x00\n\xff", "k8s\x00\x12\x05raw", kubernetes[:len(kubernetes)-4] + "\x1a\x04gzip"} {
		if o, err := Parse([]byte(v)); err == nil {
			t.Errorf("%q parsed as %+v", v, o)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(kubernetes))
	f.Fuzz(func(t *testing.T, value []byte) {
		o, err := Parse(value)
		if err != nil {
			return
		}
		again, err := Parse(Append(nil, o.APIVersion, o.Kind, o.Raw))
		if err != nil || again.APIVersion != o.APIVersion || again.Kind != o.Kind || string(again.Raw) != string(o.Raw) {
			t.Fatalf("%+v became %+v, %v", o, again, err)
		}
	})
}
