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
// the client feels it as back-pressure.
func (d *door) Batch(stream grpc.BidiStreamingServer[resourcev1.BatchRequest, resourcev1.BatchResponse]) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	manager := agent(ctx)
	slots := make(chan struct{}, batchConcurrency)
	var (
		wg      sync.WaitGroup
		sending sync.Mutex
		sendErr error
	)
	for {
		req, err := stream.Recv()
		if err != nil {
			wg.Wait()
			if errors.Is(err, io.EOF) {
				return sendErr
			}
			return err
		}
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			resp := d.admitted(ctx, req, manager)
			sending.Lock()
			defer sending.Unlock()
			if sendErr == nil {
				if sendErr = stream.Send(resp); sendErr != nil {
					cancel()
				}
			}
		}()
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
