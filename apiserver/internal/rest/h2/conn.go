package h2

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// conn is one connection. run reads; whoever has something to send writes.
type conn struct {
	s       *Server
	tls     *tls.Conn
	gate    *gate // under tls; nil where the listener is not this package's
	handler http.Handler
	ctx     context.Context
	framer  *http2.Framer // reads only
	out     output
	burst   Burst

	mu      sync.Mutex
	streams map[uint32]*stream
	lastID  uint32
	// running counts handlers: those of streams that were reset go on for a while.
	running int
	// leaving is set once GOAWAY was sent: no stream is begun any more, and the last one's end is the connection's.
	leaving bool
	err     error
	// sendWindow is how much the client takes on this connection; streamWindow is what a stream begins with.
	sendWindow, streamWindow int64
	// waiting are streams whose handlers wait for sendWindow.
	waiting map[*stream]struct{}
	// consumed are bytes of bodies that handlers have read, or nobody will, and of which the client does not know yet.
	consumed int
	// received is how many bytes the client may still send.
	received int
	idle     *time.Timer
	// calm counts what the client asks for nothing.
	calm calm

	stateOnce sync.Once
	tlsState  *tls.ConnectionState
}

func newConn(s *Server, nc *tls.Conn, h http.Handler, ctx context.Context) *conn {
	c := &conn{s: s, tls: nc, handler: h, ctx: ctx, streams: map[uint32]*stream{}, sendWindow: 65535, streamWindow: 65535,
		waiting: map[*stream]struct{}{}, received: recvConn}
	if c.gate, _ = nc.NetConn().(*gate); c.gate != nil {
		c.gate.beginPatience()
	}
	c.out.init(c)
	c.burst.c = c
	return c
}

// connError ends a connection with a GOAWAY that says why.
type connError struct {
	code http2.ErrCode
	why  string
}

func (e connError) Error() string { return fmt.Sprintf("%s: %s", e.code, e.why) }

// greet sends what a connection begins with.
func (c *conn) greet() {
	c.out.control(func(b []byte) []byte {
		b = appendSettings(b, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: maxStreams},
			http2.Setting{ID: http2.SettingInitialWindowSize, Val: recvStream},
			http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: c.s.headerBytes()})
		return appendUint32Frame(b, http2.FrameWindowUpdate, 0, recvConn-65535)
	})
}

// run reads frames until the connection ends.
func (c *conn) run() error {
	if err := c.tls.SetReadDeadline(time.Now().Add(prefaceTimeout)); err != nil {
		return err
	}
	in := &meter{Reader: bufio.NewReaderSize(c.tls, 4<<10), left: len(http2.ClientPreface)}
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(in, preface); err != nil {
		return err
	}
	if string(preface) != http2.ClientPreface {
		return connError{http2.ErrCodeProtocol, "not HTTP/2"}
	}
	if err := c.tls.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	c.mu.Lock()
	leaving := c.leaving
	c.mu.Unlock()
	if leaving { // the server shuts down: what the reader waits for is the client's end
		_ = c.tls.SetReadDeadline(time.Now().Add(lastWords))
	}
	c.framer = http2.NewFramer(io.Discard, in)
	c.framer.SetReuseFrames()
	c.framer.SetMaxReadFrameSize(16 << 10)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.framer.MaxHeaderListSize = c.s.headerBytes()
	c.rest()
	first := true
	// A block of headers is one frame here, of as many as the client likes, empty ones too.
	most := 2*int(c.framer.MaxHeaderListSize) + 64<<10
	for {
		if err := c.out.overloaded(); err != nil {
			return err
		}
		if done, err := c.windowUpdates(in.Reader, first); err != nil {
			return err
		} else if done {
			continue
		}
		in.left = most
		f, err := c.framer.ReadFrame()
		if err != nil {
			var bad http2.StreamError
			if errors.As(err, &bad) {
				if !c.calm.allows() {
					return errCalm
				}
				c.reset(bad.StreamID, bad.Code)
				continue
			}
			var ce http2.ConnectionError
			switch {
			case errors.As(err, &ce):
				err = connError{http2.ErrCode(ce), fmt.Sprint(c.framer.ErrorDetail())}
			case errors.Is(err, http2.ErrFrameTooLarge):
				err = connError{http2.ErrCodeFrameSize, "frame too large"}
			}
			return err
		}
		if _, ok := f.(*http2.SettingsFrame); first && !ok {
			return connError{http2.ErrCodeProtocol, "no settings first"}
		}
		first = false
		if err := c.frame(f); err != nil {
			return err
		}
	}
}

