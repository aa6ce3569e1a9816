package apply

import (
	"math"
	"strconv"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/keelson/keelson/proto/codec"
)

// identity is what tells an item of a list from others: its key, or its value.
type identity struct {
	kind codec.NodeKind
	text string
}

// identity returns an item's; false where it has none.
func (l *listType) identity(item *codec.Node) (identity, bool) {
	if len(l.keys) == 0 {
		if k := item.Kind; k == codec.NullNode || k == codec.ListNode || k == codec.ObjectNode {
			return identity{}, false
		}
		return scalarIdentity(item), true
	}
	if item.Kind != codec.ObjectNode {
		return identity{}, false
	}
	if len(l.keys) == 1 {
		v := l.keys[0].in(item)
		if v == nil {
			return identity{}, false
		}
		return scalarIdentity(v), true
	}
	text := make([]byte, 0, 48)
	any := false
	for i := range l.keys {
		v := l.keys[i].in(item)
		if v == nil {
			text = append(text, 0xff)
			continue
		}
		any = true
		id := scalarIdentity(v)
		text = strconv.AppendInt(append(text, byte(id.kind)), int64(len(id.text)), 10)
		text = append(append(text, ':'), id.text...)
	}
	return identity{kind: codec.ObjectNode, text: string(text)}, any
}

// in returns an item's value of the field; nil where it has none.
func (k *keyField) in(item *codec.Node) *codec.Node {
	if v := item.Member(k.name); v != nil {
		return v
	}
	return k.def
}

func scalarIdentity(n *codec.Node) identity {
	switch n.Kind {
	case codec.FloatNode:
		// A number is itself in every form.
		if f := n.Float(); f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return identity{codec.IntNode, strconv.FormatInt(int64(f), 10)}
		}
		return identity{codec.FloatNode, strconv.FormatFloat(n.Float(), 'g', -1, 64)}
	case codec.ListNode, codec.ObjectNode:
		text, err := codec.AppendNode(nil, n)
		if err == nil {
			return identity{n.Kind, string(text)}
		}
	}
	return identity{n.Kind, n.Text}
}

// identities are those of a list's items, in order. To find one, few are looked through and many are kept in a map.
type identities struct {
	list  []identity
	index map[identity]int
}

// manyItems is the length from which on a list gets a map.
const manyItems = 24

// add adds the next of n items. It returns the first one with the same identity, -1 where there is none.
func (s *identities) add(id identity, n int) int {
	if s.list == nil {
		s.list = make([]identity, 0, n)
		if n > manyItems {
			s.index = make(map[identity]int, n)
		}
	}
	first := s.find(id)
	if first < 0 && s.index != nil {
		s.index[id] = len(s.list)
	}
	s.list = append(s.list, id) // duplicates too, so that places stay those of the items
	return first
}

// find returns the first item with an identity, -1 where there is none.
func (s *identities) find(id identity) int {
	if s.index != nil {
		if i, ok := s.index[id]; ok {
			return i
		}
		return -1
	}
	for i := range s.list {
		if s.list[i] == id {
			return i
		}
	}
	return -1
}

// element returns the path element of an item that has an identity. It shares no memory with the item.
func (l *listType) element(item *codec.Node) fieldpath.PathElement {
	if len(l.keys) == 0 {
		v := value.NewValueInterface(item.Tree())
		return fieldpath.PathElement{Value: &v}
	}
	list := make(value.FieldList, 0, len(l.keys))
	for i := range l.keys {
		if v := l.keys[i].in(item); v != nil {
			list = append(list, value.Field{Name: l.keys[i].name, Value: value.NewValueInterface(v.Tree())})
		}
	}
	return fieldpath.PathElement{Key: &list}
}
