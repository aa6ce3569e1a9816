package h2

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// Bounds of a connection.
const (
	// maxStreams is how many requests a client may have under way on one connection.
	maxStreams = 250
	// recvStream and recvConn are how many bytes of request bodies a client may send ahead of the handlers.
	recvStream = 256 << 10
	recvConn   = 1 << 20
	// maxFrame is the longest payload of frames in both directions. With its header, a frame fills a TLS record.
	maxFrame = 16<<10 - frameHeader
	// Chunk is how much of a response is gathered before it is sent: so many full frames, and records. Who writes such
	// portions spares the gathering.
	records = 4
	Chunk   = records * maxFrame
	// maxPending is how many bytes may wait for the network before those who add to them wait too.
	maxPending = 256 << 10
	// stuckAfter is how long the network may take to accept what is written; then the connection is cut.
	stuckAfter = time.Minute
	// prefaceTimeout bounds the time until the client's first bytes.
	prefaceTimeout = 10 * time.Second
	// defaultHeaderBytes is http.Server's bound where it names none.
	defaultHeaderBytes = 1 << 20

	frameHeader = 9
)

// Server serves the HTTP/2 connections of one http.Server.
type Server struct {
	web     *http.Server
	workers workers

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
	// leaving is set once the server shuts down.
	leaving bool
	wg      sync.WaitGroup
}

// Configure makes an http.Server speak HTTP/2 by this package; call it before the server serves. Close the result after
// the server has been shut down.
func Configure(web *http.Server) *Server {
	s := &Server{web: web, conns: map[*conn]struct{}{}}
	s.workers.init()
	if web.TLSConfig == nil {
		web.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	for _, p := range []string{"http/1.1", http2.NextProtoTLS} {
		if !slices.Contains(web.TLSConfig.NextProtos, p) {
			web.TLSConfig.NextProtos = slices.Insert(web.TLSConfig.NextProtos, 0, p)
		}
	}
	// Small records would have the first bytes shown early by a browser; here they only cost system calls.
	web.TLSConfig.DynamicRecordSizingDisabled = true
	web.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){http2.NextProtoTLS: s.serve}
	web.RegisterOnShutdown(s.shutdown)
	return s
}

// Close cuts what connections there are and waits for all goroutines, handlers too, until the context ends.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.close()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.wg.Wait()
		s.workers.close()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shutdown asks all clients to go elsewhere; connections end with their last request.
func (s *Server) shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = true
	for c := range s.conns {
		c.goAway(http2.ErrCodeNo)
	}
}

// serve serves one connection until it ends.
func (s *Server) serve(web *http.Server, nc *tls.Conn, h http.Handler) {
	ctx := context.Background()
	if b, ok := h.(interface{ BaseContext() context.Context }); ok && b.BaseContext() != nil {
		ctx = b.BaseContext()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := newConn(s, nc, h, ctx)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	c.greet()
	if s.leaving {
		// It was about to begin when the others were sent away.
		c.goAway(http2.ErrCodeNo)
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		s.wg.Done()
	}()
	err := c.run()
	c.end(err)
	if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && web.ErrorLog != nil {
		web.ErrorLog.Printf("http2: connection of %s: %v", nc.RemoteAddr(), err)
	}
}

// headerBytes bounds the header of a request.
func (s *Server) headerBytes() uint32 {
	if n := s.web.MaxHeaderBytes; n > 0 {
		return uint32(n)
	}
	return defaultHeaderBytes
}

// workers run handlers on goroutines that are used again: a new one's stack would have to grow with each request.
type workers struct {
	jobs chan func()
	done chan struct{}
	// slots bounds the goroutines that wait for work.
	slots chan struct{}
	wg    sync.WaitGroup
}

// maxIdleWorkers is how many goroutines wait for work.
const maxIdleWorkers = 32

func (w *workers) init() {
	w.jobs, w.done, w.slots = make(chan func()), make(chan struct{}), make(chan struct{}, maxIdleWorkers)
}

func (w *workers) do(job func()) {
	select {
	case w.jobs <- job:
	default:
		w.wg.Go(func() { w.run(job) })
	}
}

func (w *workers) run(job func()) {
	for {
		job()
		select {
		case w.slots <- struct{}{}:
		default:
			return // enough wait already
		}
		select {
		case job = <-w.jobs:
			<-w.slots
		case <-w.done:
			return
		}
	}
}

// close ends the goroutines that wait, and waits for those at work.
func (w *workers) close() {
	close(w.done)
	w.wg.Wait()
}
