package h2_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/keelson/keelson/apiserver/internal/rest/h2"
)

// start serves a handler and returns the server's address and a client for it.
func start(t testing.TB, h http.Handler, configure ...func(*http.Server)) (address string, client *http.Client, web *http.Server) {
	t.Helper()
	// httptest has certificates at hand.
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	certs.Close()
	web = &http.Server{Handler: h, TLSConfig: &tls.Config{Certificates: certs.TLS.Certificates, MinVersion: tls.VersionTLS13},
		ErrorLog: log.New(io.Discard, "", 0)}
	for _, f := range configure {
		f(web)
	}
	s := h2.Configure(web)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- web.ServeTLS(h2.Listen(l), "", "") }()
	t.Cleanup(func() {
		_ = web.Close()
		<-served
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("goroutines are left: %v", err)
		}
	})
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return l.Addr().String(), &http.Client{Transport: tr}, web
}

func get(t testing.TB, c *http.Client, url string) (*http.Response, []byte) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

func TestBodiesOfAnyLengthPassBothWays(t *testing.T) {
	addr, c, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.TLS == nil || r.RemoteAddr == "" || r.Host == "" {
			t.Errorf("request %+v", r)
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if n, _ := w.Write(b); n != len(b) {
			t.Errorf("wrote %d of %d", n, len(b))
		}
	}))
	for _, n := range []int{0, 1, 100, 16374, 16375, 16376, 65499, 65500, 65501, 65536, 1 << 20, 5<<20 + 3} {
		body := make([]byte, n)
		_, _ = rand.Read(body)
		resp, err := c.Post("https://"+addr+"/x", "application/octet-stream", bytes.NewReader(body))
		if err != nil {
			t.Fatal(n, err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, body) || resp.ProtoMajor != 2 {
			t.Fatalf("%d bytes: got %d, %v", n, len(got), err)
		}
		if n < 60000 && resp.ContentLength != int64(n) {
			t.Errorf("%d bytes: Content-Length is %d", n, resp.ContentLength)
		}
	}
}

func TestManyRequestsAtOnce(t *testing.T) {
	addr, c, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 20 {
			fmt.Fprint(w, strings.Repeat(r.URL.Query().Get("n"), 1000))
		}
	}))
	var group sync.WaitGroup
	for i := range 400 {
		group.Go(func() {
			n := fmt.Sprint(i)
			resp, err := c.Get("https://" + addr + "/?n=" + n)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if b, err := io.ReadAll(resp.Body); err != nil || string(b) != strings.Repeat(n, 20000) {
				t.Errorf("%s: %d bytes, %v", n, len(b), err)
			}
		})
	}
	group.Wait()
}

func TestHeadersAndCodes(t *testing.T) {
	addr, c, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Two"] = []string{"a", "b"}
		w.Header().Set("X-Line", "a\r\nb")
		w.Header().Set("Connection", "close")
		switch r.URL.Path {
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		case "/head":
			w.Header().Set("Content-Length", "12345")
		default:
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprintf(w, "%s|%s|%s", r.Header.Get("X-Mine"), r.Header.Get("Cookie"), strings.Join(r.Header["X-Many"], "+"))
		}
	}))
	req, _ := http.NewRequest(http.MethodGet, "https://"+addr+"/", nil)
	req.Header = http.Header{"X-Mine": {"v"}, "Cookie": {"a=1", "b=2"}, "X-Many": {"1", "2", "3"}}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusTeapot || string(b) != "v|a=1; b=2|1+2+3" {
		t.Errorf("%s %q", resp.Status, b)
	}
	if got := resp.Header; strings.Join(got["X-Two"], "+") != "a+b" || got.Get("X-Line") != "a  b" || got.Get("Connection") != "" || got.Get("Date") == "" ||
		!strings.HasPrefix(got.Get("Content-Type"), "text/plain") {
		t.Errorf("%v", got)
	}
	if resp, b := get(t, c, "https://"+addr+"/none"); resp.StatusCode != 204 || len(b) != 0 {
		t.Errorf("%s %q", resp.Status, b)
	}
	resp, err = c.Head("https://" + addr + "/head")
	if err != nil || resp.ContentLength != 12345 {
		t.Errorf("%v %v", resp, err)
	}
}

func TestEventsArriveAsTheyAreFlushed(t *testing.T) {
	next := make(chan string)
	gone := make(chan struct{})
	addr, c, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.Flush()
		for {
			select {
			case s := <-next:
				_, _ = io.WriteString(w, s)
				_ = rc.Flush()
			case <-r.Context().Done():
				close(gone)
				return
			}
		}
	}))
	resp, err := c.Get("https://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		want := strings.Repeat("x", 1+i*700)
		next <- want
		got := make([]byte, len(want))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != want {
			t.Fatal(i, err)
		}
	}
	resp.Body.Close()
	<-gone // the handler learns that the client is gone
}