// frame acts on one frame. Errors are fatal to the connection.
func (c *conn) frame(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return c.headers(f)
	case *http2.DataFrame:
		return c.data(f)
	case *http2.WindowUpdateFrame:
		return c.windowUpdate(f.StreamID, f.Increment)
	case *http2.SettingsFrame:
		return c.settings(f)
	case *http2.PingFrame:
		if !c.calm.allows() {
			return errCalm
		}
		if !f.IsAck() {
			data := f.Data
			c.out.control(func(b []byte) []byte {
				return append(appendHeader(b, len(data), http2.FramePing, http2.FlagPingAck, 0), data[:]...)
			})
		}
	case *http2.RSTStreamFrame:
		c.mu.Lock()
		st, idle := c.streams[f.StreamID], f.StreamID > c.lastID
		c.mu.Unlock()
		if idle {
			return connError{http2.ErrCodeProtocol, "reset of a stream that was never opened"}
		}
		if st != nil {
			st.cancelled(fmt.Errorf("client reset the stream: %s", f.ErrCode))
			c.forget(st)
		}
	case *http2.PushPromiseFrame:
		return connError{http2.ErrCodeProtocol, "push from a client"}
	default:
		if !c.calm.allows() {
			return errCalm
		}
	}
	return nil
}

func (c *conn) settings(f *http2.SettingsFrame) error {
	if !c.calm.allows() {
		return errCalm
	}
	if f.IsAck() {
		return nil
	}
	if f.NumSettings() > 64 || f.HasDuplicates() {
		return connError{http2.ErrCodeProtocol, "settings"}
	}
	err := f.ForeachSetting(func(v http2.Setting) error {
		if err := v.Valid(); err != nil {
			return connError{http2.ErrCodeProtocol, err.Error()}
		}
		switch v.ID {
		case http2.SettingInitialWindowSize:
			return c.changeWindow(int64(v.Val))
		case http2.SettingHeaderTableSize:
			c.out.tableSize(v.Val)
		case http2.SettingMaxFrameSize:
			// Ours are never longer than what everybody must take.
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.out.control(func(b []byte) []byte { return appendHeader(b, 0, http2.FrameSettings, http2.FlagSettingsAck, 0) })
	return nil
}

// changeWindow applies another initial window, to open streams too.
func (c *conn) changeWindow(n int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := n - c.streamWindow
	c.streamWindow = n
	for _, st := range c.streams {
		if st.window += by; st.window > maxWindow {
			return connError{http2.ErrCodeFlowControl, "window overflows"}
		}
		st.signal()
	}
	return nil
}

const maxWindow = 1<<31 - 1

// windowUpdates takes the frames that widen windows and are next, without making objects of them: Go's clients answer
// every few kilobytes by two. It waits for the beginning of a frame; done tells that there was one of its own.
func (c *conn) windowUpdates(in *bufio.Reader, first bool) (done bool, err error) {
	const length = frameHeader + 4
	for !first {
		b, err := in.Peek(frameHeader)
		if err != nil {
			return done, err
		}
		if b[0] != 0 || b[1] != 0 || b[2] != 4 || http2.FrameType(b[3]) != http2.FrameWindowUpdate {
			return done, nil
		}
		if b, err = in.Peek(length); err != nil {
			return done, err
		}
		id, by := binary.BigEndian.Uint32(b[5:])&maxWindow, binary.BigEndian.Uint32(b[frameHeader:])&maxWindow
		if by == 0 {
			return done, nil // the framer knows what that is
		}
		if err := c.windowUpdate(id, by); err != nil {
			return done, err
		}
		_, _ = in.Discard(length)
		if done = true; in.Buffered() < frameHeader {
			return done, nil
		}
	}
	return done, nil
}

func (c *conn) windowUpdate(id, by uint32) error {
	c.mu.Lock()
	if id == 0 {
		defer c.mu.Unlock()
		if c.sendWindow += int64(by); c.sendWindow > maxWindow {
			return connError{http2.ErrCodeFlowControl, "window overflows"}
		}
		for st := range c.waiting {
			st.signal()
		}
		return nil
	}
	st, idle := c.streams[id], id > c.lastID
	overflow := false
	if st != nil {
		st.window += int64(by)
		overflow = st.window > maxWindow
		st.signal()
	}
	c.mu.Unlock()
	switch {
	case idle:
		return connError{http2.ErrCodeProtocol, "window of a stream that was never opened"}
	case overflow:
		c.reset(id, http2.ErrCodeFlowControl)
	}
	return nil
}

// data takes a piece of a request's body.
func (c *conn) data(f *http2.DataFrame) error {
	size := int(f.Length)
	if size == 0 && !f.StreamEnded() && !c.calm.allows() {
		return errCalm
	}
	c.mu.Lock()
	st, idle := c.streams[f.StreamID], f.StreamID > c.lastID
	c.received -= size
	over := c.received < 0
	c.mu.Unlock()
	switch {
	case idle:
		return connError{http2.ErrCodeProtocol, "data of a stream that was never opened"}
	case over:
		return connError{http2.ErrCodeFlowControl, "more data than the window allows"}
	case st == nil || st.body.ended():
		c.refund(nil, size)
		if st != nil {
			c.reset(f.StreamID, http2.ErrCodeStreamClosed)
		}
		return nil
	}
	data := f.Data()
	if pad := size - len(data); pad > 0 {
		c.refund(st, pad)
	}
	unwanted, ok := st.body.add(data, f.StreamEnded())
	c.refund(nil, unwanted)
	if !ok {
		c.reset(f.StreamID, http2.ErrCodeFlowControl)
	}
	return nil
}

// refund lets the client send more: n bytes have been read, or never will be. Small amounts are gathered.
func (c *conn) refund(st *stream, n int) {
	if n == 0 {
		return
	}
	c.mu.Lock()
	c.consumed += n
	var forConn, forStream int
	if c.consumed >= recvConn/8 {
		forConn, c.consumed = c.consumed, 0
		c.received += forConn
	}
	if st != nil {
		if st.consumed += n; st.consumed >= recvStream/8 && !st.body.ended() {
			forStream, st.consumed = st.consumed, 0
			st.body.allow(forStream)
		}
	}
	c.mu.Unlock()
	if forConn == 0 && forStream == 0 {
		return
	}
	c.out.control(func(b []byte) []byte {
		if forConn > 0 {
			b = appendUint32Frame(b, http2.FrameWindowUpdate, 0, uint32(forConn))
		}
		if forStream > 0 {
			b = appendUint32Frame(b, http2.FrameWindowUpdate, st.id, uint32(forStream))
		}
		return b
	})
}

// reset ends a stream by an error of its own.
func (c *conn) reset(id uint32, code http2.ErrCode) {
	c.mu.Lock()
	st := c.streams[id]
	c.mu.Unlock()
	if st != nil {
		st.cancelled(fmt.Errorf("stream was reset: %s", code))
		c.forget(st)
	}
	c.out.control(func(b []byte) []byte { return appendUint32Frame(b, http2.FrameRSTStream, id, uint32(code)) })
}

// forget takes a stream off the connection.
func (c *conn) forget(st *stream) {
	left := st.body.close()
	c.mu.Lock()
	delete(c.streams, st.id)
	delete(c.waiting, st)
	last := c.leaving && len(c.streams) == 0
	c.mu.Unlock()
	c.refund(nil, left)
	if last {
		c.out.closeAfter()
	}
	c.rest()
}

// rest starts the clock of a connection without requests.
func (c *conn) rest() {
	timeout := c.s.web.IdleTimeout
	if timeout <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.streams) > 0 || c.err != nil {
		return
	}
	if c.idle == nil {
		c.idle = time.AfterFunc(timeout, func() {
			c.mu.Lock()
			quiet := len(c.streams) == 0
			c.mu.Unlock()
			if quiet {
				c.goAway(http2.ErrCodeNo)
			}
		})
		return
	}
	c.idle.Reset(timeout)
}

// goAway refuses further streams. The connection ends with its last one, at once where there is none.
func (c *conn) goAway(code http2.ErrCode) {
	c.mu.Lock()
	if c.leaving {
		c.mu.Unlock()
		return
	}
	c.leaving = true
	last, none := c.lastID, len(c.streams) == 0
	c.mu.Unlock()
	c.out.control(func(b []byte) []byte { return appendGoAway(b, last, code) })
	if none {
		c.out.closeAfter()
	}
}

// end tells everybody that the connection is over, and closes it.
func (c *conn) end(err error) {
	var ce connError
	if errors.As(err, &ce) {
		c.out.hurry()
		c.goAway(ce.code)
		c.out.drain()
	}
	if err == nil {
		err = io.EOF
	}
	c.mu.Lock()
	c.err = err
	var open []*stream
	for _, st := range c.streams {
		open = append(open, st)
	}
	if c.idle != nil {
		c.idle.Stop()
	}
	c.mu.Unlock()
	for _, st := range open {
		st.cancelled(fmt.Errorf("connection ended: %w", err))
	}
	if ce.why != "" {
		c.finish()
		_, _ = io.Copy(io.Discard, c.tls.NetConn()) // until the client has seen why, or lastWords are over
	}
	c.close()
}

// lastWords is how long a connection whose last frame is written waits for the client to close it: closing at once could
// make the kernel throw away what is on its way.
const lastWords = time.Second

// finish says that nothing more will be written.
func (c *conn) finish() {
	nc := c.tls.NetConn()
	if c.gate != nil {
		nc = c.gate.Conn
	}
	_ = c.tls.SetReadDeadline(time.Now().Add(lastWords))
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// close cuts the connection.
func (c *conn) close() {
	c.out.fail(io.ErrClosedPipe)
	_ = c.tls.NetConn().Close()
}
