package conformance_test

import (
	"testing"

	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/conformance"
)

func TestInMemory(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Server {
		s := apitest.New(t)
		return conformance.Server{Conn: s.Conn, Cut: s.Cut, Forget: func() { s.Forget(t) }}
	})
}
