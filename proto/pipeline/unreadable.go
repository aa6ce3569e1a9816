package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/watchcache"
)

// verbUnsafeDelete is what the caller must be allowed to do, beside deleting, to remove what cannot be read.
const verbUnsafeDelete = "unsafe-delete-ignore-read-errors"

// corrupt is the message of an object that the store has and that cannot be read. Clients look for its words.
func corrupt(key string, err error) error {
	return fmt.Errorf("StorageError: corrupt object, Code: 7, Key: %s, ResourceVersion: 0, AdditionalErrorMsg: %w", key, err)
}

// lenient tells whether the caller is the server itself, which goes on without what cannot be read: its authorizer must
// work for whoever comes to repair it.
func lenient(ctx context.Context) bool {
	u, ok := identity.FromContext(ctx)
	return ok && u.Name == Self.Name
}

// readable refuses a list that would have to show objects that cannot be read: it would pass for complete.
func (res *resource) readable(ctx context.Context, f *filter, snap *watchcache.Snapshot) error {
	name, _ := f.fields.Exact("metadata.name")
	err := snap.Check(f.namespace, name)
	if err == nil || lenient(ctx) {
		return nil
	}
	return res.readError(err)
}

// readError is the error of a read that concerns objects that cannot be read; it names each. Other errors stay.
func (res *resource) readError(err error) error {
	var bad *watchcache.UnreadableError
	if !errors.As(err, &bad) {
		return err
	}
	resource := res.kind.Plural
	if res.kind.Group != "" {
		resource += "." + res.kind.Group
	}
	var list []*metav1.StatusCause
	for _, u := range bad.Objects[:min(len(bad.Objects), 100)] {
		list = append(list, &metav1.StatusCause{Reason: "UnexpectedServerResponse", Field: u.Key, Message: corrupt(u.Key, u.Err).Error()})
	}
	message := fmt.Sprintf("failed to read one or more %s from the storage: %s", resource, list[0].Message)
	if len(bad.Objects) > 1 {
		message = fmt.Sprintf("%s (and %d more)", message, len(bad.Objects)-1)
	}
	return apierrors.New(apierrors.ReasonStoreReadError, message, &metav1.StatusDetails{
		Group: res.kind.Group, Kind: res.kind.Plural, Name: "list", Causes: list})
}

// absent is the error for an object that the cache does not have: not found, or not readable.
func (r *request) absent() error {
	var bad *watchcache.UnreadableError
	if errors.As(r.res.objects.Check(r.namespace, r.name), &bad) {
		return apierrors.NewInternal(corrupt(bad.Objects[0].Key, bad.Objects[0].Err))
	}
	return r.notFound()
}

// checkUnsafe refuses the delete options that cannot go with ignoreStoreReadErrorWithClusterBreakingPotential.
func checkUnsafe(o *metav1.DeleteOptions) error {
	if !o.GetIgnoreStoreReadErrorWithClusterBreakingPotential() {
		return nil
	}
	const field = "ignoreStoreReadErrorWithClusterBreakingPotential"
	var list []*metav1.StatusCause
	for _, other := range []struct {
		name string
		set  bool
	}{
		{"propagationPolicy", o.PropagationPolicy != nil}, {"orphanDependents", o.OrphanDependents != nil},
		{"gracePeriodSeconds", o.GracePeriodSeconds != nil}, {"preconditions", o.GetPreconditions() != nil},
	} {
		if other.set {
			list = append(list, causes("FieldValueInvalid", field, "Invalid value: true: cannot be set together with ."+other.name)...)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return apierrors.NewInvalid("meta.k8s.io", "DeleteOptions", "", list)
}

// deleteUnreadable removes an object that cannot be read from the store: without finalizers, grace or admission, none of
// which can be known. One that can be read is left alone.
func (r *request) deleteUnreadable(ctx context.Context) (*Result, error) {
	if err := r.authorize(ctx, verbUnsafeDelete); err != nil {
		return nil, err
	}
	key := watchcache.Key(r.res.storage, r.namespace, r.name)
	kv, err := r.s.cfg.Store.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, r.notFound()
	} else if err != nil {
		return nil, storeError(err)
	}
	if _, err := r.res.objects.Decode(kv, r.namespace, r.name); err == nil {
		return nil, apierrors.NewConflict(r.res.kind.Group, r.res.kind.Plural, r.name,
			errors.New("the object can be read: delete it without ignoreStoreReadErrorWithClusterBreakingPotential"))
	}
	revision := kv.Revision
	if !r.dryRun {
		rev, _, err := r.s.cfg.Store.Delete(ctx, key, kv.Revision)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil, r.notFound()
		case errors.Is(err, store.ErrConflict):
			return nil, r.conflict()
		case err != nil:
			return nil, storeError(err)
		}
		revision = rev
	}
	// All that is known of it is its name.
	obj := r.res.storage.New()
	meta := metadata(obj)
	meta.Name, meta.Namespace = r.name, r.namespace
	raw, err := item.Encode(obj.(Object))
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	it, err := item.New(r.res.storage, raw, revision, r.namespace, r.name)
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return &Result{Item: it, Deleted: true, Warnings: r.warnings}, nil
}
