package apply

import (
	"bytes"
	"testing"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

const sampleSet = `{"f:metadata":{"f:annotations":{".":{},"f:a.b/c":{}},"f:labels":{"f:x":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:env":{".":{},"k:{\"name\":\"A\"}":{".":{},"f:name":{},"f:value":{}}},"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}},"f:finalizers":{"v:\"a\"":{}},"i:2":{}}}`

// What is parsed directly is what structured-merge-diff parses, and the two agree on what is wrong.
func FuzzParseSet(f *testing.F) {
	for _, s := range []string{sampleSet, `{}`, `{".":{}}`, `{"f:a":{".":{}}}`, `{"f:a":{".":{},"f:b":{}}}`, ` {"f:a":{}}`, `{"f:a":{"f:b":{},".":{}}}`, `{"f:a":{}`, `{"f:a":{},"f:a":{}}`,
		`{"f:\u0061":{}}`, `{"f:a\\b":{}}`, `{"x:a":{}}`, `{"k:{}":{}}`, `{"f:a":{}}x`, `{"f:":{}}`, `{"f:a":{},}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		want := &fieldpath.Set{}
		wantErr := want.FromJSON(bytes.NewReader(raw))
		got, err := parseSet(raw)
		if (err == nil) != (wantErr == nil) || err == nil && !got.Equals(want) {
			t.Fatalf("%s\n%v %v\n%v %v", raw, got, err, want, wantErr)
		}
	})
}

func BenchmarkParseSet(b *testing.B) {
	b.Run("direct", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := parseSet([]byte(sampleSet)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("structured-merge-diff", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := (&fieldpath.Set{}).FromJSON(bytes.NewReader([]byte(sampleSet))); err != nil {
				b.Fatal(err)
			}
		}
	})
}
