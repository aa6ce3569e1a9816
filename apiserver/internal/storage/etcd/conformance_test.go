package etcd

import (
	"testing"

	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/conformance"
)

// TestConformance runs the behaviours that clients rely on over a real etcd.
func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Server {
		s := apitest.New(t, func(c *pipeline.Config) { c.Store = open(t, t.TempDir()) })
		return conformance.Server{Conn: s.Conn, Cut: s.Cut, Forget: func() { s.Forget(t) }}
	})
}
