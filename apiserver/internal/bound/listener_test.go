package bound

import (
	"io"
	"net"
	"testing"
)

func TestListen(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listen(inner, 3, 2)
	accepted := make(chan net.Conn)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	dial := func(from string) net.Conn {
		t.Helper()
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	refused := func(c net.Conn) {
		t.Helper()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the connection stands")
		}
	}
	dial("127.0.0.1")
	first := <-accepted
	dial("127.0.0.1")
	<-accepted
	refused(dial("127.0.0.1"))
	dial("127.0.0.2")
	other := <-accepted
	refused(dial("127.0.0.3"))
	first.Close()
	first.Close() // counts once
	c := dial("127.0.0.3")
	back := <-accepted
	go func() { _, _ = io.WriteString(back, "x") }()
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	refused(dial("127.0.0.4"))
	other.Close()
}
