package node

import (
	"testing"

	"github.com/keelson/keelson/proto/pipeline/selector"
)

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
