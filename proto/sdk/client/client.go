package client

import (
	"context"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// Client reads and writes the objects of one kind. It is cheap and safe for concurrent use.
type Client[T Object] struct {
	conn *Conn
	kind Kind
	trim bool
	// bare clients read metadata only.
	bare bool
}

// For returns a client of T's kind, which its descriptor names.
func For[T Object](c *Conn) *Client[T] {
	var zero T
	return &Client[T]{conn: c, kind: KindOf(zero)}
}

// Trim returns a client whose reads leave managed fields out. An object read so may be written back: the server keeps
// the managed fields that a write does not have.
func (c *Client[T]) Trim() *Client[T] {
	t := *c
	t.trim = true
	return &t
}

// Kind returns how the API serves T.
func (c *Client[T]) Kind() Kind { return c.kind }

// Conn returns the connection.
func (c *Client[T]) Conn() *Conn { return c.conn }

// Ref returns the address of an object, or of one of its subresources.
func (c *Client[T]) Ref(namespace, name, subresource string) *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: c.kind.Resource(), Namespace: namespace, Name: name, Subresource: subresource}
}

func (c *Client[T]) refOf(obj T, subresource string) *resourcev1.ObjectRef {
	k := KeyOf(obj)
	return c.Ref(k.Namespace, k.Name, subresource)
}

func (c *Client[T]) wireTrim() *resourcev1.Trim {
	if !c.trim && !c.bare {
		return nil
	}
	return &resourcev1.Trim{ManagedFields: true, MetadataOnly: c.bare}
}

// Get returns one object.
func (c *Client[T]) Get(ctx context.Context, namespace, name string, o ...GetOptions) (T, error) {
	return c.get(ctx, c.Ref(namespace, name, ""), first(o))
}

func (c *Client[T]) get(ctx context.Context, ref *resourcev1.ObjectRef, o GetOptions) (T, error) {
	resp, err := read(ctx, c.conn.callTimeout, func(ctx context.Context) (*resourcev1.GetResponse, error) {
		return c.conn.waist.Get(ctx, &resourcev1.GetRequest{
			Ref: ref, ResourceVersion: o.ResourceVersion,
			Encoding: resourcev1.Encoding_ENCODING_PROTOBUF, Trim: c.wireTrim(),
		}, waitForReady)
	})
	return result[T](resp.GetObject(), err)
}

// Create stores a new object and returns it as stored.
func (c *Client[T]) Create(ctx context.Context, obj T, o ...WriteOptions) (T, error) {
	req, err := c.createRequest(obj, first(o))
	if err != nil {
		return result[T](nil, err)
	}
	resp, err := write(ctx, c.conn, c.conn.waist.Create, req)
	return result[T](resp.GetObject(), err)
}

// Update replaces an object. Its resourceVersion, where set, must be the current one: else the error is a conflict.
func (c *Client[T]) Update(ctx context.Context, obj T, o ...WriteOptions) (T, error) {
	return c.UpdateSubresource(ctx, "", obj, o...)
}

// UpdateStatus replaces an object's status and nothing else.
func (c *Client[T]) UpdateStatus(ctx context.Context, obj T, o ...WriteOptions) (T, error) {
	return c.UpdateSubresource(ctx, "status", obj, o...)
}

// UpdateSubresource updates through a subresource that takes the object's own kind.
func (c *Client[T]) UpdateSubresource(ctx context.Context, subresource string, obj T, o ...WriteOptions) (T, error) {
	req, err := c.updateRequest(subresource, obj, first(o))
	if err != nil {
		return result[T](nil, err)
	}
	resp, err := write(ctx, c.conn, c.conn.waist.Update, req)
	return result[T](resp.GetObject(), err)
}

// Patch changes an object. The patch is JSON; for ApplyPatch JSON or YAML.
func (c *Client[T]) Patch(ctx context.Context, namespace, name string, t PatchType, patch []byte, o ...PatchOptions) (T, error) {
	resp, err := write(ctx, c.conn, c.conn.waist.Patch, c.patchRequest(namespace, name, t, patch, first(o)))
	return result[T](resp.GetObject(), err)
}

// Apply is server-side apply of a configuration in JSON or YAML: the fields that it has become the manager's, those
// that it had before and no longer has are given up. What does not exist is created.
func (c *Client[T]) Apply(ctx context.Context, namespace, name string, configuration []byte, o PatchOptions) (T, error) {
	return c.Patch(ctx, namespace, name, ApplyPatch, configuration, o)
}

// Delete removes an object, or marks it for deletion while it has finalizers or a grace period.
func (c *Client[T]) Delete(ctx context.Context, namespace, name string, o ...DeleteOptions) error {
	_, err := write(ctx, c.conn, c.conn.waist.Delete, c.deleteRequest(namespace, name, first(o)))
	return err
}

// DeleteCollection deletes every object that the options select and returns them as last seen.
func (c *Client[T]) DeleteCollection(ctx context.Context, l ListOptions, o ...DeleteOptions) ([]T, error) {
	resp, err := write(ctx, c.conn, c.conn.waist.DeleteCollection, &resourcev1.DeleteCollectionRequest{
		Selection: c.selection(l.Namespace, l.LabelSelector, l.FieldSelector), Options: first(o).wire(), Limit: l.Limit,
		Encoding: resourcev1.Encoding_ENCODING_PROTOBUF,
	})
	if err != nil {
		return nil, err
	}
	return decodeAll[T](nil, resp.GetObjects())
}

// result decodes what a call returned, unless it failed.
func result[T Object](o *resourcev1.Object, err error) (T, error) {
	if err != nil {
		var zero T
		return zero, err
	}
	return decode[T](o)
}
