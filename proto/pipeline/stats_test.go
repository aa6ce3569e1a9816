package pipeline_test

import (
	"testing"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

func TestStats(t *testing.T) {
	h := start(t)
	w := h.watch(&resourcev1.WatchOpen{Selection: selection("", "configmaps", "")})
	watchers := func() (n int) {
		for _, s := range h.s.Stats() {
			n += s.Watchers
		}
		return n
	}
	if n := watchers(); n != 1 {
		t.Errorf("%d watchers", n)
	}
	w.Close()
	w.Close()
	if n := watchers(); n != 0 {
		t.Errorf("%d watchers after the end", n)
	}
}
