package apply

import (
	"errors"
	"fmt"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/keelson/keelson/proto/codec"
)

// comparer finds what differs between two objects of one type, as owners see it.
type comparer struct {
	Change
	// ignored are fields that do not count.
	ignored func(root, second string) bool
	path    fieldpath.Path
	err     error
}

// compareNodes compares two objects; parts that they share cost nothing.
func compareNodes(old, obj *codec.Node, t *kindType, ignored func(root, second string) bool) (Change, error) {
	c := comparer{Change: Change{Set: fieldpath.NewSet(), Removed: fieldpath.NewSet()}, ignored: ignored}
	c.compare(old, obj, t)
	return c.Change, c.err
}

func (c *comparer) mark(added bool) {
	switch {
	case len(c.path) == 0, c.ignored(c.at(0), ""), len(c.path) > 1 && c.ignored(c.at(0), c.at(1)):
	case added:
		c.Set.Insert(c.path)
	default:
		c.Removed.Insert(c.path)
	}
}

func (c *comparer) at(i int) string {
	if name := c.path[i].FieldName; name != nil {
		return *name
	}
	return ""
}

func (c *comparer) step(pe fieldpath.PathElement, old, obj *codec.Node, t *kindType) {
	c.path = append(c.path, pe)
	c.compare(old, obj, t)
	c.path = c.path[:len(c.path)-1]
}

// compare compares values, of which one may be nil.
func (c *comparer) compare(old, obj *codec.Node, t *kindType) {
	if old != nil && obj != nil && old.Same(obj) || t == nil || c.err != nil {
		return
	}
	var leaf bool
	switch {
	case obj == nil:
		leaf = c.form(old, nil, t, t.of(old))
	case old == nil:
		leaf = c.form(nil, obj, t, t.of(obj))
	default:
		was, is := t.of(old), t.of(obj)
		if was != is {
			c.form(old, obj, t, was)
		}
		leaf = c.form(old, obj, t, is)
	}
	switch {
	case leaf:
	case old == nil:
		c.mark(true)
	case obj == nil:
		c.mark(false)
	}
}

// form compares values that are looked at in a form; what has another one counts as nothing. It tells whether they are
// compared as a whole.
func (c *comparer) form(old, obj *codec.Node, t *kindType, f form) (leaf bool) {
	switch f {
	case asList:
		a, b := itemsOf(old, codec.ListNode), itemsOf(obj, codec.ListNode)
		if !t.list.atomic && len(a)+len(b) > 0 {
			c.lists(a, b, t.list)
			return false
		}
	case asDict:
		a, b := itemsOf(old, codec.ObjectNode), itemsOf(obj, codec.ObjectNode)
		if !t.dict.atomic && len(a)+len(b) > 0 {
			c.dicts(a, b, t.dict)
			return false
		}
	}
	switch {
	case old == nil:
		c.mark(true)
	case obj == nil:
		c.mark(false)
	case !old.Equal(obj):
		c.mark(true)
	}
	return true
}

func itemsOf(n *codec.Node, k codec.NodeKind) []codec.Node {
	if n == nil || n.Kind != k {
		return nil
	}
	return n.Items
}

func (c *comparer) dicts(a, b []codec.Node, t *dictType) {
	for len(a) > 0 || len(b) > 0 {
		var old, obj *codec.Node
		var name *string
		if len(b) == 0 || len(a) > 0 && a[0].Name <= b[0].Name {
			old, name = &a[0], &a[0].Name
		}
		if len(a) == 0 || len(b) > 0 && b[0].Name <= a[0].Name {
			obj, name = &b[0], &b[0].Name
		}
		if old != nil {
			a = a[1:]
		}
		if obj != nil {
			b = b[1:]
		}
		if old != nil && obj != nil && old.Same(obj) {
			continue
		}
		m, _ := t.member(*name)
		c.step(fieldpath.PathElement{FieldName: name}, old, obj, m)
	}
}

// lists compares items by identity. Several with the same one are one value.
func (c *comparer) lists(a, b []codec.Node, t *listType) {
	was, is := c.group(a, t), c.group(b, t)
	if c.err != nil {
		return
	}
	each := func(id identity, old, obj []*codec.Node) {
		var pe fieldpath.PathElement
		if len(old) > 0 {
			pe = t.element(old[0])
		} else {
			pe = t.element(obj[0])
		}
		one := func(list []*codec.Node) *codec.Node {
			if len(list) == 0 {
				return nil
			}
			return list[0]
		}
		marked := func(added bool) {
			c.path = append(c.path, pe)
			c.mark(added)
			c.path = c.path[:len(c.path)-1]
		}
		switch {
		case len(old) > 1 && len(obj) > 1:
			same := len(old) == len(obj)
			for i := range old {
				same = same && old[i].Equal(obj[i])
			}
			if !same {
				marked(true)
			}
		case len(old) > 1:
			if len(obj) > 0 {
				c.step(pe, nil, obj[0], t.elem)
			}
			marked(false)
		case len(obj) > 1:
			if len(old) > 0 {
				c.step(pe, old[0], nil, t.elem)
			}
			marked(true)
		case len(old) > 0 && len(obj) > 0 && old[0].Same(obj[0]):
		default:
			c.step(pe, one(old), one(obj), t.elem)
		}
	}
	for _, id := range was.order {
		each(id, was.items[id], is.items[id])
	}
	for _, id := range is.order {
		if len(was.items[id]) == 0 {
			each(id, nil, is.items[id])
		}
	}
}

type groups struct {
	order []identity
	items map[identity][]*codec.Node
}

func (c *comparer) group(list []codec.Node, t *listType) groups {
	g := groups{order: make([]identity, 0, len(list)), items: make(map[identity][]*codec.Node, len(list))}
	for i := range list {
		id, ok := t.identity(&list[i])
		if !ok {
			c.err = fmt.Errorf("%s: element %d: %w", c.path, i, errNoIdentity)
			return g
		}
		if len(g.items[id]) == 0 {
			g.order = append(g.order, id)
		}
		g.items[id] = append(g.items[id], &list[i])
	}
	return g
}

var errNoIdentity = errors.New("associative list with keys has an element that has none of them")
