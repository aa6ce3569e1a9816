package client

import (
	"context"
	"errors"
	"sync"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"google.golang.org/grpc"
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
	pending sync.WaitGroup
	loops   sync.WaitGroup

	mu     sync.Mutex
	stream *pipelineStream
	closed bool
}

// pipelineStream is one life of the stream.
type pipelineStream struct {
	rpc    grpc.BidiStreamingClient[resourcev1.BatchRequest, resourcev1.BatchResponse]
	cancel context.CancelFunc
	send   sync.Mutex

	mu      sync.Mutex
	nextID  uint64
	waiting map[uint64]Done
	dead    bool
}

// Pipeline returns a pipeline that lives until it is closed or the context ends.
func (c *Conn) Pipeline(ctx context.Context) *Pipeline {
	return &Pipeline{conn: c, ctx: ctx, window: make(chan struct{}, PipelineWindow)}
}

// Submit sends a write, whose id it sets. It waits while the window is full or there is no connection. An error means
// that nothing was sent and done is not called.
func (p *Pipeline) Submit(req *resourcev1.BatchRequest, done Done) error {
	select {
	case p.window <- struct{}{}:
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
	if err := p.submit(req, done); err != nil {
		<-p.window
		return err
	}
	return nil
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
		if p.stream.register(req, func(o *resourcev1.Object, err error) {
			if done != nil {
				done(o, err)
			}
			<-p.window
			p.pending.Done()
		}) {
			break
		}
		p.stream = nil // it died since: nothing of this write was sent
	}
	p.pending.Add(1)
	p.stream.write(req)
	return nil
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
func (p *Pipeline) Wait() { p.pending.Wait() }

// Close waits for the results of what was submitted and ends the stream. Further writes are refused.
func (p *Pipeline) Close() {
	p.mu.Lock()
	p.closed = true
	s := p.stream
	p.mu.Unlock()
	p.pending.Wait()
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

// write sends a registered write. Where that fails the receiver learns why and fails it with the others.
func (s *pipelineStream) write(req *resourcev1.BatchRequest) {
	s.send.Lock()
	defer s.send.Unlock()
	if err := s.rpc.Send(req); err != nil {
		s.cancel()
	}
}

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