func TestPanicsAndShortBodiesAreNoWholeAnswers(t *testing.T) {
	addr, c, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/whole" {
			return
		}
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "12345")
		if r.URL.Path == "/panic" {
			panic(http.ErrAbortHandler)
		}
	}))
	for _, path := range []string{"/panic", "/short"} {
		resp, err := c.Get("https://" + addr + path)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the answer looks whole", path)
		}
	}
	get(t, c, "https://"+addr+"/whole") // the connection goes on
}

func TestDeadlines(t *testing.T) {
	seen := make(chan error, 2)
	addr, c, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if r.URL.Path == "/read" {
			_ = rc.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			_, err := io.ReadAll(r.Body)
			seen <- err
			return
		}
		_ = rc.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				seen <- err
				return
			}
		}
	}))
	slow, feed := io.Pipe()
	go func() {
		_, _ = c.Post("https://"+addr+"/read", "text/plain", slow)
	}()
	if err := <-seen; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	feed.Close()
	resp, err := c.Get("https://" + addr + "/write") // and is not read
	if err != nil {
		t.Fatal(err)
	}
	if err := <-seen; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("write: %v", err)
	}
	resp.Body.Close()
}

// What the client says after the last response, a ping or a window, must not cost it that response.
func TestShutdownLetsRequestsEnd(t *testing.T) {
	for range 100 {
		t.Run("", shutdown)
	}
}

func shutdown(t *testing.T) {
	in, out := make(chan struct{}), make(chan struct{})
	addr, c, web := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(in)
		<-out
		_, _ = io.WriteString(w, strings.Repeat("late", 100000))
	}))
	got := make(chan error, 1)
	go func() {
		resp, err := c.Get("https://" + addr + "/")
		if err == nil {
			var b []byte
			if b, err = io.ReadAll(resp.Body); err == nil && len(b) != 400000 {
				err = fmt.Errorf("%d bytes", len(b))
			}
		}
		got <- err
	}()
	<-in
	stopped := make(chan error, 1)
	go func() { stopped <- web.Shutdown(context.Background()) }()
	close(out)
	if err := <-got; err != nil {
		t.Error(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestIdleConnectionsEnd(t *testing.T) {
	addr, c, _ := start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), func(s *http.Server) { s.IdleTimeout = 20 * time.Millisecond })
	raw := dial(t, addr)
	for { // GOAWAY, then the end
		if _, err := raw.framer.ReadFrame(); err != nil {
			break
		}
	}
	get(t, c, "https://"+addr+"/") // others are served
}

func TestClientsThatWaitForAWordGetIt(t *testing.T) {
	addr, c, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	}))
	c.Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	req, _ := http.NewRequest(http.MethodPut, "https://"+addr+"/", strings.NewReader("body"))
	req.Header.Set("Expect", "100-continue")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); string(b) != "body" {
		t.Errorf("%q", b)
	}
}

// rawConn is a client that says what it likes.
type rawConn struct {
	net.Conn
	framer *http2.Framer
	block  bytes.Buffer
	enc    *hpack.Encoder
}

func dial(t testing.TB, addr string) *rawConn {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r := &rawConn{Conn: c, framer: http2.NewFramer(c, c)}
	r.enc = hpack.NewEncoder(&r.block)
	_, _ = io.WriteString(c, http2.ClientPreface)
	_ = r.framer.WriteSettings()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	return r
}

func (r *rawConn) headers(id uint32, end bool, fields ...string) {
	r.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = r.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	_ = r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.block.Bytes(), EndStream: end, EndHeaders: true})
}

func (r *rawConn) request(id uint32, end bool, more ...string) {
	r.headers(id, end, append([]string{":method", "GET", ":scheme", "https", ":path", "/", ":authority", "x"}, more...)...)
}

// until reads frames to the first of a type.
func until[F http2.Frame](t testing.TB, r *rawConn) (f F) {
	t.Helper()
	for {
		got, err := r.framer.ReadFrame()
		if err != nil {
			t.Fatalf("no %T: %v", f, err)
		}
		if g, ok := got.(*http2.GoAwayFrame); ok {
			if _, want := any(f).(*http2.GoAwayFrame); !want {
				t.Fatalf("connection ended: %v", g)
			}
		}
		if f, ok := got.(F); ok {
			return f
		}
	}
}

