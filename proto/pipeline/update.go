package pipeline

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/watchcache"
	"github.com/keelson/keelson/proto/schema"
)

// updateAttempts bounds how often a write that names no resourceVersion is tried again because somebody else was
// faster. Each attempt starts from the state that won, thus only sustained contention on one object uses them up.
const updateAttempts = 100

// change is how an update gets from the stored object to the new one.
type change struct {
	// make returns the object wanted, from the stored one, which it must not change; from nil where it is to be created.
	// It is called for each attempt.
	make func(old Object) (Object, error)
	// manage sets the managed fields, in place of the usual tracking.
	manage func(old, obj Object) (Object, error)
	// internal changes are the server's own: no admission, no validation, no tracking.
	internal bool
}

// update changes a stored object, again and again while others are faster and the client has named no version.
// deleted is true where the change removed the last thing that kept a deleted object.
func (r *request) update(ctx context.Context, c change) (it *Item, deleted bool, err error) {
	cur, fresh, err := r.current(ctx)
	if err != nil {
		return nil, false, err
	}
	for attempt := 1; ; attempt++ {
		it, deleted, err = r.updateOnce(ctx, cur, c)
		var stale *staleError
		switch {
		case err == nil:
			return it, deleted, nil
		case errors.Is(err, errUnchanged):
			// No write, no new revision; but only the newest state can say so.
			if !fresh {
				was := cur.Revision
				if cur, err = r.read(ctx); err != nil {
					return nil, false, err
				}
				if fresh = true; cur.Revision != was {
					break
				}
			}
			it, err = r.res.view(ctx, cur)
			return it, false, err
		case errors.As(err, &stale):
			if stale.now != nil {
				cur, fresh = stale.now, true
				if stale.asked == "" {
					break
				}
			}
			if !fresh {
				// The cache was behind: what the client said may be right.
				if cur, err = r.read(ctx); err != nil {
					return nil, false, err
				}
				fresh = true
				break
			}
			if stale.asked != "" {
				return nil, false, r.conflict()
			}
		default:
			if fresh || !retryOnFresh(err) {
				return nil, false, storeError(err)
			}
			// The refusal may be due to an old state.
			again, readErr := r.read(ctx)
			if readErr != nil {
				return nil, false, readErr
			}
			if again.Revision == cur.Revision {
				return nil, false, err
			}
			cur, fresh = again, true
		}
		if attempt == updateAttempts {
			return nil, false, r.conflict()
		}
		if ctx.Err() != nil {
			return nil, false, storeError(ctx.Err())
		}
	}
}

// retryOnFresh tells whether a refusal depends on the stored object, so that it has to be checked against the newest.
func retryOnFresh(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsInvalid(err) || apierrors.IsForbidden(err)
}

// errUnchanged says that an update would store what is there already.
var errUnchanged = errors.New("pipeline: nothing changes")

// staleError says that an attempt was made on an old state. asked is the version that the client insists on; now is
// the stored state where it came with the refusal.
type staleError struct {
	asked string
	now   *Item
}

func (e *staleError) Error() string { return "the object has been modified" }

func (r *request) conflict() error {
	return apierrors.NewConflict(r.res.kind.Group, r.res.kind.Plural, r.name, nil)
}

// current returns the stored object, in the storage kind's form: from the cache where it is there, though it may be
// old, else from the store. A dry run, which no write tells that the object is an old one, is always given the newest.
func (r *request) current(ctx context.Context) (it *Item, fresh bool, err error) {
	if !r.dryRun {
		if it, ok := r.res.objects.Get(r.namespace, r.name); ok {
			return it, false, nil
		}
	}
	it, err = r.read(ctx)
	return it, true, err
}

