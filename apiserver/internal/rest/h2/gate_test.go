package h2

import (
	"net"
	"sync"
	"testing"
)

// pair is a gate and its client.
func pair(t *testing.T) (*gate, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := Listen(l).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	g := server.(*gate)
	g.beginPatience()
	return g, client
}

// A gate holds back what the kernel does not take, up to a bound, and passes it on in order.
func TestPatienceIsBounded(t *testing.T) {
	g, c := pair(t)
	wrote := 0
	block := make([]byte, 10000)
	for i := byte(0); ; i++ {
		for k := range block {
			block[k] = i
		}
		n, err := g.Write(block)
		if err != nil {
			break
		}
		if wrote += n; wrote > 100<<20 {
			t.Fatal("all is held")
		}
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		got := make([]byte, len(block))
		for at := 0; at < wrote; {
			n, err := c.Read(got[:min(len(got), wrote-at)])
			if err != nil {
				t.Error(err)
				return
			}
			for k, b := range got[:n] {
				if want := byte((at + k) / len(block)); b != want {
					t.Errorf("byte %d is of block %d, not of %d", at+k, b, want)
					return
				}
			}
			at += n
		}
	})
	if err := g.flush(); err != nil {
		t.Fatal(err)
	}
	reader.Wait()
}