func TestHostileFramesEndTheirStreamOrConnection(t *testing.T) {
	block := make(chan struct{})
	addr, c, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			select {
			case <-block:
			case <-r.Context().Done():
			}
		}
	}), func(s *http.Server) { s.MaxHeaderBytes = 8 << 10 })
	defer close(block)
	connection := map[string]func(r *rawConn){
		"even stream":            func(r *rawConn) { r.request(2, true) },
		"stream out of order":    func(r *rawConn) { r.request(5, true); r.request(3, true) },
		"data of no stream":      func(r *rawConn) { _ = r.framer.WriteData(1, true, []byte("x")) },
		"window of no stream":    func(r *rawConn) { _ = r.framer.WriteWindowUpdate(9, 1) },
		"reset of no stream":     func(r *rawConn) { _ = r.framer.WriteRSTStream(9, 0) },
		"window overflow":        func(r *rawConn) { _ = r.framer.WriteWindowUpdate(0, 1<<31-1) },
		"continuation of no one": func(r *rawConn) { _ = r.framer.WriteContinuation(1, true, nil) },
		"bad settings": func(r *rawConn) {
			_ = r.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31})
		},
		"push": func(r *rawConn) {
			_ = r.framer.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, EndHeaders: true})
		},
		"garbage": func(r *rawConn) {
			_ = r.framer.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, []byte{0xff, 0xff, 0xff, 0xff, 0xff})
		},
		"huge frame": func(r *rawConn) { _ = r.framer.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 1<<20)) },
		"begun and reset again and again": func(r *rawConn) {
			for i := range uint32(20000) {
				r.headers(2*i+1, true, ":method", "GET", ":scheme", "https", ":path", "/wait", ":authority", "x")
				if r.framer.WriteRSTStream(2*i+1, http2.ErrCodeCancel) != nil {
					return
				}
			}
			_ = r.framer.WriteWindowUpdate(1<<20, 1) // handlers that end at once are not too much; this is
		},
	}
	for name, do := range connection {
		t.Run(name, func(t *testing.T) {
			r := dial(t, addr)
			go do(r)
			for {
				if _, err := r.framer.ReadFrame(); err != nil {
					if ne, ok := err.(net.Error); ok && ne.Timeout() {
						t.Fatal("the connection goes on")
					}
					return
				}
			}
		})
	}
	stream := map[string]func(r *rawConn){
		"no path":           func(r *rawConn) { r.headers(1, true, ":method", "GET", ":scheme", "https") },
		"connection header": func(r *rawConn) { r.request(1, true, "connection", "close") },
		"upper case":        func(r *rawConn) { r.request(1, true, "X-Upper", "a") },
		"connect":           func(r *rawConn) { r.headers(1, true, ":method", "CONNECT", ":authority", "x") },
		"bad length":        func(r *rawConn) { r.request(1, false, "content-length", "-1") },
		"window of zero": func(r *rawConn) {
			r.headers(1, false, ":method", "GET", ":scheme", "https", ":path", "/wait", ":authority", "x")
			_ = r.framer.WriteRawFrame(http2.FrameWindowUpdate, 0, 1, []byte{0, 0, 0, 0})
		},
	}
	for name, do := range stream {
		t.Run(name, func(t *testing.T) {
			r := dial(t, addr)
			do(r)
			until[*http2.RSTStreamFrame](t, r)
			r.request(3, true)
			until[*http2.HeadersFrame](t, r) // the connection goes on
		})
	}
	t.Run("long header", func(t *testing.T) {
		req, _ := http.NewRequest(http.MethodGet, "https://"+addr+"/", nil)
		req.Header.Set("X-Long", strings.Repeat("x", 9<<10))
		resp, err := c.Do(req)
		if err == nil && resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s", resp.Status)
		}
	})
	get(t, c, "https://"+addr+"/") // others are served
}

func TestStreamsBeyondTheLimitAreRefused(t *testing.T) {
	release := make(chan struct{})
	addr, _, _ := start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer close(release)
	r := dial(t, addr)
	for i := range uint32(260) {
		r.request(2*i+1, true)
	}
	if f := until[*http2.RSTStreamFrame](t, r); f.ErrCode != http2.ErrCodeRefusedStream {
		t.Errorf("%v", f)
	}
}

func TestTheClientsWindowIsKept(t *testing.T) {
	addr, _, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 200000)) }))
	r := dial(t, addr)
	r.request(1, true)
	got := 0
	for got < 65535 {
		got += len(until[*http2.DataFrame](t, r).Data())
	}
	if got != 65535 {
		t.Fatalf("%d bytes for a window of 65535", got)
	}
	_ = r.framer.WriteWindowUpdate(0, 1000000)
	_ = r.framer.WriteWindowUpdate(1, 34465)
	for got < 100000 {
		got += len(until[*http2.DataFrame](t, r).Data())
	}
	_ = r.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 65535 + 100000})
	for {
		f := until[*http2.DataFrame](t, r)
		if got += len(f.Data()); f.StreamEnded() {
			break
		}
	}
	if got != 200000 {
		t.Errorf("%d bytes", got)
	}
}

// Whatever a client sends, the server neither panics nor keeps others from being served.
func FuzzFrames(f *testing.F) {
	addr, c, _ := start(f, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	}))
	f.Add([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 4, 1, 5, 0, 0, 0, 1, 0x82, 0x87, 0x84, 0x81})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := dial(t, addr)
		_, _ = r.Write(b)
		_ = r.Conn.(*tls.Conn).CloseWrite()
		get(t, c, "https://"+addr+"/")
		r.Close()
	})
}