// read returns the stored object from the store.
func (r *request) read(ctx context.Context) (*Item, error) {
	kv, err := r.s.cfg.Store.Get(ctx, watchcache.Key(r.res.storage, r.namespace, r.name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, r.notFound()
	} else if err != nil {
		return nil, storeError(err)
	}
	return r.res.item(kv, r.namespace, r.name)
}

// load decodes a stored object as the addressed kind; the caller owns it.
func (r *request) load(ctx context.Context, cur *Item) (Object, error) {
	if r.res.kind.IsCustom() {
		var err error
		if cur, err = r.res.view(ctx, cur); err != nil {
			return nil, err
		}
	}
	msg, err := cur.Decode()
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	if r.res.kind != r.res.storage && !r.res.kind.IsCustom() {
		msg = r.res.kind.FromStorage(msg)
	}
	metadata(msg)
	return msg.(Object), nil
}

func (r *request) updateOnce(ctx context.Context, cur *Item, c change) (*Item, bool, error) {
	old, err := r.load(ctx, cur)
	if err != nil {
		return nil, false, err
	}
	obj, err := c.make(old)
	if err != nil {
		return nil, false, err
	}
	if err := r.reconcileMeta(obj, old); err != nil {
		return nil, false, err
	}
	if !c.internal {
		if obj, err = r.prepareUpdate(ctx, obj, old, c); err != nil {
			return nil, false, err
		}
	}
	if r.finishes(obj, old) {
		it, err := r.remove(ctx, cur, obj)
		return it, err == nil, err
	}
	raw, stored, err := r.res.encode(ctx, obj)
	if err != nil {
		return nil, false, apierrors.NewBadRequest(err.Error())
	}
	if err := r.checkSize(stored); err != nil {
		return nil, false, err
	}
	if !cur.Stale && cur.StoredAs(stored) {
		return nil, false, errUnchanged
	}
	if r.dryRun {
		it, err := item.New(r.res.kind, raw, cur.Revision, r.namespace, r.name)
		return it, false, err
	}
	if reserve := r.res.hooks.Reserve; reserve != nil && r.sub != "status" && !c.internal {
		done, err := reserve(ctx, obj, old, false)
		if err != nil {
			return nil, false, err
		}
		it, err := r.replace(ctx, cur, obj)
		settle(done, err)
		return it, false, err
	}
	it, err := r.write(ctx, cur, raw, stored)
	return it, false, err
}

// replace encodes and writes an object that a reservation may have changed.
func (r *request) replace(ctx context.Context, cur *Item, obj Object) (*Item, error) {
	raw, stored, err := r.res.encode(ctx, obj)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return r.write(ctx, cur, raw, stored)
}

func (r *request) write(ctx context.Context, cur *Item, raw, stored []byte) (*Item, error) {
	value, err := r.res.value(stored)
	if err != nil {
		return nil, err
	}
	rev, now, err := r.s.cfg.Store.Update(ctx, watchcache.Key(r.res.storage, r.namespace, r.name), value, cur.Revision, r.res.ttl)
	switch {
	case err == nil:
		return item.New(r.res.kind, raw, rev, r.namespace, r.name)
	case errors.Is(err, store.ErrNotFound):
		return nil, r.notFound()
	case errors.Is(err, store.ErrConflict):
		return nil, r.lost(now)
	}
	return nil, err
}

// lost is the error of an attempt that somebody else was faster than.
func (r *request) lost(now store.KV) error {
	it, err := r.res.item(now, r.namespace, r.name)
	if err != nil {
		return err
	}
	return &staleError{now: it}
}

// reconcileMeta checks what the client insists on and takes over what it cannot change.
func (r *request) reconcileMeta(obj, old Object) error {
	meta, was := metadata(obj), old.GetMetadata()
	if rv := meta.GetResourceVersion(); rv != "" && rv != "0" && rv != was.GetResourceVersion() {
		return &staleError{asked: rv}
	}
	switch {
	case meta.GetUid() == "":
		meta.Uid = was.GetUid()
	case meta.GetUid() != was.GetUid() && !r.patching:
		// Whoever sends an object with its uid means that object; a patch changes the one that is there.
		return apierrors.NewPreconditionFailed(r.res.kind.Group, r.res.kind.Plural, r.name, "UID", meta.GetUid(), was.GetUid())
	}
	if meta.GetName() != was.GetName() {
		return apierrors.NewNameMismatch("name", meta.GetName(), was.GetName())
	}
	switch {
	case meta.GetNamespace() == "" || !r.res.kind.Namespaced:
		meta.Namespace = was.GetNamespace()
	case meta.GetNamespace() != was.GetNamespace():
		return apierrors.NewNameMismatch("namespace", meta.GetNamespace(), was.GetNamespace())
	}
	meta.ResourceVersion, meta.SelfLink = was.GetResourceVersion(), ""
	meta.CreationTimestamp = was.GetCreationTimestamp()
	// The times of a deletion cannot be taken back. Validation refuses other ones.
	if was.GetDeletionTimestamp() != nil {
		meta.DeletionTimestamp = was.GetDeletionTimestamp()
	}
	if meta.DeletionGracePeriodSeconds == nil {
		meta.DeletionGracePeriodSeconds = was.DeletionGracePeriodSeconds
	}
	if meta.GetGenerateName() == "" {
		meta.GenerateName = was.GetGenerateName()
	}
	meta.Generation = was.GetGeneration()
	return nil
}

// prepareUpdate takes the new object through strategy, defaults, admission and validation.
func (r *request) prepareUpdate(ctx context.Context, obj, old Object, c change) (Object, error) {
	k, hooks := r.res.kind, &r.res.hooks
	part, isPart := hooks.Parts[r.sub]
	switch {
	case r.sub == "status":
		r.statusOnly(obj, old)
		if hooks.PrepareStatus != nil {
			hooks.PrepareStatus(ctx, obj, old)
		}
	case isPart:
		part.Keep(obj, old)
		mergeMeta(obj, old, part.Metadata)
	case k.HasStatus():
		copyField(obj, old, "status")
	}
	k.Default(obj)
	if r.sub != "status" && !isPart && hooks.PrepareUpdate != nil {
		hooks.PrepareUpdate(ctx, obj, old)
	}
	var err error
	if c.manage != nil {
		obj, err = c.manage(old, obj)
	} else {
		obj, err = r.track(old, obj)
	}
	if err != nil {
		return nil, err
	}
	adm := r.admission(admission.Update, obj, old)
	if err := r.admitManaged(ctx, adm); err != nil {
		return nil, err
	}
	if k.Generation && r.sub != "status" && (!k.SameDesired(obj, old) || hooks.Renewed != nil && hooks.Renewed(obj, old)) {
		obj.GetMetadata().Generation++
	}
	validate := k.Validate
	switch {
	case r.sub == "status":
		validate = k.ValidateStatus
	case isPart:
		validate = func(proto.Message, proto.Message) schema.ErrorList {
			return append(k.ValidateMetadata(obj, old), part.Validate(k, obj, old)...)
		}
	}
	if errs := validate(obj, old); len(errs) > 0 {
		return nil, apierrors.NewInvalid(k.Group, k.Kind, r.name, schema.Causes(errs))
	}
	return obj, r.validateAdmission(ctx, adm)
}

// statusOnly takes everything but the status from the stored object. Labels, annotations, finalizers and owners are the
// client's, as in Kubernetes, but for some kinds: agents set them with the status.
func (r *request) statusOnly(obj, old Object) {
	copyAllBut(obj, old, "status")
	mergeMeta(obj, old, !r.res.kind.StatusKeepsMetadata)
}

// mergeMeta takes the metadata from the stored object, but for its managed fields and, where they are the client's, for
// labels, annotations, finalizers and owners.
func mergeMeta(obj, old Object, clients bool) {
	sent := obj.GetMetadata()
	meta := cloneUnmanaged(old.GetMetadata())
	if clients {
		meta.Labels, meta.Annotations, meta.Finalizers, meta.OwnerReferences = sent.Labels, sent.Annotations, sent.Finalizers, sent.OwnerReferences
	}
	meta.ManagedFields = sent.ManagedFields
	setMetadata(obj, meta)
}

// finishes tells whether an update takes away the last thing that kept a deleted object.
func (r *request) finishes(obj, old Object) bool {
	m := obj.GetMetadata()
	if m.GetDeletionTimestamp() == nil || len(m.GetFinalizers()) > 0 || m.GetDeletionGracePeriodSeconds() != 0 {
		return false
	}
	return !r.held(obj) && (len(old.GetMetadata().GetFinalizers()) > 0 || r.held(old))
}

func (r *request) held(obj Object) bool {
	return r.res.hooks.Held != nil && r.res.hooks.Held(obj)
}

// item makes an item of what the store has, in the storage kind's form.
func (res *resource) item(kv store.KV, namespace, name string) (*Item, error) {
	it, err := res.objects.Decode(kv, namespace, name)
	if err != nil {
		return nil, apierrors.NewInternal(corrupt(kv.Key, err))
	}
	return it, nil
}
