package pipeline

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
)

// Update replaces an object, its status, or another of its subresources.
func (s *Server) Update(ctx context.Context, req *resourcev1.UpdateRequest) (result *Result, err error) {
	r, err := s.object(ctx, req.GetRef(), "update")
	if err == nil {
		err = r.options(req.GetOptions())
	}
	if err != nil {
		return nil, err
	}
	defer r.warnAnyway(&err)
	if err := r.authorize(ctx, "update"); err != nil {
		return nil, err
	}
	h, err := s.handler(r)
	if err != nil {
		return nil, err
	}
	if h != nil {
		return r.put(ctx, h, req.GetObject())
	}
	msg, err := r.decode(r.res.kind, req.GetObject())
	if err != nil {
		return nil, err
	}
	sent := msg.(Object)
	if err := r.named(sent); err != nil {
		return nil, err
	}
	if err := r.address(sent); err != nil {
		return nil, err
	}
	return r.replaceOrCreate(ctx, func() (Object, error) {
		if obj := sent; obj != nil {
			sent = nil // an attempt changes it; the next one reads it again
			return obj, nil
		}
		r.warnings = nil
		again, err := r.decode(r.res.kind, req.GetObject())
		if err != nil {
			return nil, err
		}
		return again.(Object), r.address(again.(Object))
	})
}

// replaceOrCreate puts what the client has sent in the place of the stored object; for some kinds also in an empty place.
func (r *request) replaceOrCreate(ctx context.Context, sent func() (Object, error)) (*Result, error) {
	replace := change{make: func(old Object) (Object, error) {
		obj, err := sent()
		if err != nil {
			return nil, err
		}
		meta := obj.GetMetadata()
		switch unversioned := meta.GetResourceVersion() == "" || meta.GetResourceVersion() == "0"; {
		case old == nil && meta.GetUid() != "":
			return nil, apierrors.NewPreconditionFailed(r.res.kind.Group, r.res.kind.Plural, r.name, "UID", meta.GetUid(), "")
		case old == nil:
			meta.ResourceVersion = ""
		case unversioned && r.res.kind.VersionedUpdate:
			return nil, apierrors.NewInvalid(r.res.kind.Group, r.res.kind.Kind, r.name, causes("FieldValueInvalid", "metadata.resourceVersion",
				"Invalid value: 0: must be specified for an update"))
		}
		return obj, nil
	}}
	if r.res.kind.CreateOnUpdate {
		return r.upsert(ctx, replace, nil)
	}
	it, deleted, err := r.update(ctx, replace)
	if err != nil {
		return nil, err
	}
	return &Result{Item: it, Deleted: deleted, Warnings: r.warnings}, nil
}

// upsert changes the object. Where it is not there it creates what the change makes of nothing; manage is then as that
// of create.
func (r *request) upsert(ctx context.Context, c change, manage func(Object) (Object, error)) (*Result, error) {
	for attempt := 1; ; attempt++ {
		it, deleted, err := r.update(ctx, c)
		if err == nil {
			return &Result{Item: it, Deleted: deleted, Warnings: r.warnings}, nil
		}
		if !apierrors.IsNotFound(err) || r.sub != "" || !r.isMissing(ctx) {
			return nil, err
		}
		if err := r.authorize(ctx, "create"); err != nil {
			return nil, err
		}
		if err := r.terminating(r.name); err != nil {
			return nil, err
		}
		obj, err := c.make(nil)
		if err != nil {
			return nil, err
		}
		it, err = r.create(ctx, obj, manage)
		switch {
		case err == nil:
			return &Result{Item: it, Created: true, Warnings: r.warnings}, nil
		case !apierrors.IsAlreadyExists(err) || attempt == updateAttempts:
			return nil, err
		}
		// Somebody created it in between.
	}
}

// named refuses what is sent to replace the addressed object, or what a subresource shows of it, and does not bear its name.
func (r *request) named(obj Object) error {
	switch meta := metadata(obj); {
	case meta.GetName() == "":
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s based on URL) was undeterminable: name must be provided", r.name))
	case meta.GetName() != r.name:
		return apierrors.NewNameMismatch("name", meta.GetName(), r.name)
	case meta.GetNamespace() == "":
		meta.Namespace = r.namespace
	case r.res.kind.Namespaced && r.namespace != "" && meta.GetNamespace() != r.namespace:
		return apierrors.NewNameMismatch("namespace", meta.GetNamespace(), r.namespace)
	}
	return nil
}

// put hands an update to the handler of a subresource.
func (r *request) put(ctx context.Context, h *Handler, body *resourcev1.Object) (*Result, error) {
	if h.Update == nil {
		return nil, r.unsupported("update")
	}
	msg, err := r.decode(r.body(h), body)
	if err != nil {
		return nil, err
	}
	if o, ok := msg.(Object); ok {
		if err := r.named(o); err != nil {
			return nil, err
		}
	}
	old, err := r.shown(ctx, h)
	if err != nil {
		return nil, err
	}
	if err := r.admitBody(ctx, admission.Update, r.body(h), msg, old); err != nil {
		return nil, err
	}
	it, err := r.handle(ctx, h.Update, msg)
	if err != nil {
		return nil, err
	}
	return &Result{Item: it, Warnings: r.warnings}, nil
}

// shown is what a subresource shows before it is changed; nil where it shows nothing.
func (r *request) shown(ctx context.Context, h *Handler) (proto.Message, error) {
	if h.Get == nil || len(r.s.admission) == 0 {
		return nil, nil
	}
	it, err := r.handle(ctx, h.Get, nil)
	if err != nil {
		return nil, err
	}
	msg, err := it.Decode()
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return msg, nil
}
