package node

import (
	"testing"

	"github.com/keelson/keelson/proto/pipeline/selector"
)

// FuzzRequired: whatever the selector, its reading agrees with that of the pipeline, which does the selecting.
func FuzzRequired(f *testing.F) {
	for _, s := range []string{"", "a=b", "spec.nodeName=n1", "spec.nodeName!=n1", "x=y,spec.nodeName==n1", "spec.nodeName=n2,spec.nodeName=n1", `spec.nodeName=n\,1`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := required(s, "spec.nodeName")
		if !ok {
			return
		}
		agree(t, s, got)
	})
}

// agree fails where a selector that was read as demanding a value lets an object with another value pass.
func agree(t *testing.T, s, value string) {
	t.Helper()
	fields, err := selector.ParseFields(s)
	if err != nil {
		return // the pipeline refuses the request
	}
	other := value + "x"
	if fields.Matches(func(path string) (string, bool) {
		if path == "spec.nodeName" {
			return other, true
		}
		return "", true
	}) {
		t.Errorf("%q demands %q but matches %q", s, value, other)
	}
}
