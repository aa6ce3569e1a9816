package client

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// PipelineWindow is how many writes of a pipeline may be under way: enough to keep the server's store busy, few enough
// that no long queue builds up where nobody sees it. Submit waits beyond it.
const PipelineWindow = 1024

// ErrClosed is the error of a write that is submitted after Close.
var ErrClosed = errors.New("client: the batch is closed")

// Done receives the outcome of a pipelined write: the object as stored, or why it failed. It is called once, from
// another goroutine, and must not block: the results of other writes wait behind it.
type Done func(*resourcev1.Object, error)

// Pipeline carries independent writes over one stream, many at a time, each with its own result and its own
// transaction. When the stream breaks, the writes under way fail (whether they took effect is not known), and the next
// write opens a new stream. Safe for concurrent use.
type Pipeline struct {
	conn    *Conn
	ctx     context.Context
	window  chan struct{}
	pending counter
	loops   sync.WaitGroup

	mu     sync.Mutex
	stream *pipelineStream
	closed bool
}

// pipelineStream is one life of the stream.
type pipelineStream struct {
	rpc    grpc.BidiStreamingClient[resourcev1.BatchRequest, resourcev1.BatchResponse]
	cancel context.CancelFunc

	mu      sync.Mutex
	nextID  uint64
	waiting map[uint64]Done
	dead    bool
}

// Pipeline returns a pipeline that lives until it is closed or the context ends.
func (c *Conn) Pipeline(ctx context.Context) *Pipeline {
	p := &Pipeline{conn: c, ctx: ctx, window: make(chan struct{}, PipelineWindow)}
	p.pending.zero.L = &p.pending.mu
	return p
}

// Submit sends a write, whose id it sets. It waits while the window is full or there is no connection. An error means
// that nothing was sent and done is not called.
func (p *Pipeline) Submit(req *resourcev1.BatchRequest, done Done) error {
	if n := proto.Size(req); n > MaxMessageBytes {
		return apierrors.NewRequestEntityTooLarge(fmt.Sprintf("limit is %d", MaxMessageBytes))
	}
	select {
	case p.window <- struct{}{}:
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
	p.pending.add(1)
	err := p.submit(req, func(o *resourcev1.Object, err error) {
		if done != nil {
			done(o, err)
		}
		p.release()
	})
	if err != nil {
		p.release()
	}
	return err
}

func (p *Pipeline) release() {
	<-p.window
	p.pending.add(-1)
}

func (p *Pipeline) submit(req *resourcev1.BatchRequest, done Done) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	for {
		if p.stream == nil {
			if err := p.open(); err != nil {
				return err
			}
		}
		if p.stream.register(req, done) {
			p.stream.write(req)
			return nil
		}
		p.stream = nil // it died since, and nothing of this write was sent
	}
}

// open starts a stream and the goroutine that receives its results.
func (p *Pipeline) open() error {
	ctx, cancel := context.WithCancel(p.ctx)
	rpc, err := p.conn.waist.Batch(ctx, waitForReady)
	if err != nil {
		cancel()
		return apierrors.FromGRPC(err)
	}
	s := &pipelineStream{rpc: rpc, cancel: cancel, waiting: map[uint64]Done{}}
	p.stream = s
	p.loops.Go(s.receive)
	return nil
}

// Wait blocks until every write that was submitted has its result.
func (p *Pipeline) Wait() { p.pending.wait() }

// Close waits for the results of what was submitted and ends the stream. Further writes are refused.
func (p *Pipeline) Close() {
	p.mu.Lock()
	p.closed = true
	s := p.stream
	p.mu.Unlock()
	p.pending.wait()
	if s != nil {
		s.cancel()
	}
	p.loops.Wait()
}

// register gives the write an id and remembers who waits for it; false where the stream is dead.
func (s *pipelineStream) register(req *resourcev1.BatchRequest, done Done) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return false
	}
	s.nextID++
	req.Id = s.nextID
	s.waiting[req.Id] = done
	return true
}

// write sends a registered write; one at a time, under the pipeline's lock. Where it fails, so does the stream: the
// receiver learns why and fails this write with the others.
func (s *pipelineStream) write(req *resourcev1.BatchRequest) { _ = s.rpc.Send(req) }

// receive hands out results until the stream ends, then fails what is left.
func (s *pipelineStream) receive() {
	defer s.cancel()
	for {
		resp, err := s.rpc.Recv()
		if err != nil {
			s.fail(apierrors.FromGRPC(err))
			return
		}
		s.mu.Lock()
		done := s.waiting[resp.GetId()]
		delete(s.waiting, resp.GetId())
		s.mu.Unlock()
		if done != nil {
			done(resp.GetObject(), apierrors.FromStatus(resp.GetError()))
		}
	}
}

func (s *pipelineStream) fail(err error) {
	s.mu.Lock()
	s.dead = true
	left := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	for _, done := range left {
		done(nil, err)
	}
}

// counter counts what is under way. Unlike a WaitGroup it may be waited for while it goes up again.
type counter struct {
	mu   sync.Mutex
	zero sync.Cond
	n    int
}

func (c *counter) add(d int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n += d; c.n == 0 {
		c.zero.Broadcast()
	}
}

func (c *counter) wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.n > 0 {
		c.zero.Wait()
	}
}
