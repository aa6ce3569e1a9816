package door

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/keelson/keelson/proto/codec"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// Resource is a kind beside pods.
type Resource struct {
	Group, Version, Kind, Plural string
	// Message is the kind's in the contract.
	Message protoreflect.FullName
}

// The kinds that are written beside pods.
var (
	Pods        = Resource{Version: "v1", Kind: "Pod", Plural: "pods", Message: "keelson.core.v1.Pod"}
	ConfigMaps  = Resource{Version: "v1", Kind: "ConfigMap", Plural: "configmaps", Message: "keelson.core.v1.ConfigMap"}
	Deployments = Resource{Group: "apps", Version: "v1", Kind: "Deployment", Plural: "deployments", Message: "keelson.apps.v1.Deployment"}
)

func (r Resource) apiVersion() string {
	if r.Group == "" {
		return r.Version
	}
	return r.Group + "/" + r.Version
}

// wire is an object in protobuf.
func (r Resource) wire(json []byte) ([]byte, error) {
	md, err := protoregistry.GlobalFiles.FindDescriptorByName(r.Message)
	if err != nil {
		return nil, err
	}
	wire, _, err := codec.For(md.(protoreflect.MessageDescriptor)).ParseJSON(nil, json, codec.DecodeOptions{Validation: codec.Strict})
	return wire, err
}

// PatchType is how a patch is meant.
type PatchType int

// The patches that are measured.
const (
	Merge PatchType = iota
	Strategic
	Apply
)

// Raw is a door for objects of any kind, in the door's own encoding.
type Raw interface {
	Door
	// Encode brings an object from JSON into the door's encoding.
	Encode(r Resource, json []byte) ([]byte, error)
	// Post creates an object.
	Post(ctx context.Context, r Resource, namespace string, object []byte) error
	// Read returns an object.
	Read(ctx context.Context, r Resource, namespace, name string) ([]byte, error)
	// Put replaces an object.
	Put(ctx context.Context, r Resource, namespace, name string, object []byte) error
	// Change patches an object, or a subresource of it.
	Change(ctx context.Context, r Resource, namespace, name, subresource string, t PatchType, patch []byte) error
}

func (d *REST) path(r Resource, namespace, name, subresource string) string {
	u := d.base + "/apis/" + r.Group + "/" + r.Version
	if r.Group == "" {
		u = d.base + "/api/" + r.Version
	}
	u += "/namespaces/" + namespace + "/" + r.Plural
	for _, part := range []string{name, subresource} {
		if part != "" {
			u += "/" + part
		}
	}
	return u
}

// Encode implements Raw.
func (d *REST) Encode(r Resource, json []byte) ([]byte, error) {
	if d.enc.name == jsonEncoding.name {
		return json, nil
	}
	wire, err := r.wire(json)
	return envelope(r.apiVersion(), r.Kind, wire), err
}

// Post implements Raw.
func (d *REST) Post(ctx context.Context, r Resource, namespace string, object []byte) error {
	return d.do(ctx, http.MethodPost, d.path(r, namespace, "", ""), object, io.Discard)
}

// Read implements Raw.
func (d *REST) Read(ctx context.Context, r Resource, namespace, name string) ([]byte, error) {
	var b bytes.Buffer
	err := d.do(ctx, http.MethodGet, d.path(r, namespace, name, ""), nil, &b)
	return b.Bytes(), err
}

// Put implements Raw.
func (d *REST) Put(ctx context.Context, r Resource, namespace, name string, object []byte) error {
	return d.do(ctx, http.MethodPut, d.path(r, namespace, name, ""), object, io.Discard)
}

var patchContent = map[PatchType]string{
	Merge: "application/merge-patch+json", Strategic: "application/strategic-merge-patch+json", Apply: "application/apply-patch+yaml",
}

// Change implements Raw.
func (d *REST) Change(ctx context.Context, r Resource, namespace, name, subresource string, t PatchType, patch []byte) error {
	u := d.path(r, namespace, name, subresource)
	if t == Apply {
		u += "?fieldManager=" + url.QueryEscape(userAgent)
	}
	return d.send(ctx, http.MethodPatch, u, patchContent[t], patch, io.Discard)
}

func (r Resource) ref(namespace, name, subresource string) *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: r.Group, Version: r.Version, Plural: r.Plural},
		Namespace: namespace, Name: name, Subresource: subresource}
}

var writeOptions = &resourcev1.WriteOptions{FieldManager: userAgent}

// Encode implements Raw.
func (d *GRPC) Encode(r Resource, json []byte) ([]byte, error) { return r.wire(json) }

// Post implements Raw.
func (d *GRPC) Post(ctx context.Context, r Resource, namespace string, object []byte) error {
	_, err := d.conn.Waist().Create(ctx, &resourcev1.CreateRequest{Ref: r.ref(namespace, "", ""), Object: &resourcev1.Object{Raw: object}, Options: writeOptions})
	return err
}

// Read implements Raw.
func (d *GRPC) Read(ctx context.Context, r Resource, namespace, name string) ([]byte, error) {
	o, err := d.conn.Waist().Get(ctx, &resourcev1.GetRequest{Ref: r.ref(namespace, name, "")})
	return o.GetObject().GetRaw(), err
}

// Put implements Raw.
func (d *GRPC) Put(ctx context.Context, r Resource, namespace, name string, object []byte) error {
	_, err := d.conn.Waist().Update(ctx, &resourcev1.UpdateRequest{Ref: r.ref(namespace, name, ""), Object: &resourcev1.Object{Raw: object}, Options: writeOptions})
	return err
}

var patchTypes = map[PatchType]resourcev1.PatchType{
	Merge: resourcev1.PatchType_PATCH_TYPE_MERGE, Strategic: resourcev1.PatchType_PATCH_TYPE_STRATEGIC_MERGE, Apply: resourcev1.PatchType_PATCH_TYPE_APPLY,
}

// Change implements Raw.
func (d *GRPC) Change(ctx context.Context, r Resource, namespace, name, subresource string, t PatchType, patch []byte) error {
	_, err := d.conn.Waist().Patch(ctx, &resourcev1.PatchRequest{Ref: r.ref(namespace, name, subresource), Type: patchTypes[t], Patch: patch, Options: writeOptions})
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.Plural, name, err)
	}
	return nil
}
