package h2

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// output is a connection's sending side. Whoever adds frames while nobody writes becomes the writer, and writes also what
// others add meanwhile: they go on at once, unless too much waits.
type output struct {
	c *conn

	mu      sync.Mutex
	pending *[]byte
	writing bool
	// closing ends the connection once everything is written.
	closing bool
	err     error
	// drained wakes those who wait for less to be pending.
	drained *sync.Cond
	// deadline is the one that the network connection has; final says that it is not moved any more.
	deadline time.Time
	final    bool

	encoder *hpack.Encoder
	block   bytes.Buffer
}

var pendingBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}

func putPending(b *[]byte) {
	if cap(*b) <= 2*maxPending {
		*b = (*b)[:0]
		pendingBuffers.Put(b)
	}
}

var errOverload = connError{http2.ErrCodeEnhanceYourCalm, "too many answers wait for a client that does not read"}

func (o *output) init(c *conn) {
	o.c = c
	o.drained = sync.NewCond(&o.mu)
	o.encoder = hpack.NewEncoder(&o.block)
}

// tableSize takes over how much memory the client's decoder has for names that come again.
func (o *output) tableSize(n uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.encoder.SetMaxDynamicTableSize(min(n, 4096))
}

// send adds frames and sees to it that they are written, waiting where too much is pending already.
func (o *output) send(add func(b []byte) []byte) error {
	o.mu.Lock()
	for o.err == nil && o.writing && o.pending != nil && len(*o.pending) > maxPending {
		o.drained.Wait()
	}
	return o.addLocked(add)
}

// addLocked adds frames and writes, if nobody does. It unlocks.
func (o *output) addLocked(add func(b []byte) []byte) error {
	if o.err != nil {
		defer o.mu.Unlock()
		return o.err
	}
	o.append(add)
	if o.writing {
		o.mu.Unlock()
		return nil
	}
	o.writing = true
	return o.writeLocked()
}

func (o *output) append(add func(b []byte) []byte) {
	if o.pending == nil {
		o.pending = pendingBuffers.Get().(*[]byte)
	}
	*o.pending = add(*o.pending)
}

// control adds frames from the reader, which must never wait for the network: where nobody writes, another goroutine
// does.
func (o *output) control(add func(b []byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return
	}
	o.append(add)
	if !o.writing {
		o.writing = true
		o.handOver()
	}
}

// overloaded is an error where the client asks for answers without reading them.
func (o *output) overloaded() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pending != nil && len(*o.pending) > 2*maxPending {
		return errOverload
	}
	if !o.writing && o.err == nil && o.c.gate != nil && o.c.gate.holds() { // TLS has answered the client by itself
		o.writing = true
		o.handOver()
	}
	return nil
}

// handOver has another goroutine go on with writing.
func (o *output) handOver() {
	o.c.s.workers.do(func() {
		var err error
		if o.c.gate != nil {
			err = o.c.gate.flush()
		}
		o.mu.Lock()
		if err != nil && o.err == nil {
			o.err = err
		}
		_ = o.writeLocked()
	})
}

// maxRounds is how often a writer writes what others have added before another goroutine does it: a handler is not to
// work for its neighbours for ever.
const maxRounds = 8

// writeLocked writes until nothing is pending. The caller has set writing and holds the lock, which is released.
func (o *output) writeLocked() error {
	for round := 0; o.err == nil && o.pending != nil; round++ {
		if round == maxRounds {
			o.handOver()
			o.mu.Unlock()
			return nil
		}
		buf := o.pending
		o.pending = nil
		o.extend()
		o.mu.Unlock()
		err := o.c.write(*buf)
		putPending(buf)
		o.mu.Lock()
		if err != nil && o.err == nil {
			o.err = err
		}
		o.drained.Broadcast()
	}
	o.writing = false
	err := o.err
	last := o.lastLocked()
	o.drained.Broadcast()
	o.mu.Unlock()
	switch {
	case err != nil:
		_ = o.c.tls.NetConn().Close() // the reader ends, and with it the connection
	case last:
		o.c.finish()
	}
	return err
}

// extend moves the network connection's deadline; it is not worth a system timer for each write.
func (o *output) extend() {
	now := time.Now()
	if !o.final && o.deadline.Sub(now) < stuckAfter*3/4 {
		o.deadline = now.Add(stuckAfter)
		_ = o.c.tls.SetWriteDeadline(o.deadline)
	}
}

// hurry lets the client take what is pending for a moment only: the connection ends.
func (o *output) hurry() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.final = true
	_ = o.c.tls.SetWriteDeadline(time.Now().Add(lastWords))
}

// write encrypts and sends bytes, in few pieces where the listener allows it.
func (c *conn) write(b []byte) error {
	if c.gate == nil {
		_, err := c.tls.Write(b)
		return err
	}
	for len(b) > 0 {
		n := min(len(b), piece)
		if _, err := c.encrypt(b[:n]); err != nil {
			return err
		}
		if err := c.gate.flush(); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// piece is how much is handed to the kernel at once.
const piece = records * 16 << 10

// encrypt hands bytes to the kernel as far as it takes them at once; left tells whether the gate holds a rest.
func (c *conn) encrypt(b []byte) (left bool, err error) {
	for len(b) > 0 {
		n := min(len(b), piece)
		if n > 16<<10 {
			c.gate.hold()
		}
		_, err := c.tls.Write(b[:n])
		l, lerr := c.gate.release()
		if err = errors.Join(err, lerr); err != nil {
			return false, err
		}
		left = l
		b = b[n:]
	}
	return left, nil
}

// closeAfter ends the connection once what is pending has been written.
func (o *output) closeAfter() {
	o.mu.Lock()
	o.closing = true
	last := o.lastLocked()
	o.mu.Unlock()
	if last {
		o.c.finish()
	}
}

// errFinished stands where nothing is written any more. Answers to what the client may still say, a ping or a window, would
// only break the connection before the client has read everything.
var errFinished = errors.New("http2: everything was sent")

// lastLocked ends writing where everything is written that was to be; the caller tells the client.
func (o *output) lastLocked() bool {
	if !o.closing || o.writing || o.err != nil {
		return false
	}
	o.err = errFinished
	return true
}

// drain waits until everything is written or failed, and ends writing.
func (o *output) drain() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.writing && o.err == nil {
		o.drained.Wait()
	}
	if o.err == nil {
		o.err = errFinished
	}
}

// fail ends all writing.
func (o *output) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	o.drained.Broadcast()
}
