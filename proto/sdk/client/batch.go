package client

import (
	"context"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"google.golang.org/protobuf/proto"
)

// Batch is a Pipeline in terms of T. Results come to the functions given with each write, which are called once, from
// another goroutine, and must not block; they may be nil. The methods' own errors mean that nothing was sent.
type Batch[T Object] struct {
	client   *Client[T]
	pipeline *Pipeline
}

// Batch returns a batch that lives until it is closed or the context ends.
func (c *Client[T]) Batch(ctx context.Context) *Batch[T] { return c.BatchOn(c.conn.Pipeline(ctx)) }

// BatchOn returns a batch over a pipeline that batches of other kinds use as well.
func (c *Client[T]) BatchOn(p *Pipeline) *Batch[T] { return &Batch[T]{client: c, pipeline: p} }

// Create stores a new object.
func (b *Batch[T]) Create(obj T, done func(T, error), o ...WriteOptions) error {
	req, err := b.client.createRequest(obj, first(o))
	if err != nil {
		return err
	}
	return b.submit(&resourcev1.BatchRequest{Request: &resourcev1.BatchRequest_Create{Create: req}}, done)
}

// Update replaces an object.
func (b *Batch[T]) Update(obj T, done func(T, error), o ...WriteOptions) error {
	return b.update("", obj, done, o)
}

// UpdateStatus replaces an object's status.
func (b *Batch[T]) UpdateStatus(obj T, done func(T, error), o ...WriteOptions) error {
	return b.update("status", obj, done, o)
}

func (b *Batch[T]) update(subresource string, obj T, done func(T, error), o []WriteOptions) error {
	req, err := b.client.updateRequest(subresource, obj, first(o))
	if err != nil {
		return err
	}
	return b.submit(&resourcev1.BatchRequest{Request: &resourcev1.BatchRequest_Update{Update: req}}, done)
}

// Patch changes an object.
func (b *Batch[T]) Patch(namespace, name string, t PatchType, patch []byte, done func(T, error), o ...PatchOptions) error {
	req := b.client.patchRequest(namespace, name, t, patch, first(o))
	return b.submit(&resourcev1.BatchRequest{Request: &resourcev1.BatchRequest_Patch{Patch: req}}, done)
}

// Delete removes an object, or marks it for deletion.
func (b *Batch[T]) Delete(namespace, name string, done func(error), o ...DeleteOptions) error {
	req := b.client.deleteRequest(namespace, name, first(o))
	return b.pipeline.Submit(&resourcev1.BatchRequest{Request: &resourcev1.BatchRequest_Delete{Delete: req}}, onlyError(done))
}

// Sub creates a subresource of an object, such as a pod's binding. The result's body is left out.
func (b *Batch[T]) Sub(namespace, name, subresource string, body proto.Message, done func(error), o ...WriteOptions) error {
	raw, err := Kind{}.encode(body)
	if err != nil {
		return err
	}
	opts := first(o).wire()
	opts.OmitObject = true
	req := &resourcev1.CreateRequest{Ref: b.client.Ref(namespace, name, subresource), Object: raw, Options: opts}
	return b.pipeline.Submit(&resourcev1.BatchRequest{Request: &resourcev1.BatchRequest_Create{Create: req}}, onlyError(done))
}

// Wait blocks until every write that was submitted has its result.
func (b *Batch[T]) Wait() { b.pipeline.Wait() }

// Close waits for all results and ends the stream.
func (b *Batch[T]) Close() { b.pipeline.Close() }

func (b *Batch[T]) submit(req *resourcev1.BatchRequest, done func(T, error)) error {
	if done == nil {
		return b.pipeline.Submit(req, nil)
	}
	return b.pipeline.Submit(req, func(o *resourcev1.Object, err error) { done(result[T](o, err)) })
}

func onlyError(done func(error)) Done {
	if done == nil {
		return nil
	}
	return func(_ *resourcev1.Object, err error) { done(err) }
}
