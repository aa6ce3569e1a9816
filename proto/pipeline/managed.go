package pipeline

import (
	"context"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/apply"
)

func (r *request) writer() apply.Writer {
	return apply.Writer{Manager: r.manager, Subresource: r.sub, Now: r.s.cfg.Clock()}
}

// track notes in the managed fields who has written what.
func (r *request) track(old, obj Object) (Object, error) {
	var err error
	if old == nil {
		err = apply.Track(r.res.kind, nil, obj, r.writer())
	} else {
		err = apply.Track(r.res.kind, old, obj, r.writer())
	}
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return obj, nil
}

// admitManaged is admit for an object whose managed fields have been set: those that plugins spoil are the ones from
// before, as in Kubernetes.
func (r *request) admitManaged(ctx context.Context, a *admission.Request) error {
	before := a.Object.GetMetadata().GetManagedFields()
	if err := r.admit(ctx, a); err != nil {
		return err
	}
	after := a.Object.GetMetadata().GetManagedFields()
	if len(after) == len(before) && (len(after) == 0 || &after[0] == &before[0]) {
		return nil
	}
	if err := apply.Check(after); err != nil {
		a.Object.GetMetadata().ManagedFields = before
		r.warn(".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: " + err.Error())
	}
	return nil
}

// keepTimes sets the managed fields of an object. Where nothing but their times would tell it from the stored one they are
// the stored ones: a configuration may say in other words what is there ("1000m" for "1"), which is no change.
func keepTimes(obj, old Object, managed []*metav1.ManagedFieldsEntry) {
	stored := old.GetMetadata().GetManagedFields()
	obj.GetMetadata().ManagedFields = stored
	if !apply.SameButTimes(managed, stored) || !schema.EqualBut(obj, old) {
		obj.GetMetadata().ManagedFields = managed
	}
}
