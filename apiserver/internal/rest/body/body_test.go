package body

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keelson/keelson/proto/apierrors"
)

func TestReadLimit(t *testing.T) {
	for _, tt := range []struct {
		size    int
		chunked bool
		fits    bool
	}{{10, false, true}, {11, false, false}, {10, true, true}, {11, true, false}, {0, true, true}} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", tt.size)))
		if tt.chunked {
			r.ContentLength = -1
		}
		b, err := Read(r, 10)
		if (err == nil) != tt.fits {
			t.Fatalf("%+v: %v", tt, err)
		}
		if err == nil && len(b) != tt.size {
			t.Errorf("%+v: read %d bytes", tt, len(b))
		}
		if err != nil && apierrors.FromError(err).GetCode() != 413 {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		name, contentType, body, want, err string
		strict                             int
	}{
		{name: "json as it is", contentType: "application/json", body: `{"a":1,}`, want: `{"a":1,}`},
		{name: "yaml", contentType: "application/yaml", body: "a: 1\nb: [x]\n", want: `{"a":1,"b":["x"]}`},
		{name: "yaml twice", contentType: "application/yaml", body: "a: 1\na: 2\n", want: `{"a":2}`, strict: 1},
		{name: "bad yaml", contentType: "application/yaml", body: "a: [", err: "error converting YAML to JSON"},
		{name: "bad protobuf", contentType: "application/vnd.kubernetes.protobuf", body: "{}", err: "expected prefix"},
		{name: "cbor", contentType: "application/cbor", body: "x", err: "accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, err := Decode(tt.contentType, []byte(tt.body))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(o.Raw) != tt.want || len(o.Strict) != tt.strict {
				t.Errorf("got %s %v", o.Raw, o.Strict)
			}
		})
	}
}
