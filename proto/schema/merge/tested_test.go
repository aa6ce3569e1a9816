package merge

import (
	"strings"
	"testing"
)

// A failed test of a JSON patch is told with its path; where the caller asks for the outcome, it is no error.
func TestFailedTest(t *testing.T) {
	tree := map[string]any{"data": map[string]any{"a": "b"}}
	patch := []byte(`[{"op":"test","path":"/data/a","value":"c"}]`)
	if _, err := JSON(tree, patch); err == nil || !strings.Contains(err.Error(), "testing value /data/a failed: test failed") {
		t.Errorf("JSON: %v", err)
	}
	if _, passed, err := Tested(tree, patch); passed || err != nil {
		t.Errorf("Tested: %v %v", passed, err)
	}
}
