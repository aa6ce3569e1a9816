package watchcache

import (
	"fmt"
	"testing"

	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/schema"
)

// A server that starts again resumes watches from wherever the history still reaches, however little that is.
func TestResumeAsFarAsTheHistoryReaches(t *testing.T) {
	kind, ok := schema.Builtin().ByResource("", "v1", "configmaps")
	if !ok {
		t.Fatal("no configmaps")
	}
	for _, c := range []struct{ changes, compacted, oldest int64 }{
		{changes: 100, oldest: 1},
		{changes: 100, compacted: 37, oldest: 37},
		{changes: 1000, compacted: 998, oldest: 998},
		{changes: 1000, compacted: 1001, oldest: 1001},
		{changes: startHistory + 100, oldest: 101},
		{changes: startHistory + 100, compacted: 4321, oldest: 4321},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			s := memory.New()
			defer s.Close()
			for i := range c.changes {
				if _, err := s.Create(t.Context(), fmt.Sprint("/elsewhere/", i), nil, 0); err != nil {
					t.Fatal(err)
				}
			}
			if c.compacted > 0 {
				if err := s.Compact(t.Context(), c.compacted); err != nil {
					t.Fatal(err)
				}
			}
			cache := New(Config{Store: s, Kinds: []*schema.Kind{kind}, History: 10, Buffer: 10, Logger: zap.NewNop()})
			if err := cache.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer cache.Close()
			if got := cache.Collection(kind).Oldest(); got != c.oldest {
				t.Errorf("watches resume from %d, want %d", got, c.oldest)
			}
		})
	}
}
