//go:build !race

package codec_test

// Under the race detector sync.Pool drops what it is given at random, so that there is nothing to count.

import (
	"testing"

	"github.com/keelson/keelson/proto/codec"
)

// TestAllocations: neither direction allocates once buffers have grown.
func TestAllocations(t *testing.T) {
	wire := parse(t, podType, string(podJSON), codec.DecodeOptions{})
	out := make([]byte, 0, 64<<10)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := podType.AppendJSON(out[:0], wire, codec.EncodeOptions{APIVersion: "v1", Kind: "Pod"}); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 {
		t.Errorf("AppendJSON: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := podType.ParseJSON(out[:0], podJSON, codec.DecodeOptions{Validation: codec.Strict}); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 {
		t.Errorf("ParseJSON: %v allocations", n)
	}
}
