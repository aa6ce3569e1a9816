package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/watchcache"
	"github.com/keelson/keelson/proto/schema"
)

// nameAttempts is how many generated names are tried before the client is told that they are all taken.
const nameAttempts = 8

// Create stores a new object, or posts to a subresource or to a kind that is never stored.
func (s *Server) Create(ctx context.Context, req *resourcev1.CreateRequest) (result *Result, err error) {
	ref := req.GetRef()
	res, err := s.resolve(ref.GetResource())
	if err != nil {
		return nil, err
	}
	r, err := s.open(ctx, res, ref.GetNamespace(), ref.GetName(), ref.GetSubresource())
	if err == nil {
		err = r.options(req.GetOptions())
	}
	if err != nil {
		return nil, err
	}
	defer r.warnAnyway(&err)
	if err := res.can("create"); err != nil {
		return nil, err
	}
	if r.sub != "" || res.objects == nil {
		return r.post(ctx, req.GetObject())
	}
	if err := r.authorize(ctx, "create"); err != nil {
		return nil, err
	}
	obj, err := r.decode(res.kind, req.GetObject())
	if err != nil {
		return nil, err
	}
	if err := r.terminating(metadata(obj).GetName()); err != nil {
		return nil, err
	}
	it, err := r.create(ctx, obj.(Object), nil)
	if err != nil {
		return nil, err
	}
	return &Result{Item: it, Created: true, Warnings: r.warnings}, nil
}

// post hands a creation to the handler of a subresource or review.
func (r *request) post(ctx context.Context, body *resourcev1.Object) (*Result, error) {
	h, err := r.s.handler(r)
	if err != nil {
		return nil, err
	}
	if h == nil || h.Create == nil {
		return nil, r.unsupported("create")
	}
	if !h.Unauthorized {
		if err := r.authorize(ctx, "create"); err != nil {
			return nil, err
		}
	}
	k := r.body(h)
	msg, err := r.decode(k, body)
	if err != nil {
		return nil, err
	}
	if m := metadata(msg); m != nil {
		if r.name == "" && r.sub == "" {
			r.name = m.GetName()
		}
		switch {
		case !r.res.kind.Namespaced || r.namespace == "":
		case m.GetNamespace() == "":
			m.Namespace = r.namespace
		case m.GetNamespace() != r.namespace:
			return nil, apierrors.NewNameMismatch("namespace", m.GetNamespace(), r.namespace)
		}
	}
	if served, ok := r.s.cfg.Registry.ByMessage(k.Descriptor.FullName()); ok {
		served.Default(msg)
		if errs := served.Validate(msg, nil); len(errs) > 0 {
			return nil, apierrors.NewInvalid(k.Group, k.Kind, r.name, schema.Causes(errs))
		}
	}
	if err := r.admitBody(ctx, admission.Create, k, msg, nil); err != nil {
		return nil, err
	}
	it, err := r.handle(ctx, h.Create, msg)
	if err != nil {
		return nil, err
	}
	return &Result{Item: it, Created: true, Warnings: r.warnings}, nil
}

// body is the kind of what a handler's requests carry.
func (r *request) body(h *Handler) *schema.Kind {
	if h.Body == nil {
		return r.res.kind
	}
	return r.s.kindOf(h.Body)
}

