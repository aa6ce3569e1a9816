package envelope

import (
	"bytes"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	raw := []byte("\x0a\x03abc")
	b := Append(nil, "apps/v1", "Deployment", raw)
	o, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if o.APIVersion != "apps/v1" || o.Kind != "Deployment" || !bytes.Equal(o.Raw, raw) {
		t.Errorf("got %+v", o)
	}
}

// Kubernetes writes the two empty strings that follow the object; they mean nothing.
func TestParseTrailingFields(t *testing.T) {
	b := append(Append(nil, "v1", "Pod", []byte{}), 0x1a, 0, 0x22, 0)
	if _, err := Parse(b); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Append(nil, "v1", "Pod", []byte("x")))
	f.Add([]byte(Magic))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(Append(nil, o.APIVersion, o.Kind, o.Raw))
		if err != nil || again.Kind != o.Kind || !bytes.Equal(again.Raw, o.Raw) {
			t.Errorf("%+v became %+v: %v", o, again, err)
		}
	})
}
