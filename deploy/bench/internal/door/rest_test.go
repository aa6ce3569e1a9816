package door

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Watches that are opened at the same time on one connection are on one connection.
func TestWatchesShareTheirConnection(t *testing.T) {
	var connections, watches atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/pods") {
			return
		}
		watches.Add(1)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	srv.EnableHTTP2 = true
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	srv.StartTLS()
	defer srv.Close()
	d := &REST{base: srv.URL, enc: jsonEncoding, tls: srv.Client().Transport.(*http.Transport).TLSClientConfig}
	c, err := d.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const n = 20
	ctx, cancel := context.WithCancel(t.Context())
	opened, ended := make(chan struct{}), make(chan error)
	for range n {
		go func() {
			ended <- c.Watcher(namespace, 1).Run(ctx, func() { opened <- struct{}{} }, func(time.Time) {})
		}()
	}
	for range n {
		<-opened
	}
	cancel()
	for range n {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if connections.Load() != 1 || watches.Load() != n {
		t.Errorf("%d watches on %d connections", watches.Load(), connections.Load())
	}
}
