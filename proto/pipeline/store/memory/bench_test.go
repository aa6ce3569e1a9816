package memory_test

import (
	"testing"

	"github.com/keelson/keelson/proto/pipeline/bench"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
)

func BenchmarkPipeline(b *testing.B) {
	bench.Run(b, func(b *testing.B) store.Store {
		s := memory.New()
		b.Cleanup(func() { s.Close() })
		return s
	})
}
