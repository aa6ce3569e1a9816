// Package writes sends many independent writes at once and says what became of each. Everything leaves in one
// pipelined stream, so a thousand creations cost about as many round trips as one.
package writes

import (
	"context"
	"fmt"
	"sync"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
)

// Write is one write, not sent yet. Err is set where it could not even be encoded.
type Write struct {
	request *resourcev1.BatchRequest
	err     error
}

// Copy is a write of the same content, to be sent as well.
func (w Write) Copy() Write {
	if w.request == nil {
		return w
	}
	// The pipeline numbers requests; their content is only read.
	return Write{request: &resourcev1.BatchRequest{Request: w.request.GetRequest()}, err: w.err}
}

// Outcome is what became of a write.
type Outcome struct {
	// Name and UID of the object that the server returned.
	Name, UID string
	// Revision at which the write took effect; 0 where it failed.
	Revision int64
	Err      error
}

// Unknown reports whether the write may have taken effect although it failed: the connection broke before the answer.
func (o Outcome) Unknown() bool {
	return o.Err != nil && (apierrors.IsServiceUnavailable(o.Err) || apierrors.IsTimeout(o.Err) ||
		apierrors.IsServerTimeout(o.Err) || apierrors.IsInternalError(o.Err) || apierrors.Reason(o.Err) == "")
}

// Ref is the address of an object or of its subresource.
func Ref(obj client.Object, subresource string) *resourcev1.ObjectRef {
	m := obj.GetMetadata()
	return &resourcev1.ObjectRef{
		Resource: client.KindOf(obj).Resource(), Namespace: m.GetNamespace(), Name: m.GetName(), Subresource: subresource,
	}
}

func encode(obj client.Object) (*resourcev1.Object, error) {
	raw, err := proto.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("encoding %s %s: %w", client.KindOf(obj).Kind, client.KeyOf(obj), err)
	}
	return &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF}, nil
}

// Create is the creation of an object.
func Create(obj client.Object) Write {
	raw, err := encode(obj)
	return Write{err: err, request: &resourcev1.BatchRequest{Request: &resourcev1.BatchRequest_Create{
		Create: &resourcev1.CreateRequest{Ref: Ref(obj, ""), Object: raw, Options: &resourcev1.WriteOptions{}},
	}}}
}

// Update is the replacement of an object at its resourceVersion.
func Update(obj client.Object) Write { return update(obj, "") }

// UpdateStatus is the replacement of an object's status at its resourceVersion.
func UpdateStatus(obj client.Object) Write { return update(obj, "status") }

func update(obj client.Object, subresource string) Write {
	raw, err := encode(obj)
	return Write{err: err, request: &resourcev1.BatchRequest{Request: &resourcev1.BatchRequest_Update{
		Update: &resourcev1.UpdateRequest{Ref: Ref(obj, subresource), Object: raw, Options: &resourcev1.WriteOptions{}},
	}}}
}

// Delete is the deletion of exactly this object: one of the same name that was made since is left alone.
// o may be nil.
func Delete(obj client.Object, o *metav1.DeleteOptions) Write {
	return DeleteRef(Ref(obj, ""), obj.GetMetadata().GetUid(), o)
}

// DeleteRef is Delete for an object that is known by its address and UID only.
func DeleteRef(r *resourcev1.ObjectRef, uid string, o *metav1.DeleteOptions) Write {
	if o == nil {
		o = &metav1.DeleteOptions{}
	}
	if o.Preconditions == nil && uid != "" {
		o.Preconditions = client.UID(uid)
	}
	return Write{request: &resourcev1.BatchRequest{Request: &resourcev1.BatchRequest_Delete{
		Delete: &resourcev1.DeleteRequest{Ref: r, Options: o},
	}}}
}

// Patch is a patch of an object or of its subresource.
func Patch(r *resourcev1.ObjectRef, t client.PatchType, patch []byte) Write {
	return Write{request: &resourcev1.BatchRequest{Request: &resourcev1.BatchRequest_Patch{
		Patch: &resourcev1.PatchRequest{Ref: r, Type: t, Patch: patch, Options: &resourcev1.WriteOptions{}},
	}}}
}

// All sends the writes and waits for every outcome; they come in the order of the writes. When ctx ends, the rest fails
// with its error.
func All(ctx context.Context, p *client.Pipeline, all []Write) []Outcome {
	out := make([]Outcome, len(all))
	var pending sync.WaitGroup
	for i, w := range all {
		if w.err == nil {
			w.err = ctx.Err()
		}
		if w.err != nil {
			out[i].Err = w.err
			continue
		}
		pending.Add(1)
		err := p.Submit(w.request, func(o *resourcev1.Object, err error) {
			defer pending.Done()
			out[i] = outcome(o, err)
		})
		if err != nil {
			out[i].Err = err
			pending.Done()
		}
	}
	pending.Wait()
	return out
}

// One sends a single write.
func One(ctx context.Context, p *client.Pipeline, w Write) Outcome { return All(ctx, p, []Write{w})[0] }

func outcome(o *resourcev1.Object, err error) Outcome {
	if err != nil {
		return Outcome{Err: err}
	}
	var partial metav1.PartialObjectMetadata
	// A reply that cannot be read has still taken effect: the revision is what counts.
	_ = (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(o.GetRaw(), &partial)
	return Outcome{Name: partial.GetMetadata().GetName(), UID: partial.GetMetadata().GetUid(), Revision: o.GetRevision()}
}
