package apply

import (
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/keelson/keelson/proto/codec"
	"github.com/keelson/keelson/proto/schema"
)

// pruner takes from a merged object what an applier owned before and nobody owns now.
//
// It removes just what structured-merge-diff's three steps do (take out what was applied before, add back what somebody
// owns, add back what was not applied before; see pruneBySets), in one walk along what was applied before. A place is lost
// where nobody owns it and it, or something above it, was applied before. Of what is lost, or below something that is, those
// places go that were applied before; the rest stays with them or goes with what is above. A field counts as owned where
// something below it is.
type pruner struct {
	memory *codec.Nodes
	// unusual tells that the walk has met something of which the steps make something else: items that are alike, or that
	// would lose their keys.
	unusual bool
}

// above is what is known of the places above one.
type above struct{ applied, lost bool }

// prune returns what is left of a value. last is what was applied before at this place and below, now are the sets of all
// owners.
func (p *pruner) prune(n *codec.Node, t *kindType, last *fieldpath.Set, now []*fieldpath.Set, up above) codec.Node {
	if t.leaf(n) || len(n.Items) == 0 {
		return *n
	}
	list := t.of(n) == asList
	p.unusual = p.unusual || list && !t.list.check(n.Items, false)
	var kept []codec.Node
	less := false
	for i := range n.Items {
		if p.unusual {
			break
		}
		m := &n.Items[i]
		left, stays := *m, true
		if list {
			left, stays = p.item(m, t.list, last, now, up)
		} else if mt, field := t.dict.member(m.Name); mt != nil {
			left, stays = p.step(m, mt, fieldpath.PathElement{FieldName: &m.Name}, field, last, now, up)
		}
		if !less && (!stays || !left.Same(m)) {
			less = true
			kept = append(p.memory.Make(len(n.Items))[:0], n.Items[:i]...)
		}
		if less && stays {
			kept = append(kept, left)
		}
	}
	switch {
	case !less:
		return *n
	case len(kept) == 0:
		return codec.Node{Name: n.Name} // null
	}
	return codec.Node{Kind: n.Kind, Name: n.Name, Items: kept}
}

// step returns what is left of a member or item; false where it goes.
func (p *pruner) step(m *codec.Node, t *kindType, pe fieldpath.PathElement, field bool, last *fieldpath.Set, now []*fieldpath.Set, up above) (codec.Node, bool) {
	prev, has := last.Children.Get(pe)
	applied := last.Members.Has(pe) || field && has
	if !applied && !has {
		return *m, true
	}
	owned, below := owners(pe, field, now)
	up.applied = up.applied || applied
	up.lost = up.lost || up.applied && !owned
	if applied && up.lost {
		return codec.Node{}, false
	}
	if !has {
		return *m, true
	}
	return p.prune(m, t, prev, below, up), true
}

// item is step for the items of a list. One that stays stays what it is only with its keys.
func (p *pruner) item(m *codec.Node, l *listType, last *fieldpath.Set, now []*fieldpath.Set, up above) (codec.Node, bool) {
	pe := l.element(m)
	if owned, below := owners(pe, false, now); owned || !up.lost && !up.applied && !last.Members.Has(pe) {
		for i := range l.keys {
			key := fieldpath.PathElement{FieldName: &l.keys[i].name}
			keyOwned, _ := owners(key, true, below)
			p.unusual = p.unusual || !keyOwned && m.Member(l.keys[i].name) != nil
		}
	}
	left, stays := p.step(m, l.elem, pe, false, last, now, up)
	p.unusual = p.unusual || stays && left.Kind != m.Kind
	return left, stays
}

// owners tells whether a place is in one of the sets, and returns what they have below it.
func owners(pe fieldpath.PathElement, field bool, now []*fieldpath.Set) (owned bool, below []*fieldpath.Set) {
	for _, s := range now {
		c, ok := s.Children.Get(pe)
		owned = owned || s.Members.Has(pe) || field && ok
		if ok {
			below = append(below, c)
		}
	}
	return owned, below
}

// pruneBySets prunes as structured-merge-diff does, whatever the object has.
func pruneBySets(k *schema.Kind, n *codec.Node, last *fieldpath.Set, now []*fieldpath.Set) (codec.Node, error) {
	merged, err := typeOf(k).FromUnstructured(n.Tree(), typed.AllowDuplicates)
	if err != nil {
		return codec.Node{}, err
	}
	sc, ref := merged.Schema(), merged.TypeRef()
	managed := fieldpath.NewSet()
	for _, s := range now {
		managed = managed.Union(s)
	}
	named := func(s *fieldpath.Set) *fieldpath.Set { return s.EnsureNamedFieldsAreMembers(sc, ref) }
	all, err := merged.ToFieldSet()
	if err != nil {
		return codec.Node{}, err
	}
	left, err := merged.RemoveItems(named(last)).ToFieldSet()
	if err != nil {
		return codec.Node{}, err
	}
	if left, err = merged.RemoveItems(named(all).Difference(named(left).Union(named(managed)))).ToFieldSet(); err != nil {
		return codec.Node{}, err
	}
	out := merged.RemoveItems(named(all).Difference(named(left)).Intersection(named(last)))
	json, err := codec.AppendTree(nil, out.AsValue().Unstructured())
	if err != nil {
		return codec.Node{}, err
	}
	return codec.ParseNode(json)
}