// create takes a decoded object through the rest of the pipeline. manage, where not nil, sets the managed fields
// instead of the usual tracking.
func (r *request) create(ctx context.Context, obj Object, manage func(Object) (Object, error)) (*Item, error) {
	if err := r.address(obj); err != nil {
		return nil, err
	}
	meta := obj.GetMetadata()
	if meta.GetResourceVersion() != "" && meta.GetResourceVersion() != "0" {
		return nil, apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	now := r.s.cfg.Clock()
	meta.ResourceVersion, meta.SelfLink = "", ""
	meta.Uid = uuid.NewString()
	meta.CreationTimestamp = stamp(now)
	meta.DeletionTimestamp, meta.DeletionGracePeriodSeconds = nil, nil
	meta.Generation = 0
	if r.res.kind.Generation {
		meta.Generation = 1
	}
	k := r.res.kind
	generated := meta.GetName() == "" && meta.GetGenerateName() != ""
	sent := obj
	for attempt := 1; ; attempt++ {
		if generated {
			// Admission and validation see the object afresh with each name.
			obj = sent
			if attempt < nameAttempts {
				obj = clone(sent)
			}
			obj.GetMetadata().Name = generateName(meta.GetGenerateName())
		}
		it, err := r.createOnce(ctx, obj, manage)
		switch {
		case err == nil:
			return it, nil
		case !errors.Is(err, store.ErrExists):
			return nil, storeError(err)
		case !generated:
			return nil, apierrors.NewAlreadyExists(k.Group, k.Plural, obj.GetMetadata().GetName())
		case attempt == nameAttempts:
			return nil, apierrors.NewGenerateNameConflict(k.Group, k.Plural, obj.GetMetadata().GetName(), 1)
		}
	}
}

func (r *request) createOnce(ctx context.Context, obj Object, manage func(Object) (Object, error)) (*Item, error) {
	k, hooks := r.res.kind, &r.res.hooks
	if k.HasStatus() && !hooks.StatusOnCreate {
		clearField(obj, "status")
	}
	k.Default(obj)
	// Fields are the client's that it has sent, not what plugins make of them.
	if manage == nil {
		manage = func(o Object) (Object, error) { return r.track(nil, o) }
	}
	obj, err := manage(obj)
	if err != nil {
		return nil, err
	}
	adm := r.admission(admission.Create, obj, nil)
	if err := r.admitManaged(ctx, adm); err != nil {
		return nil, err
	}
	if hooks.PrepareCreate != nil {
		hooks.PrepareCreate(ctx, obj)
	}
	meta := obj.GetMetadata()
	if errs := k.Validate(obj, nil); len(errs) > 0 {
		return nil, apierrors.NewInvalid(k.Group, k.Kind, meta.GetName(), schema.Causes(errs))
	}
	if err := r.validateAdmission(ctx, adm); err != nil {
		return nil, err
	}
	done := func(stored bool) {
		if !stored {
			adm.Failed(ctx)
		}
	}
	if hooks.Reserve != nil {
		reserved, err := hooks.Reserve(ctx, obj, nil, r.dryRun)
		if err != nil {
			done(false)
			return nil, err
		}
		admitted := done
		done = func(stored bool) {
			reserved(stored)
			admitted(stored)
		}
	}
	it, err := r.insert(ctx, obj)
	settle(done, err)
	return it, err
}

// settle ends a reservation by the outcome of the write. Where that is not known, because the store did not answer in
// time, nothing is given up: the object may be there. The reservations' own repair settles it later.
func settle(done func(stored bool), err error) {
	switch {
	case err == nil:
		done(true)
	case errors.Is(err, store.ErrExists), errors.Is(err, store.ErrTooLarge), errors.As(err, new(*staleError)), errors.As(err, new(*apierrors.StatusError)):
		done(false)
	}
}

// insert writes a new object to the store, or in a dry run looks whether it could.
func (r *request) insert(ctx context.Context, obj Object) (*Item, error) {
	name := obj.GetMetadata().GetName()
	raw, stored, err := r.res.encode(ctx, obj)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if err := r.checkSize(stored); err != nil {
		return nil, err
	}
	key := watchcache.Key(r.res.storage, r.namespace, name)
	if r.dryRun {
		switch _, err := r.s.cfg.Store.Get(ctx, key); {
		case err == nil:
			return nil, store.ErrExists
		case !errors.Is(err, store.ErrNotFound):
			return nil, err
		}
		return item.New(r.res.kind, raw, 0, r.namespace, name)
	}
	value, err := r.res.value(stored)
	if err != nil {
		return nil, err
	}
	rev, err := r.s.cfg.Store.Create(ctx, key, value, r.res.ttl)
	if err != nil {
		return nil, err
	}
	return item.New(r.res.kind, raw, rev, r.namespace, name)
}

func (r *request) checkSize(raw []byte) error {
	if len(raw) > r.s.cfg.MaxObjectBytes {
		return apierrors.NewRequestEntityTooLarge(fmt.Sprintf("limit is %d", r.s.cfg.MaxObjectBytes))
	}
	return nil
}

// address brings the object's own name and namespace together with those of the request.
func (r *request) address(obj Object) error {
	meta := metadata(obj)
	if meta == nil {
		return apierrors.NewInternal(errNoKind(obj))
	}
	k := r.res.kind
	if k.Namespaced {
		switch {
		case r.namespace == "" && meta.GetNamespace() != "":
			// Through gRPC the object may say where it belongs.
			r.namespace = meta.GetNamespace()
		case r.namespace == "":
			return apierrors.NewBadRequest("an empty namespace may not be set during creation")
		case meta.GetNamespace() == "":
			meta.Namespace = r.namespace
		case meta.GetNamespace() != r.namespace:
			return apierrors.NewNameMismatch("namespace", meta.GetNamespace(), r.namespace)
		}
	} else {
		meta.Namespace = ""
	}
	switch {
	case r.name == "" || meta.GetName() == r.name:
	case meta.GetName() == "":
		meta.Name = r.name
	default:
		return apierrors.NewNameMismatch("name", meta.GetName(), r.name)
	}
	return nil
}
