package pipeline

import (
	"context"
	"strings"
	"sync/atomic"

	grpcmeta "google.golang.org/grpc/metadata"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/item"
)

// GRPC returns the gRPC door. It translates and nothing else; the caller registers it and authenticates before it.
func (s *Server) GRPC() resourcev1.ResourceServiceServer { return &door{s: s} }

// door is the gRPC service over the pipeline.
type door struct {
	resourcev1.UnimplementedResourceServiceServer
	s *Server
	// last is the last event that was sent alone.
	last atomic.Pointer[once]
}

// Get implements the resource service.
func (d *door) Get(ctx context.Context, req *resourcev1.GetRequest) (*resourcev1.GetResponse, error) {
	it, err := d.s.Get(ctx, req)
	if err != nil {
		return nil, apierrors.ToGRPC(err)
	}
	o, err := shape{encoding: req.GetEncoding(), trim: req.GetTrim()}.object(it)
	if err != nil {
		return nil, apierrors.ToGRPC(err)
	}
	return &resourcev1.GetResponse{Object: o}, nil
}

// Create implements the resource service.
func (d *door) Create(ctx context.Context, req *resourcev1.CreateRequest) (*resourcev1.CreateResponse, error) {
	req.Options = d.options(ctx, req.GetOptions())
	res, err := d.s.Create(ctx, req)
	o, err := written(res, err, req.GetOptions())
	if err != nil {
		return nil, err
	}
	return &resourcev1.CreateResponse{Object: o, Warnings: res.Warnings}, nil
}

// Update implements the resource service.
func (d *door) Update(ctx context.Context, req *resourcev1.UpdateRequest) (*resourcev1.UpdateResponse, error) {
	req.Options = d.options(ctx, req.GetOptions())
	res, err := d.s.Update(ctx, req)
	o, err := written(res, err, req.GetOptions())
	if err != nil {
		return nil, err
	}
	return &resourcev1.UpdateResponse{Object: o, Warnings: res.Warnings, Created: res.Created}, nil
}

// Patch implements the resource service.
func (d *door) Patch(ctx context.Context, req *resourcev1.PatchRequest) (*resourcev1.PatchResponse, error) {
	if req.GetType() != resourcev1.PatchType_PATCH_TYPE_APPLY {
		req.Options = d.options(ctx, req.GetOptions())
	}
	res, err := d.s.Patch(ctx, req)
	o, err := written(res, err, req.GetOptions())
	if err != nil {
		return nil, err
	}
	return &resourcev1.PatchResponse{Object: o, Warnings: res.Warnings, Created: res.Created}, nil
}

// Delete implements the resource service.
func (d *door) Delete(ctx context.Context, req *resourcev1.DeleteRequest) (*resourcev1.DeleteResponse, error) {
	res, err := d.s.Delete(ctx, req)
	if err != nil {
		return nil, apierrors.ToGRPC(err)
	}
	o, err := shape{encoding: req.GetEncoding()}.object(res.Item)
	if err != nil {
		return nil, apierrors.ToGRPC(err)
	}
	return &resourcev1.DeleteResponse{Object: o, Deleted: res.Deleted, Warnings: res.Warnings}, nil
}

// DeleteCollection implements the resource service.
func (d *door) DeleteCollection(ctx context.Context, req *resourcev1.DeleteCollectionRequest) (*resourcev1.DeleteCollectionResponse, error) {
	items, err := d.s.DeleteCollection(ctx, req)
	if err != nil {
		return nil, apierrors.ToGRPC(err)
	}
	out := &resourcev1.DeleteCollectionResponse{Objects: make([]*resourcev1.Object, len(items))}
	sh := shape{encoding: req.GetEncoding()}
	for i, it := range items {
		if out.Objects[i], err = sh.object(it); err != nil {
			return nil, apierrors.ToGRPC(err)
		}
	}
	return out, nil
}

// options completes write options: a client that names no field manager is known by its user agent.
func (d *door) options(ctx context.Context, o *resourcev1.WriteOptions) *resourcev1.WriteOptions {
	if o.GetFieldManager() != "" {
		return o
	}
	if o == nil {
		o = &resourcev1.WriteOptions{}
	}
	o.FieldManager = agent(ctx)
	return o
}

// agent is the first word of the caller's user agent: "keelson-scheduler".
func agent(ctx context.Context) string {
	md, _ := grpcmeta.FromIncomingContext(ctx)
	agents := md.Get("user-agent")
	if len(agents) == 0 {
		return ""
	}
	if end := strings.IndexAny(agents[0], "/ "); end >= 0 {
		return agents[0][:end]
	}
	return agents[0]
}

// written turns the outcome of a write into what the client wants to see of it.
func written(res *Result, err error, o *resourcev1.WriteOptions) (*resourcev1.Object, error) {
	if err != nil {
		return nil, apierrors.ToGRPC(err)
	}
	if o.GetOmitObject() {
		return &resourcev1.Object{Revision: res.Item.Revision}, nil
	}
	out, err := shape{encoding: o.GetEncoding()}.object(res.Item)
	return out, apierrors.ToGRPC(err)
}

// shape is the form in which a client wants objects.
type shape struct {
	encoding resourcev1.Encoding
	trim     *resourcev1.Trim
	// room, where set, takes bytes that are made: a list uses it again for each of its messages.
	room *[]byte
}

// object is an item in that form. In the kind's own encoding bytes are shared where that can be.
func (sh shape) object(it *item.Item) (*resourcev1.Object, error) {
	o := &resourcev1.Object{Encoding: resourcev1.Encoding_ENCODING_PROTOBUF, Revision: it.Revision}
	if sh.encoding != resourcev1.Encoding_ENCODING_JSON && (!it.Kind.IsCustom() || sh.trim.GetMetadataOnly()) {
		o.Raw = sh.wire(it)
		return o, nil
	}
	var err error
	o.Encoding = resourcev1.Encoding_ENCODING_JSON
	if sh.trim == nil {
		o.Raw, err = it.JSON()
	} else {
		o.Raw, err = codec.For(it.Kind.Descriptor).AppendJSON(nil, sh.wire(it), codec.EncodeOptions{APIVersion: it.Kind.APIVersion(), Kind: it.Kind.Kind})
	}
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return o, nil
}

// wire is an item in its kind's own encoding.
func (sh shape) wire(it *item.Item) []byte {
	switch metadata := sh.trim.GetMetadataOnly(); {
	case sh.trim.GetManagedFields() && metadata:
		return item.MetadataOnly(it.Trimmed())
	case sh.trim.GetManagedFields():
		return it.Trimmed()
	case metadata && sh.room != nil:
		return sh.append(it.AppendMetadata)
	case metadata:
		return it.AppendMetadata(make([]byte, 0, it.MetadataSize()))
	case sh.room != nil:
		return sh.append(it.AppendWire)
	}
	return it.Wire()
}

// append has something appended to the room.
func (sh shape) append(to func([]byte) []byte) []byte {
	from := len(*sh.room)
	*sh.room = to(*sh.room)
	return (*sh.room)[from:len(*sh.room):len(*sh.room)]
}
