package selector

import (
	"testing"

	"k8s.io/apimachinery/pkg/fields"
)

// Field selectors are taken and refused as Kubernetes takes and refuses them.
func FuzzFields(f *testing.F) {
	for _, s := range []string{"", "metadata.name=a", `a=x\,y\=z,b!=c`, "a==b", "a=b=c", `a=\`, ",", "a=b,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, wantErr := fields.ParseSelector(s)
		got, err := ParseFields(s)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, Kubernetes says %v", s, err, wantErr)
		}
		if err == nil {
			got.Matches(func(string) (string, bool) { return "x", true })
		}
	})
}
