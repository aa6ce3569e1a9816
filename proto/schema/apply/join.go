package apply

import (
	"github.com/keelson/keelson/proto/codec"
)

// joiner lays a configuration over an object. What the configuration does not change is the same node as before, so that
// later walks can pass it by.
type joiner struct{ memory *codec.Nodes }

// join returns what becomes of a live value of a type under a configured one. Both fit the type.
func (j joiner) join(live, config *codec.Node, t *kindType) codec.Node {
	switch t.of(config) {
	case asList:
		if t.list.atomic {
			break
		}
		switch {
		case config.Kind == codec.ListNode && len(config.Items) > 0:
			if live.Kind == codec.ListNode && len(live.Items) > 0 {
				return j.lists(live, config, t.list)
			}
		case live.Kind == codec.ListNode && len(live.Items) > 0:
			return *live // null or nothing adds nothing
		}
	case asDict:
		if t.dict.atomic {
			break
		}
		switch {
		case config.Kind == codec.ObjectNode && len(config.Items) > 0:
			if live.Kind == codec.ObjectNode && len(live.Items) > 0 {
				return j.dicts(live, config, t.dict)
			}
		case live.Kind == codec.ObjectNode && len(live.Items) > 0:
			return *live
		}
	}
	if alike(live, config) {
		return *live
	}
	out := *config
	out.Name = live.Name
	return out
}

// alike tells whether two values are written alike.
func alike(a, b *codec.Node) bool {
	if a.Kind != b.Kind || a.Text != b.Text || len(a.Items) != len(b.Items) {
		return false
	}
	for i := range a.Items {
		if a.Items[i].Name != b.Items[i].Name || !alike(&a.Items[i], &b.Items[i]) {
			return false
		}
	}
	return true
}

func (j joiner) dicts(live, config *codec.Node, t *dictType) codec.Node {
	a, b := live.Items, config.Items
	added, changed := 0, false
	out := j.memory.Make(len(a) + len(b))[:0]
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Name < b[0].Name:
			out = append(out, a[0])
			a = a[1:]
		case len(a) == 0 || b[0].Name < a[0].Name:
			out = append(out, b[0])
			b, added = b[1:], added+1
		default:
			m, _ := t.member(a[0].Name)
			n := j.join(&a[0], &b[0], m)
			changed = changed || !n.Same(&a[0])
			out = append(out, n)
			a, b = a[1:], b[1:]
		}
	}
	if added == 0 && !changed {
		return *live
	}
	return codec.Node{Kind: codec.ObjectNode, Name: live.Name, Items: out}
}

// lists joins lists whose items have identities. Where they have the same ones in the same order, nothing moves; else the
// order is the configuration's, with the items that only the object has between those that they were between.
func (j joiner) lists(live, config *codec.Node, t *listType) codec.Node {
	a, b := j.index(live.Items, t), j.index(config.Items, t)
	out := j.memory.Make(len(live.Items) + len(config.Items))[:0]
	take := func(l, c int) {
		switch {
		case c < 0:
			out = append(out, live.Items[l])
		case l < 0:
			out = append(out, config.Items[c])
		default:
			out = append(out, j.join(&live.Items[l], &config.Items[c], t.elem))
		}
	}
	// shared are the configuration's items that the object has too.
	shared := make([]int, 0, len(config.Items))
	for c := range config.Items {
		if a.find(b.list[c]) >= 0 {
			shared = append(shared, c)
		}
	}
	next := func() {
		if len(shared) > 0 {
			shared = shared[1:]
		}
	}
	merged := make([]bool, len(config.Items))
	for l, c := 0, 0; l < len(live.Items) || c < len(config.Items); {
		if l < len(live.Items) && c < len(config.Items) {
			if a.list[l] == b.list[c] {
				merged[c] = true
				take(a.only(l), c)
				l, c = l+1, c+1
				next()
				continue
			}
			if p := b.find(a.list[l]); p >= 0 && len(shared) > 0 && shared[0] != p {
				l++ // it comes later
				continue
			}
		}
		if l < len(live.Items) {
			p := b.find(a.list[l])
			if p < 0 {
				take(l, -1)
				l++
				continue
			}
			if merged[p] {
				l++
			}
		}
		if c < len(config.Items) {
			merged[c] = true
			p := a.find(b.list[c])
			if p >= 0 {
				p = a.only(p)
			}
			take(p, c)
			if len(shared) > 0 && shared[0] == c {
				next()
			}
			c++
		}
	}
	if len(out) == len(live.Items) {
		same := true
		for i := range out {
			same = same && out[i].Same(&live.Items[i])
		}
		if same {
			return *live
		}
	}
	return codec.Node{Kind: codec.ListNode, Name: live.Name, Items: out}
}

// places are the identities of a list's items, with those that are there more than once.
type places struct {
	identities
	many []bool // by the first place of an identity
}

func (j joiner) index(items []codec.Node, t *listType) places {
	p := places{many: make([]bool, len(items))}
	for i := range items {
		id, _ := t.identity(&items[i])
		if first := p.add(id, len(items)); first >= 0 {
			p.many[first] = true
		}
	}
	return p
}

// only returns the place of an item that has its identity alone, else -1: one of several is not merged with anything.
func (p *places) only(i int) int {
	if p.many[p.find(p.list[i])] {
		return -1
	}
	return i
}
