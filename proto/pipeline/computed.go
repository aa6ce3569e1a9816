package pipeline

import (
	"context"
	"slices"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/pipeline/item"
)

// can refuses verbs that a kind does not have.
func (res *resource) can(verb string) error {
	if v := res.kind.Verbs; len(v) > 0 && !slices.Contains(v, verb) {
		return apierrors.NewMethodNotSupported(res.kind.Group, res.kind.Plural, verb)
	}
	return nil
}

// compute makes up the objects of a kind that is not stored, as of a revision.
func (res *resource) compute(ctx context.Context) ([]*Item, error) {
	objs, err := res.hooks.Computed(ctx)
	if err != nil {
		return nil, err
	}
	var out []*Item
	for _, obj := range objs {
		raw, err := encode(obj)
		if err != nil {
			return nil, apierrors.NewInternal(err)
		}
		m := obj.GetMetadata()
		it, err := item.New(res.kind, raw, 0, m.GetNamespace(), m.GetName())
		if err != nil {
			return nil, apierrors.NewInternal(err)
		}
		out = append(out, it)
	}
	return out, nil
}

// computed answers a list of a kind that is not stored.
func (s *Server) computed(ctx context.Context, res *resource, f *filter) (*List, error) {
	all, err := res.compute(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(it *Item) bool { return !f.matches(it) })
	return &List{Kind: res.kind, Items: all, Revision: s.cache.Revision()}, nil
}

// computed answers a get of a kind that is not stored.
func (r *request) computed(ctx context.Context) (*Item, error) {
	all, err := r.res.compute(ctx)
	if err != nil {
		return nil, err
	}
	for _, it := range all {
		if it.Namespace == r.namespace && it.Name == r.name {
			return it, nil
		}
	}
	return nil, r.absent()
}
