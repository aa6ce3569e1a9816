package pipeline

import (
	"github.com/keelson/keelson/proto/apierrors"
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
