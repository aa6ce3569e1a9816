package h2

import "testing"

// What has been read of a body does not stay in memory although there is always a byte left.
func TestBodiesForgetWhatWasRead(t *testing.T) {
	b := &body{window: 1 << 30, declared: -1, wake: make(chan struct{}, 1)}
	for range 10000 {
		if _, ok := b.add(make([]byte, 1000), false); !ok {
			t.Fatal("the window is not that small")
		}
		b.off = len(b.buf) - 1
	}
	if n := cap(b.buf); n > 64<<10 {
		t.Errorf("%d bytes are kept", n)
	}
}
