package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/watchcache"
)

// Finalizers by which deletion options are remembered; the garbage collector acts on them.
const (
	finalizerOrphan     = "orphan"
	finalizerForeground = "foregroundDeletion"
)

// collectionWorkers is how many objects of a collection are deleted at the same time.
const collectionWorkers = 16

// Delete removes an object, or marks it for deletion while it has finalizers or a grace period.
func (s *Server) Delete(ctx context.Context, req *resourcev1.DeleteRequest) (*Result, error) {
	r, err := s.object(ctx, req.GetRef(), "delete")
	if err != nil {
		return nil, err
	}
	if r.sub != "" {
		return nil, apierrors.NewMethodNotSupported(r.res.kind.Group, r.res.kind.Plural+"/"+r.sub, "delete")
	}
	if err := r.authorize(ctx, "delete"); err != nil {
		return nil, err
	}
	return r.delete(ctx, req.GetOptions())
}

func (r *request) delete(ctx context.Context, o *metav1.DeleteOptions) (*Result, error) {
	if o == nil {
		o = &metav1.DeleteOptions{}
	}
	if err := checkDeleteOptions(o); err != nil {
		return nil, err
	}
	r.dryRun, r.deleteOptions = len(o.GetDryRun()) > 0, o
	if o.GetIgnoreStoreReadErrorWithClusterBreakingPotential() {
		if err := checkUnsafe(o); err != nil {
			return nil, err
		}
		return r.deleteUnreadable(ctx)
	}
	cur, fresh, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		it, gone, err := r.deleteOnce(ctx, cur, o)
		var stale *staleError
		switch {
		case err == nil:
			return &Result{Item: it, Deleted: gone, Warnings: r.warnings}, nil
		case errors.Is(err, errUnchanged):
			// Marked already; but only the newest state can say so.
			was := cur.Revision
			if !fresh {
				if cur, err = r.read(ctx); err != nil {
					return nil, err
				}
			}
			if fresh = true; cur.Revision == was {
				it, err = r.res.view(ctx, cur)
				return &Result{Item: it, Warnings: r.warnings}, err
			}
		case errors.As(err, &stale):
			cur, fresh = stale.now, true
		case !fresh && (apierrors.IsConflict(err) || apierrors.IsForbidden(err)):
			if cur, err = r.read(ctx); err != nil {
				return nil, err
			}
			fresh = true
		default:
			return nil, storeError(err)
		}
		if attempt == updateAttempts {
			return nil, r.conflict()
		}
	}
}

func checkDeleteOptions(o *metav1.DeleteOptions) error {
	bad := func(field, message string) error {
		return apierrors.NewInvalid("", "DeleteOptions", "", causes("FieldValueInvalid", field, message))
	}
	if len(o.GetDryRun()) > 0 && !slices.Equal(o.GetDryRun(), []string{"All"}) {
		return apierrors.NewInvalid("", "DeleteOptions", "", causes("FieldValueNotSupported", "dryRun",
			fmt.Sprintf(`Unsupported value: %q: supported values: "All"`, o.GetDryRun())))
	}
	if o.PropagationPolicy != nil {
		if o.OrphanDependents != nil {
			return bad("propagationPolicy", fmt.Sprintf("Invalid value: %q: orphanDependents and deletionPropagation cannot be both set", o.GetPropagationPolicy()))
		}
		switch o.GetPropagationPolicy() {
		case "Foreground", "Background", "Orphan":
		default:
			return apierrors.NewInvalid("", "DeleteOptions", "", causes("FieldValueNotSupported", "propagationPolicy",
				fmt.Sprintf(`Unsupported value: %q: supported values: "Background", "Foreground", "Orphan"`, o.GetPropagationPolicy())))
		}
	}
	return nil
}

