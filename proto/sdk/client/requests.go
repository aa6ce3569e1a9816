package client

import resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"

// Single calls and batches send the same requests.

func (c *Client[T]) createRequest(obj T, o WriteOptions) (*resourcev1.CreateRequest, error) {
	raw, err := c.kind.encode(obj)
	if err != nil {
		return nil, err
	}
	return &resourcev1.CreateRequest{Ref: c.refOf(obj, ""), Object: raw, Options: o.wire()}, nil
}

func (c *Client[T]) updateRequest(subresource string, obj T, o WriteOptions) (*resourcev1.UpdateRequest, error) {
	raw, err := c.kind.encode(obj)
	if err != nil {
		return nil, err
	}
	return &resourcev1.UpdateRequest{Ref: c.refOf(obj, subresource), Object: raw, Options: o.wire()}, nil
}

func (c *Client[T]) patchRequest(namespace, name string, t PatchType, patch []byte, o PatchOptions) *resourcev1.PatchRequest {
	return &resourcev1.PatchRequest{
		Ref: c.Ref(namespace, name, o.Subresource), Type: t, Patch: patch, Force: o.Force,
		Options: WriteOptions{DryRun: o.DryRun, FieldManager: o.FieldManager}.wire(),
	}
}

func (c *Client[T]) deleteRequest(namespace, name string, o DeleteOptions) *resourcev1.DeleteRequest {
	return &resourcev1.DeleteRequest{
		Ref: c.Ref(namespace, name, ""), Options: o.wire(), Encoding: resourcev1.Encoding_ENCODING_PROTOBUF,
	}
}

func (c *Client[T]) selection(namespace, labels, fields string) *resourcev1.Selection {
	return &resourcev1.Selection{
		Resource: c.kind.Resource(), Namespace: namespace, LabelSelector: labels, FieldSelector: fields,
	}
}
