package rest

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWarn(t *testing.T) {
	w := httptest.NewRecorder()
	warn(w, []string{"a", `say "b"` + "\n", "a", ""})
	warn(w, []string{"a", "c"})
	if diff := cmp.Diff([]string{`299 - "a"`, `299 - "say \"b\" "`, `299 - "c"`}, w.Header().Values("Warning")); diff != "" {
		t.Error(diff)
	}

	w = httptest.NewRecorder()
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("%d %s", i, strings.Repeat("é", 400)))
	}
	warn(w, many)
	size := 0
	for _, v := range w.Header().Values("Warning") {
		if n := len([]rune(v)); n > maxWarning+1 || !strings.HasSuffix(v, `"`) {
			t.Errorf("%d characters: %s", n, v)
		}
		size += len(v)
	}
	if size > maxWarnings || size < maxWarnings/2 {
		t.Errorf("%d bytes", size)
	}
}
