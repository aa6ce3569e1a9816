package client

import (
	"context"
	"errors"
	"io"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// Page is a part of a collection.
type Page[T Object] struct {
	Items []T
	// Revision of the whole list, the same on each page.
	Revision int64
	// Continue is the token of the next page; empty on the last.
	Continue string
	// Remaining is about how many objects follow; nil where the server does not know.
	Remaining *int64
}

// List returns all objects that the options select, at one revision.
func (c *Client[T]) List(ctx context.Context, o ListOptions) ([]T, int64, error) {
	o.Limit, o.Continue = 0, ""
	p, err := c.ListPage(ctx, o)
	if p == nil {
		return nil, 0, err
	}
	return p.Items, p.Revision, err
}

// ListPage returns at most Limit objects and the token to go on with. A token whose revision is compacted is refused
// with an error that apierrors.IsResourceExpired knows.
func (c *Client[T]) ListPage(ctx context.Context, o ListOptions) (*Page[T], error) {
	req := &resourcev1.ListRequest{
		Selection:       c.selection(o.Namespace, o.LabelSelector, o.FieldSelector),
		ResourceVersion: o.ResourceVersion, ResourceVersionMatch: o.ResourceVersionMatch,
		Limit: o.Limit, ContinueToken: o.Continue,
		Encoding: resourcev1.Encoding_ENCODING_PROTOBUF, Trim: c.wireTrim(),
	}
	return read(ctx, ListTimeout, func(ctx context.Context) (*Page[T], error) { return c.listOnce(ctx, req) })
}

// listOnce reads one list stream to its end. A stream that breaks yields nothing: the caller starts over.
func (c *Client[T]) listOnce(ctx context.Context, req *resourcev1.ListRequest) (*Page[T], error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.conn.waist.List(ctx, req, waitForReady)
	if err != nil {
		return nil, err
	}
	p := &Page[T]{}
	var bad error
	for {
		chunk, err := stream.Recv()
		if err == io.EOF {
			return p, bad
		}
		if err != nil {
			return nil, err
		}
		var e error
		p.Items, e = decodeAll(p.Items, chunk.GetObjects())
		bad = errors.Join(bad, e)
		p.Revision = chunk.GetRevision()
		p.Continue, p.Remaining = chunk.GetContinueToken(), chunk.Remaining
	}
}

// decodeAll appends the objects that can be decoded and returns the errors of those that cannot: a broken object does
// not hide the others.
func decodeAll[T Object](into []T, raw []*resourcev1.Object) ([]T, error) {
	var bad error
	if into == nil {
		into = make([]T, 0, len(raw))
	}
	for _, r := range raw {
		obj, err := decode[T](r)
		if err != nil {
			bad = errors.Join(bad, err)
			continue
		}
		into = append(into, obj)
	}
	return into, bad
}
