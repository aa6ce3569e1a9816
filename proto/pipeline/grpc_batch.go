package pipeline

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// batchConcurrency is how many writes of one batch stream are in the pipeline at the same time: enough to fill the
// store's own batches, few enough that one client does not crowd out the others.
const batchConcurrency = 64

// Batch implements the resource service. While batchConcurrency writes are under way the stream is not read further:
// the client feels it as back-pressure. It ends with the client's side, or with the server: what has been read until then
// is done and answered.
func (d *door) Batch(stream grpc.BidiStreamingServer[resourcev1.BatchRequest, resourcev1.BatchResponse]) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	b := &batch{d: d, stream: stream, ctx: ctx, cancel: cancel, manager: agent(ctx), work: make(chan *resourcev1.BatchRequest)}
	read := make(chan error, 1)
	// Ends when this method returns, for that ends the stream.
	go func() { read <- b.read() }()
	select {
	case err := <-read:
		b.finish()
		if errors.Is(err, io.EOF) {
			return b.sendErr
		}
		return err
	case <-d.s.ctx.Done():
		b.finish()
		return apierrors.ToGRPC(apierrors.NewServiceUnavailable("the server is shutting down"))
	}
}

// batch is one stream of writes.
type batch struct {
	d       *door
	stream  grpc.BidiStreamingServer[resourcev1.BatchRequest, resourcev1.BatchResponse]
	ctx     context.Context
	cancel  context.CancelFunc
	manager string
	// work goes to workers, which stay: their stacks have grown already.
	work chan *resourcev1.BatchRequest

	mu       sync.Mutex
	finished bool
	running  sync.WaitGroup

	sending sync.Mutex
	sendErr error
}

// read hands the writes that come to workers, until the stream or the batch ends.
func (b *batch) read() error {
	defer close(b.work)
	for workers := 0; ; {
		req, err := b.stream.Recv()
		if err != nil {
			return err
		}
		if !b.begin() {
			return nil
		}
		select {
		case b.work <- req:
			continue
		default:
		}
		if workers < batchConcurrency {
			workers++
			go b.writes(req)
		} else {
			b.work <- req
		}
	}
}

// writes does a write, and then those that come.
func (b *batch) writes(req *resourcev1.BatchRequest) {
	b.write(req)
	for req := range b.work {
		b.write(req)
	}
}

// begin counts a write; false where the batch takes no more.
func (b *batch) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.finished {
		b.running.Add(1)
	}
	return !b.finished
}

// finish takes no more writes, and waits for those that are under way.
func (b *batch) finish() {
	b.mu.Lock()
	b.finished = true
	b.mu.Unlock()
	b.running.Wait()
}

func (b *batch) write(req *resourcev1.BatchRequest) {
	defer b.running.Done()
	resp := b.d.admitted(b.ctx, req, b.manager)
	b.sending.Lock()
	defer b.sending.Unlock()
	if b.sendErr == nil {
		if b.sendErr = b.stream.Send(resp); b.sendErr != nil {
			b.cancel()
		}
	}
}

// admitted does one write of a batch once it is its turn.
func (d *door) admitted(ctx context.Context, req *resourcev1.BatchRequest, manager string) *resourcev1.BatchResponse {
	if d.s.cfg.BatchGate != nil {
		release, err := d.s.cfg.BatchGate(ctx, req)
		if err != nil {
			return &resourcev1.BatchResponse{Id: req.GetId(), Error: apierrors.FromError(err)}
		}
		defer release()
	}
	return d.one(ctx, req, manager)
}

// one does one write of a batch.
func (d *door) one(ctx context.Context, req *resourcev1.BatchRequest, manager string) *resourcev1.BatchResponse {
	var (
		res *Result
		err error
		o   *resourcev1.WriteOptions
	)
	known := func(o *resourcev1.WriteOptions) *resourcev1.WriteOptions {
		if o == nil {
			o = &resourcev1.WriteOptions{}
		}
		if o.FieldManager == "" {
			o.FieldManager = manager
		}
		return o
	}
	switch r := req.GetRequest().(type) {
	case *resourcev1.BatchRequest_Create:
		r.Create.Options = known(r.Create.GetOptions())
		o = r.Create.Options
		res, err = d.s.Create(ctx, r.Create)
	case *resourcev1.BatchRequest_Update:
		r.Update.Options = known(r.Update.GetOptions())
		o = r.Update.Options
		res, err = d.s.Update(ctx, r.Update)
	case *resourcev1.BatchRequest_Patch:
		r.Patch.Options = known(r.Patch.GetOptions())
		o = r.Patch.Options
		res, err = d.s.Patch(ctx, r.Patch)
	case *resourcev1.BatchRequest_Delete:
		o = &resourcev1.WriteOptions{Encoding: r.Delete.GetEncoding()}
		res, err = d.s.Delete(ctx, r.Delete)
	default:
		err = apierrors.NewBadRequest("the batch item has no request")
	}
	resp := &resourcev1.BatchResponse{Id: req.GetId()}
	switch {
	case err != nil:
		resp.Error = apierrors.FromError(err)
	case o.GetOmitObject():
		resp.Object = &resourcev1.Object{Revision: res.Item.Revision}
	default:
		if resp.Object, err = (shape{encoding: o.GetEncoding()}).object(res.Item); err != nil {
			resp.Error = apierrors.FromError(err)
		}
	}
	return resp
}
