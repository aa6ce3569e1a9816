package h2_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// waiting is a handler that lasts until the client goes.
func waiting(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// goneFor reads until the server says why it ends the connection.
func goneFor(t *testing.T, c *rawConn) http2.ErrCode {
	t.Helper()
	code := until[*http2.GoAwayFrame](t, c).ErrCode
	for {
		if _, err := c.framer.ReadFrame(); err != nil {
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				t.Error("the connection goes on")
			}
			return code
		}
	}
}

// What costs the client nothing, again and again, ends its connection.
func TestFloodsEndTheConnection(t *testing.T) {
	addr, other, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			waiting(w, r)
		}
	}), func(s *http.Server) { s.MaxHeaderBytes = 64 << 10 })
	floods := map[string]func(r *rawConn) error{
		"settings":                       func(r *rawConn) error { return r.framer.WriteSettings() },
		"settings that are acknowledged": func(r *rawConn) error { return r.framer.WriteSettingsAck() },
		"windows of streams": func(r *rawConn) error {
			return r.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
		},
		"ping":         func(r *rawConn) error { return r.framer.WritePing(false, [8]byte{1}) },
		"pong":         func(r *rawConn) error { return r.framer.WritePing(true, [8]byte{1}) },
		"empty data":   func(r *rawConn) error { return r.framer.WriteData(1, false, nil) },
		"priority":     func(r *rawConn) error { return r.framer.WritePriority(1, http2.PriorityParam{StreamDep: 3}) },
		"unknown":      func(r *rawConn) error { return r.framer.WriteRawFrame(0x77, 0, 0, []byte("x")) },
		"window of 0":  func(r *rawConn) error { return r.framer.WriteRawFrame(http2.FrameWindowUpdate, 0, 1, make([]byte, 4)) },
		"continuation": func(r *rawConn) error { return r.framer.WriteRawFrame(http2.FrameContinuation, 0, 3, nil) },
	}
	for name, frame := range floods {
		for _, reads := range []bool{true, false} {
			t.Run(name+map[bool]string{false: ", not read"}[reads], func(t *testing.T) {
				c := dial(t, addr)
				_ = c.SetWriteDeadline(time.Now().Add(20 * time.Second))
				c.headers(1, false, ":method", "PUT", ":scheme", "https", ":path", "/", ":authority", "x")
				if name == "continuation" {
					_ = c.framer.WriteRawFrame(http2.FrameHeaders, 0, 3, nil)
				}
				flood := func() error {
					for range 1 << 20 {
						if err := frame(c); err != nil {
							return err
						}
					}
					return nil
				}
				if reads {
					done := make(chan struct{})
					go func() { defer close(done); _ = flood() }()
					if code := goneFor(t, c); code != http2.ErrCodeEnhanceYourCalm {
						t.Errorf("%v", code)
					}
					c.Close()
					<-done
				} else if err := flood(); err == nil {
					t.Error("the server takes it all")
				} else if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
					t.Error("the connection goes on")
				}
			})
		}
	}
	get(t, other, "https://"+addr+"/")
}

// Streams that are begun and reset at once do not get more handlers than a client may have, although these take their time.
func TestRapidResetIsBounded(t *testing.T) {
	var running, most atomic.Int64
	release := make(chan struct{})
	addr, other, _ := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/other" {
			return
		}
		n := running.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-release // whatever the client does
		running.Add(-1)
	}))
	defer close(release)
	c := dial(t, addr)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range uint32(5000) {
			c.request(2*i+1, true)
			if c.framer.WriteRSTStream(2*i+1, http2.ErrCodeCancel) != nil {
				return
			}
		}
	}()
	if f := until[*http2.RSTStreamFrame](t, c); f.ErrCode != http2.ErrCodeRefusedStream {
		t.Errorf("%v", f)
	}
	get(t, other, "https://"+addr+"/other")
	c.Close()
	<-done
	if n := most.Load(); n > 500 {
		t.Errorf("%d handlers at a time", n)
	}
}

// A client that opens no window keeps no handler once it is gone.
func TestZeroWindowsAreGivenUpWithTheConnection(t *testing.T) {
	const streams = 200
	begun, ended := make(chan struct{}, streams), make(chan error, streams)
	addr, _, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		begun <- struct{}{}
		_, err := w.Write(make([]byte, 1<<20))
		ended <- err
	}))
	c := dial(t, addr)
	_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	for i := range uint32(streams) {
		c.request(2*i+1, true)
	}
	for range streams {
		<-begun
	}
	c.Close()
	for range streams {
		if err := <-ended; err == nil {
			t.Error("written to nobody")
		}
	}
}

func TestWindowsThatOverflow(t *testing.T) {
	addr, _, _ := start(t, http.HandlerFunc(waiting))
	c := dial(t, addr)
	c.request(1, true)
	_ = c.framer.WriteWindowUpdate(1, 1<<31-1)
	if f := until[*http2.RSTStreamFrame](t, c); f.ErrCode != http2.ErrCodeFlowControl {
		t.Errorf("%v", f)
	}
	c.request(3, true)
	_ = c.framer.WriteWindowUpdate(3, 1<<31-1-65535)
	_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 65536})
	if code := goneFor(t, c); code != http2.ErrCodeFlowControl {
		t.Errorf("%v", code)
	}
}

// A connection that was accepted before a shutdown and speaks after its beginning does not keep the server from ending.
func TestShutdownEndsConnectionsThatAreBeingMade(t *testing.T) {
	addr, _, web := start(t, http.HandlerFunc(waiting))
	begun := make(chan struct{})
	web.RegisterOnShutdown(func() { close(begun) })
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	dial(t, addr).Close() // the listener has accepted the first one too
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- web.Shutdown(ctx) }()
	<-begun
	s := tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
	_, _ = s.Write([]byte(http2.ClientPreface))
	_ = http2.NewFramer(s, s).WriteSettings()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
