package client

import (
	"context"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"google.golang.org/protobuf/proto"
)

// Subresources that take or return another kind than their object's: a pod's binding and eviction, a service
// account's token, a deployment's scale.

// Sub creates a subresource of an object: Sub[*corev1.Binding, *metav1.Status](ctx, conn, pods.Ref(ns, name, "binding"), b).
func Sub[Req, Resp proto.Message](ctx context.Context, c *Conn, ref *resourcev1.ObjectRef, req Req, o ...WriteOptions) (Resp, error) {
	raw, err := Kind{}.encode(req)
	if err != nil {
		return subResult[Resp](nil, err)
	}
	resp, err := write(ctx, c, c.waist.Create, &resourcev1.CreateRequest{Ref: ref, Object: raw, Options: first(o).wire()})
	return subResult[Resp](resp.GetObject(), err)
}

// UpdateSub replaces a subresource of an object, such as its scale.
func UpdateSub[Req, Resp proto.Message](ctx context.Context, c *Conn, ref *resourcev1.ObjectRef, req Req, o ...WriteOptions) (Resp, error) {
	raw, err := Kind{}.encode(req)
	if err != nil {
		return subResult[Resp](nil, err)
	}
	resp, err := write(ctx, c, c.waist.Update, &resourcev1.UpdateRequest{Ref: ref, Object: raw, Options: first(o).wire()})
	return subResult[Resp](resp.GetObject(), err)
}

// GetSub reads a subresource of an object, such as its scale.
func GetSub[Resp proto.Message](ctx context.Context, c *Conn, ref *resourcev1.ObjectRef) (Resp, error) {
	resp, err := read(ctx, c.callTimeout, func(ctx context.Context) (*resourcev1.GetResponse, error) {
		return c.waist.Get(ctx, &resourcev1.GetRequest{Ref: ref, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF}, waitForReady)
	})
	return subResult[Resp](resp.GetObject(), err)
}

func subResult[T proto.Message](o *resourcev1.Object, err error) (T, error) {
	if err != nil {
		var zero T
		return zero, err
	}
	return decode[T](o)
}