// deleteOnce deletes one state of an object. gone is true where nothing of it is left.
func (r *request) deleteOnce(ctx context.Context, cur *Item, o *metav1.DeleteOptions) (it *Item, gone bool, err error) {
	old, err := r.load(ctx, cur)
	if err != nil {
		return nil, false, err
	}
	if err := r.precondition(old, o.GetPreconditions()); err != nil {
		return nil, false, err
	}
	adm := r.admission(admission.Delete, nil, old)
	if err := r.admit(ctx, adm); err != nil {
		return nil, false, err
	}
	if err := r.validateAdmission(ctx, adm); err != nil {
		return nil, false, err
	}
	obj := clone(old)
	now := r.begin(ctx, obj, o)
	if now {
		it, err := r.remove(ctx, cur, obj)
		return it, err == nil, err
	}
	raw, stored, err := r.res.encode(ctx, obj)
	if err != nil {
		return nil, false, apierrors.NewInternal(err)
	}
	if r.dryRun {
		it, err := item.New(r.res.kind, raw, cur.Revision, r.namespace, r.name)
		return it, false, err
	}
	if cur.StoredAs(stored) {
		return nil, false, errUnchanged
	}
	it, err = r.write(ctx, cur, raw, stored)
	return it, false, err
}

func (r *request) precondition(old Object, p *metav1.Preconditions) error {
	meta, k := old.GetMetadata(), r.res.kind
	if p.GetUid() != "" && p.GetUid() != meta.GetUid() {
		return apierrors.NewPreconditionFailed(k.Group, k.Plural, r.name, "UID", p.GetUid(), meta.GetUid())
	}
	if p.GetResourceVersion() != "" && p.GetResourceVersion() != meta.GetResourceVersion() {
		return apierrors.NewPreconditionFailed(k.Group, k.Plural, r.name, "ResourceVersion", p.GetResourceVersion(), meta.GetResourceVersion())
	}
	return nil
}

// begin marks the object for deletion and tells whether it can go at once.
//
//	live ──► deletionTimestamp set, grace > 0 ──► grace 0 ──► no finalizers ──► gone
//	  └────────────────────────────────────────────┴─────────────┘ (each step may be skipped)
func (r *request) begin(ctx context.Context, obj Object, o *metav1.DeleteOptions) (now bool) {
	meta := obj.GetMetadata()
	setPropagation(meta, o, r.res.hooks.Orphans)
	var grace int64
	if r.res.hooks.Grace != nil {
		if g := r.res.hooks.Grace(obj, o.GracePeriodSeconds); g != nil {
			grace = max(*g, 0)
		}
	}
	begun := meta.GetDeletionTimestamp() != nil
	if begun {
		// A deletion under way is only ever made shorter, and only on demand.
		have := meta.GetDeletionGracePeriodSeconds()
		if o.GracePeriodSeconds == nil || grace > have {
			grace = have
		}
		if grace != have {
			meta.DeletionTimestamp = stamp(r.shorten(meta, have, grace))
			meta.DeletionGracePeriodSeconds = &grace
		}
	}
	if grace == 0 && len(meta.GetFinalizers()) == 0 && !r.held(obj) {
		return true
	}
	if !begun {
		meta.DeletionTimestamp = stamp(r.s.cfg.Clock().Add(time.Duration(grace) * time.Second))
		meta.DeletionGracePeriodSeconds = &grace
		if meta.GetGeneration() > 0 {
			meta.Generation++
		}
		if r.res.hooks.BeginDelete != nil {
			r.res.hooks.BeginDelete(ctx, obj)
		}
	}
	return false
}

// shorten returns the new end of a grace period: counted from when it began, but not in the past.
func (r *request) shorten(meta *metav1.ObjectMeta, have, grace int64) time.Time {
	began := time.Unix(meta.GetDeletionTimestamp().GetSeconds(), 0).Add(-time.Duration(have) * time.Second)
	end := began.Add(time.Duration(grace) * time.Second)
	if now := r.s.cfg.Clock(); end.Before(now) {
		return now
	}
	return end
}

