package pipeline

import (
	"context"
	"errors"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/watchcache"
)

// List returns one page of a collection: all of it where the request has no limit.
func (s *Server) List(ctx context.Context, req *resourcev1.ListRequest) (*List, error) {
	res, f, err := s.collection(ctx, req.GetSelection(), "list")
	if err != nil {
		return nil, err
	}
	if res.hooks.Computed != nil {
		return s.computed(ctx, res, f)
	}
	snap, from, err := s.page(ctx, res, req)
	if err != nil {
		return nil, err
	}
	return res.list(ctx, f, snap, from, req.GetLimit())
}

// collection checks and authorizes a request for a collection.
func (s *Server) collection(ctx context.Context, sel *resourcev1.Selection, verb string) (*resource, *filter, error) {
	res, err := s.stored(sel.GetResource(), verb)
	if err != nil {
		return nil, nil, err
	}
	r, err := s.open(ctx, res, sel.GetNamespace(), "", "")
	if err != nil {
		return nil, nil, err
	}
	f, err := parseSelection(res, sel)
	if err != nil {
		return nil, nil, err
	}
	r.labels, r.fieldSel = sel.GetLabelSelector(), sel.GetFieldSelector()
	// A collection narrowed to one object is authorized as that object: a kubelet may watch its pods' secrets.
	r.name, _ = f.fields.Exact("metadata.name")
	if err := r.authorize(ctx, verb); err != nil {
		return nil, nil, err
	}
	return res, f, nil
}

// page finds the snapshot to read from and where to start in it.
func (s *Server) page(ctx context.Context, res *resource, req *resourcev1.ListRequest) (*watchcache.Snapshot, watchcache.Position, error) {
	rv, match := req.GetResourceVersion(), req.GetResourceVersionMatch()
	if err := checkMatch(rv, match, req.GetContinueToken()); err != nil {
		return nil, watchcache.Position{}, err
	}
	if continued := req.GetContinueToken(); continued != "" {
		t, err := parseToken(continued)
		if err != nil {
			return nil, watchcache.Position{}, err
		}
		from := t.position(res.kind, req.GetSelection().GetNamespace())
		if t.Revision < 0 {
			// The reader has agreed to a list that is not of one revision.
			if err := s.fresh(ctx, ""); err != nil {
				return nil, from, err
			}
			return res.objects.Snapshot(), from, nil
		}
		snap, err := res.objects.At(ctx, t.Revision)
		if errors.Is(err, store.ErrCompacted) {
			return nil, from, apierrors.NewContinueExpired(token{Version: tokenVersion, Revision: -1, Start: t.Start}.String())
		}
		if errors.Is(err, store.ErrFutureRevision) {
			err = apierrors.NewTooLargeResourceVersion(t.Revision, s.cache.Revision(), 1)
		}
		return snap, from, storeError(err)
	}
	// A page of a list of a revision that a client of old names without a match.
	legacy := match == "" && req.GetLimit() > 0 && rv != "" && rv != "0"
	if match == "Exact" || legacy {
		revision, err := parseVersion(rv)
		if err != nil {
			return nil, watchcache.Position{}, err
		}
		if err := s.fresh(ctx, rv); err != nil {
			return nil, watchcache.Position{}, err
		}
		snap, err := res.objects.At(ctx, revision)
		if errors.Is(err, store.ErrCompacted) {
			err = apierrors.NewResourceExpired("The resourceVersion for the provided list is too old.")
		}
		return snap, watchcache.Position{}, storeError(err)
	}
	if err := s.fresh(ctx, rv); err != nil {
		return nil, watchcache.Position{}, err
	}
	return res.objects.Snapshot(), watchcache.Position{}, nil
}

// checkMatch refuses the combinations that Kubernetes refuses.
func checkMatch(rv, match, continued string) error {
	invalid := func(field, message string) error {
		return apierrors.NewInvalid("meta.k8s.io", "ListOptions", "", causes("FieldValueForbidden", field, "Forbidden: "+message))
	}
	switch {
	case match == "":
		if continued != "" && rv != "" && rv != "0" {
			return apierrors.NewBadRequest("specifying resource version is not allowed when using continue")
		}
		return nil
	case match != "Exact" && match != "NotOlderThan":
		return apierrors.NewInvalid("meta.k8s.io", "ListOptions", "", causes("FieldValueNotSupported", "resourceVersionMatch",
			`Unsupported value: "`+match+`": supported values: "Exact", "NotOlderThan", ""`))
	case continued != "":
		return invalid("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided")
	case rv == "":
		return invalid("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided")
	case match == "Exact" && rv == "0":
		return invalid("resourceVersionMatch", `resourceVersionMatch "exact" is forbidden for resourceVersion "0"`)
	}
	return nil
}

// list walks a snapshot.
func (res *resource) list(ctx context.Context, f *filter, snap *watchcache.Snapshot, from watchcache.Position, limit int64) (*List, error) {
	out := &List{Kind: res.kind, Revision: snap.Revision}
	if err := res.readable(ctx, f, snap); err != nil {
		return nil, err
	}
	if name, ok := f.fields.Exact("metadata.name"); ok && (f.namespace != "" || !res.kind.Namespaced) {
		if it, ok := snap.Get(f.namespace, name); ok && f.matches(it) && from == (watchcache.Position{}) {
			out.Items = append(out.Items, it)
		}
		return out, res.views(ctx, out.Items)
	}
	if f.all() && limit == 0 && f.namespace == "" {
		out.Items = make([]*Item, 0, snap.Len())
	}
	var rest int64
	snap.WalkMarked(f.namespace, from, f.marks(), func(it *item.Item) bool {
		if limit > 0 && int64(len(out.Items)) == limit {
			rest++
			// How many more there are is only known without selectors; with them it is enough that there may be more.
			return f.all()
		}
		if f.all() || f.matches(it) {
			out.Items = append(out.Items, it)
		}
		return true
	})
	if rest > 0 {
		last := out.Items[len(out.Items)-1]
		out.Continue = token{Version: tokenVersion, Revision: snap.Revision, Start: startAfter(f.namespace, last)}.String()
		if f.all() {
			out.Remaining = &rest
		}
		res.objects.Keep(snap)
	}
	return out, res.views(ctx, out.Items)
}
