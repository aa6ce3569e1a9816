package etcd

import (
	"testing"

	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/pipeline/bench"
	"github.com/keelson/keelson/proto/pipeline/store"
)

// BenchmarkPipeline measures with fsync, as in production.
func BenchmarkPipeline(b *testing.B) {
	bench.Run(b, func(b *testing.B) store.Store {
		s, err := Open(b.Context(), Config{DataDir: b.TempDir(), Logger: zap.NewNop()})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { s.Close() })
		return s
	})
}