// setPropagation turns the propagation policy into finalizers. Without one, what the object's finalizers already say
// stays; the default is the background, which needs none, or for kinds that orphan that.
func setPropagation(meta *metav1.ObjectMeta, o *metav1.DeleteOptions, orphans bool) {
	var want string
	switch {
	case o.OrphanDependents != nil && o.GetOrphanDependents(), o.GetPropagationPolicy() == "Orphan":
		want = finalizerOrphan
	case o.GetPropagationPolicy() == "Foreground":
		want = finalizerForeground
	case o.OrphanDependents != nil, o.GetPropagationPolicy() == "Background":
	case orphans && !slices.Contains(meta.GetFinalizers(), finalizerForeground):
		want = finalizerOrphan
	default:
		return
	}
	finalizers := slices.DeleteFunc(slices.Clone(meta.GetFinalizers()), func(f string) bool {
		return f == finalizerOrphan || f == finalizerForeground
	})
	if want != "" {
		finalizers = append(finalizers, want)
	}
	meta.Finalizers = finalizers
}

// remove deletes the object from the store. obj is its last state.
func (r *request) remove(ctx context.Context, cur *Item, obj Object) (*Item, error) {
	raw, _, err := r.res.encode(ctx, obj)
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	revision := cur.Revision
	if !r.dryRun {
		rev, now, err := r.s.cfg.Store.Delete(ctx, watchcache.Key(r.res.storage, r.namespace, r.name), cur.Revision)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil, r.notFound()
		case errors.Is(err, store.ErrConflict):
			return nil, r.lost(now)
		case err != nil:
			return nil, err
		}
		revision = rev
		if r.res.hooks.Deleted != nil {
			r.res.hooks.Deleted(ctx, obj)
		}
	}
	return item.New(r.res.kind, raw, revision, r.namespace, r.name)
}

// DeleteCollection deletes every object that the selection matches and returns them as they were last seen.
func (s *Server) DeleteCollection(ctx context.Context, req *resourcev1.DeleteCollectionRequest) ([]*Item, error) {
	res, f, err := s.collection(ctx, req.GetSelection(), "deletecollection")
	if err != nil {
		return nil, err
	}
	if req.GetOptions() != nil {
		if err := checkDeleteOptions(req.GetOptions()); err != nil {
			return nil, err
		}
	}
	snap, from, err := s.page(ctx, res, &resourcev1.ListRequest{
		Selection: req.GetSelection(), Limit: req.GetLimit(), ContinueToken: req.GetContinueToken(),
		ResourceVersion: req.GetResourceVersion(), ResourceVersionMatch: req.GetResourceVersionMatch(),
	})
	if err != nil {
		return nil, err
	}
	page, err := res.list(ctx, f, snap, from, req.GetLimit())
	if err != nil {
		return nil, err
	}
	d := &collectionDelete{s: s, res: res, options: req.GetOptions(), items: page.Items, out: make([]*Item, len(page.Items))}
	return d.run(ctx)
}

// collectionDelete deletes objects by a few workers; the first error stops all.
type collectionDelete struct {
	s       *Server
	res     *resource
	options *metav1.DeleteOptions
	items   []*Item

	mu   sync.Mutex
	next int
	err  error
	out  []*Item
}

func (d *collectionDelete) run(ctx context.Context) ([]*Item, error) {
	var wg sync.WaitGroup
	for range min(collectionWorkers, len(d.items)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for d.one(ctx) {
			}
		}()
	}
	wg.Wait()
	if d.err != nil {
		return nil, d.err
	}
	return slices.DeleteFunc(d.out, func(it *Item) bool { return it == nil }), nil
}

func (d *collectionDelete) one(ctx context.Context) (more bool) {
	d.mu.Lock()
	i := d.next
	d.next++
	stop := d.err != nil || i >= len(d.items)
	d.mu.Unlock()
	if stop {
		return false
	}
	it := d.items[i]
	r, err := d.s.open(ctx, d.res, it.Namespace, it.Name, "")
	if err == nil {
		var result *Result
		if result, err = r.delete(ctx, d.options); err == nil {
			d.out[i] = result.Item
			return true
		}
	}
	if apierrors.IsNotFound(err) {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
	}
	return false
}
