package body

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// A body of any kind is brought to JSON or protobuf, or refused as the client's mistake; YAML does not grow beyond measure.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"a: b", "a: &x [1]\nb: [*x,*x]", "{a: {b: c}}", "- a\n- b: 1\n  b: 2", "k8s\x00\x0a\x04\x0a\x02v1", "? [a]\n: b", "a: !!binary x", "a: 1e999", "%YAML 1.2\n---\na", "<<: {a: b}"} {
		f.Add("application/yaml", []byte(s))
		f.Add("application/vnd.kubernetes.protobuf", []byte(s))
	}
	f.Add("application/json; charset=utf-8", []byte(`{}`))
	f.Fuzz(func(t *testing.T, contentType string, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		o, err := Decode(contentType, b)
		if err != nil {
			if apierrors.FromError(err).GetCode()/100 != 4 {
				t.Errorf("%v", err)
			}
			return
		}
		if strings.Contains(contentType, "yaml") && o.Encoding == resourcev1.Encoding_ENCODING_JSON && len(o.Raw) > 0 && !json.Valid(o.Raw) {
			t.Errorf("%q became %q", b, o.Raw)
		}
		if len(o.Raw) > 64*len(b)+(4<<20) {
			t.Errorf("%d bytes became %d", len(b), len(o.Raw))
		}
	})
}
