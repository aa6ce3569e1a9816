package podstream

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keelson/keelson/apiserver/internal/rest/podstream/remote"
)

// FuzzUpgrade sends what it likes after an upgrade to WebSocket or SPDY: the session ends, and nothing else.
func FuzzUpgrade(f *testing.F) {
	ping := []byte{0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1}
	f.Add(true, "v4.channel.k8s.io", []byte{0x82, 0x83, 1, 2, 3, 4, 1, 'a', 'b'})
	f.Add(true, "v5.channel.k8s.io", []byte{0x88, 0x80, 0, 0, 0, 0})
	f.Add(true, "v4.channel.k8s.io", []byte{0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add(false, "v4.channel.k8s.io", ping)
	f.Add(false, "v4.channel.k8s.io", []byte{0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff, 0, 0, 0, 1})
	f.Add(false, "v4.channel.k8s.io", []byte{0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 0}) // a ping that is none
	f.Add(false, "x", []byte("GET / HTTP/1.1\r\n\r\n"))
	var sessions sync.WaitGroup
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sessions.Add(1)
		defer sessions.Done()
		s, err := remote.Accept(w, r, remote.Streams{Stdin: true, Stdout: true, Stderr: true})
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		defer func() { _ = s.Finish(remote.Outcome{}) }()
		buf := make([]byte, 1024)
		for {
			if _, err := s.Stdin.Read(buf); err != nil {
				return
			}
		}
	}))
	f.Cleanup(func() {
		srv.Close()
		sessions.Wait()
	})
	f.Fuzz(func(t *testing.T, webSocket bool, protocol string, frames []byte) {
		if strings.ContainsAny(protocol, "\r\n\x00") {
			return
		}
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		head := "POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: " + protocol + "\r\nContent-Length: 0\r\n\r\n"
		if webSocket {
			head = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: " + protocol + "\r\n\r\n"
		}
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		_, _ = conn.Write(append([]byte(head), frames...))
		_ = conn.(*net.TCPConn).CloseWrite()
		buf := make([]byte, 4096)
		for {
			_, err := conn.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("the server has neither answered nor closed the connection")
			}
			if err != nil {
				break
			}
		}
		conn.Close()
	})
}
