package apply

import (
	"cmp"
	"slices"
	"strings"

	"github.com/keelson/keelson/proto/codec"
)

// nodeSet says which fields of an object are left out of a set.
type nodeSet struct {
	// whole keeps apiVersion and the other fields that nobody owns.
	whole bool
	// ignored are fields that a write does not change.
	ignored func(root, second string) bool
}

// append appends the encoded set of the fields that an object names: the leaves, the members of maps, and the items of
// lists.
func (s nodeSet) append(dst []byte, n *codec.Node, t *kindType) []byte {
	w := nodeWriter{nodeSet: s, writer: writer{dst: dst}}
	w.dst = append(w.dst, '{')
	if n.Kind == codec.ObjectNode && t.of(n) == asDict && !t.dict.atomic {
		for i := range n.Items {
			w.root(&n.Items[i], t.dict)
		}
	}
	return append(w.dst, '}')
}

type nodeWriter struct {
	nodeSet
	writer
	parts []nodePart
	keyed []nodeItem
}

// root writes a field of the object itself.
func (w *nodeWriter) root(n *codec.Node, d *dictType) {
	t, field := d.member(n.Name)
	name := n.Name
	switch {
	case t == nil || w.ignored(name, ""):
		return
	case !w.whole && (name == "apiVersion" || name == "kind"):
		return
	}
	skip := func(second string) bool {
		return w.ignored(name, second) || !w.whole && name == "metadata" && serverFields[second]
	}
	w.member(n, t, !field || inSet(n, t), w.whole || name != "metadata", skip)
}

// inSet tells whether a field is in the set itself, and not only what is below it.
func inSet(n *codec.Node, t *kindType) bool {
	return n.Kind == codec.NullNode || n.Kind == codec.ObjectNode && len(n.Items) == 0 || t.leaf(n)
}

// member writes a member of an object and what is below it; in tells whether it is in the set itself, where counted is not
// false.
func (w *nodeWriter) member(n *codec.Node, t *kindType, in, counted bool, skip func(string) bool) {
	start := len(w.dst)
	w.name("f:", n.Name)
	if !w.body(n, t, in && counted, skip) {
		w.dst = w.dst[:start]
	}
}

// body writes the object of a place; false tells that nothing is there.
func (w *nodeWriter) body(n *codec.Node, t *kindType, in bool, skip func(string) bool) bool {
	if t.leaf(n) || len(n.Items) == 0 {
		w.dst = append(w.dst, noBraces...)
		return in
	}
	w.open(in)
	start := len(w.dst)
	if t.of(n) == asList {
		w.items(n, t.list)
	} else {
		for i := range n.Items {
			m := &n.Items[i]
			mt, field := t.dict.member(m.Name)
			if mt == nil || skip != nil && skip(m.Name) {
				continue
			}
			w.member(m, mt, !field || inSet(m, mt), true, nil)
		}
	}
	if len(w.dst) > start {
		w.dst = append(w.dst, '}')
		return true
	}
	w.dst = w.dst[:start]
	if in {
		w.dst = append(w.dst[:start-len(`".":{}`)], '}')
	} else {
		w.dst = append(w.dst, '}')
	}
	return in
}

// nodeItem is an item of a list, named by the parts of its key.
type nodeItem struct {
	item     *codec.Node
	from, to int // in parts
	many     bool
}

type nodePart struct {
	name  string
	value *codec.Node
}

func (w *nodeWriter) compare(a, b nodeItem) int {
	return slices.CompareFunc(w.parts[a.from:a.to], w.parts[b.from:b.to], func(a, b nodePart) int {
		return cmp.Or(strings.Compare(a.name, b.name), a.value.Compare(b.value))
	})
}

func (w *nodeWriter) items(n *codec.Node, t *listType) {
	base, parts := len(w.keyed), len(w.parts)
	for i := range n.Items {
		k := nodeItem{item: &n.Items[i], from: len(w.parts)}
		if len(t.keys) == 0 {
			w.parts = append(w.parts, nodePart{value: k.item})
		}
		for j := range t.keys {
			if v := t.keys[j].in(k.item); v != nil {
				w.parts = append(w.parts, nodePart{t.keys[j].name, v})
			}
		}
		k.to = len(w.parts)
		w.keyed = append(w.keyed, k)
	}
	slices.SortStableFunc(w.keyed[base:], w.compare)
	for i := base; i < len(w.keyed); i++ {
		k := w.keyed[i] // the stacks may move below
		if i+1 < len(w.keyed) && w.compare(k, w.keyed[i+1]) == 0 {
			w.keyed[i+1].many = true
			continue
		}
		w.element(k, len(t.keys) > 0)
		if k.many {
			w.dst = append(w.dst, noBraces...) // several of one key are one thing
			continue
		}
		w.body(k.item, t.elem, true, nil)
	}
	w.keyed, w.parts = w.keyed[:base], w.parts[:parts]
}

// element writes the name of a list's item: JSON inside of a JSON string.
func (w *nodeWriter) element(k nodeItem, keyed bool) {
	if !keyed {
		w.text = appendPlain(append(w.text[:0], "v:"...), w.parts[k.from].value)
	} else {
		w.text = append(w.text[:0], "k:"...)
		for i, p := range w.parts[k.from:k.to] {
			w.text = append(w.text, "{,"[min(i, 1)])
			w.text = append(appendQuoted(w.text, p.name), ':')
			w.text = appendPlain(w.text, p.value)
		}
		w.text = append(w.text, '}')
	}
	w.comma()
	w.dst = append(appendQuoted(w.dst, unsafeText(w.text)), ':')
}

func appendPlain(dst []byte, n *codec.Node) []byte {
	if n.Kind == codec.StringNode {
		return appendQuoted(dst, n.Text)
	}
	dst, _ = codec.AppendNode(dst, n)
	return dst
}
