package apply

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/keelson/keelson/proto/schema/shape"
)

func (d *differ) lists(f *shape.Field, old, obj protoreflect.Value, was, is bool) {
	if !associative(f) {
		if was != is {
			d.mark(is)
		} else if !old.IsValid() || !obj.IsValid() || !sameList(f, old.List(), obj.List()) {
			d.mark(true)
		}
		return
	}
	if was && is && old.IsValid() && obj.IsValid() && sameList(f, old.List(), obj.List()) {
		return
	}
	a, b := items(f, old), items(f, obj)
	for i := range b {
		if len(b[i].values) > 0 {
			d.item(f, find(a, i, b[i].key), b[i].values)
		}
	}
	for i := range a {
		if len(a[i].values) > 0 && find(b, i, a[i].key) == nil {
			d.item(f, a[i].values, nil)
		}
	}
	if was != is {
		d.mark(is)
	}
}

// item compares the items of one key; mostly there is one on each side. Several with the same key, which some lists
// allow, are one value.
func (d *differ) item(f *shape.Field, old, obj []protoreflect.Value) {
	if len(old) == 1 && len(obj) == 1 && sameItem(f, old[0], obj[0]) {
		return
	}
	one := obj
	if len(obj) == 0 {
		one = old
	}
	pe, _ := element(f, one[0])
	d.push(pe)
	d.items(f, old, obj)
	d.pop()
}

func (d *differ) items(f *shape.Field, old, obj []protoreflect.Value) {
	switch {
	case len(old) > 1 && len(obj) > 1:
		if !slices.EqualFunc(old, obj, func(a, b protoreflect.Value) bool { return a.Equal(b) }) {
			d.mark(true)
		}
	case len(old) > 1:
		if len(obj) == 1 {
			d.items(f, nil, obj)
		}
		d.mark(false)
	case len(obj) > 1:
		if len(old) == 1 {
			d.items(f, old, nil)
		}
		d.mark(true)
	default:
		if granular(f) {
			d.fields(f.Elem, message(old), message(obj))
		} else if len(old) == 1 && len(obj) == 1 && !old[0].Equal(obj[0]) {
			d.mark(true)
		}
		if len(old) != len(obj) {
			d.mark(len(obj) == 1)
		}
	}
}

// sameList tells whether nothing changed in a list: the common case, for which no index is made.
func sameList(f *shape.Field, a, b protoreflect.List) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if !sameItem(f, a.Get(i), b.Get(i)) {
			return false
		}
	}
	return true
}

func sameItem(f *shape.Field, a, b protoreflect.Value) bool {
	if f.Elem != nil {
		return f.Elem.Equal(a.Message(), b.Message())
	}
	return a.Equal(b)
}

func message(v []protoreflect.Value) protoreflect.Message {
	if len(v) == 0 {
		return nil
	}
	return v[0].Message()
}

// keyedItem are the items of a list that have one key; where an item before has it too, there are none.
type keyedItem struct {
	key    itemKey
	values []protoreflect.Value
}

// itemKey is equal for equal keys: a string, a number or bool, or several of them in one string.
type itemKey struct {
	kind protoreflect.Kind
	text string
	n    int64
}

// find returns the items with a key, which most lists have at the same place as before.
func find(list []keyedItem, at int, key itemKey) []protoreflect.Value {
	if at < len(list) && list[at].key == key && len(list[at].values) > 0 {
		return list[at].values
	}
	for i := range list {
		if list[i].key == key {
			return list[i].values
		}
	}
	return nil
}

// items returns the items of an associative list by their keys. Items without a key have no owner.
func items(f *shape.Field, v protoreflect.Value) []keyedItem {
	if !v.IsValid() {
		return nil
	}
	l := v.List()
	out := make([]keyedItem, 0, l.Len())
	values := make([]protoreflect.Value, 0, l.Len())
	var first map[itemKey]int // of long lists
	if l.Len() > manyItems {
		first = make(map[itemKey]int, l.Len())
	}
	for i := range l.Len() {
		key, ok := keyOf(f, l.Get(i))
		if !ok {
			continue
		}
		at := -1
		if first != nil {
			if known, ok := first[key]; ok {
				at = known
			} else {
				first[key] = len(out)
			}
		} else {
			at = slices.IndexFunc(out, func(k keyedItem) bool { return k.key == key })
		}
		if at >= 0 {
			out[at].values = append(out[at].values, l.Get(i))
			continue
		}
		values = append(values, l.Get(i))
		out = append(out, keyedItem{key, values[len(values)-1 : len(values) : len(values)]})
	}
	return out
}

// keyOf returns what tells an item from others; false where there is nothing.
func keyOf(f *shape.Field, v protoreflect.Value) (itemKey, bool) {
	if f.Options.GetListType() == "set" {
		return scalarKey(f.Desc, v)
	}
	names := f.Options.GetListMapKeys()
	var text strings.Builder
	found := false
	for _, name := range names {
		k, ok := f.Elem.Field(name)
		if !ok {
			return itemKey{}, false
		}
		m := k.Holder(v.Message())
		key, ok := scalarKey(k.Desc, m.Get(k.Desc))
		if in, _ := present(k, m); !in {
			def := defaultOf(k)
			if def == nil {
				text.WriteByte(0)
				continue
			}
			key = defaultKey(def)
		} else if !ok {
			return itemKey{}, false
		}
		found = true
		if len(names) == 1 {
			return key, true
		}
		fmt.Fprintf(&text, "%d:%d:%d:%s", key.kind, key.n, len(key.text), key.text)
	}
	return itemKey{text: text.String()}, found
}

func scalarKey(fd protoreflect.FieldDescriptor, v protoreflect.Value) (itemKey, bool) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return itemKey{kind: protoreflect.StringKind, text: v.String()}, true
	case protoreflect.BoolKind:
		if v.Bool() {
			return itemKey{kind: protoreflect.BoolKind, n: 1}, true
		}
		return itemKey{kind: protoreflect.BoolKind}, true
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return itemKey{kind: protoreflect.Int64Kind, n: v.Int()}, true
	}
	return itemKey{}, false
}

func defaultKey(v any) itemKey {
	switch v := v.(type) {
	case string:
		return itemKey{kind: protoreflect.StringKind, text: v}
	case int64:
		return itemKey{kind: protoreflect.Int64Kind, n: v}
	case bool:
		if v {
			return itemKey{kind: protoreflect.BoolKind, n: 1}
		}
		return itemKey{kind: protoreflect.BoolKind}
	}
	return itemKey{}
}

// element returns the path element of an item that has a key.
func element(f *shape.Field, v protoreflect.Value) (fieldpath.PathElement, bool) {
	if f.Options.GetListType() == "set" {
		s, ok := scalar(f.Desc, v)
		if !ok {
			return fieldpath.PathElement{}, false
		}
		val := value.NewValueInterface(s)
		return fieldpath.PathElement{Value: &val}, true
	}
	keys := f.Options.GetListMapKeys()
	list := make(value.FieldList, 0, len(keys))
	for _, name := range keys {
		k, ok := f.Elem.Field(name)
		if !ok {
			return fieldpath.PathElement{}, false
		}
		m := k.Holder(v.Message())
		s, ok := scalar(k.Desc, m.Get(k.Desc))
		if in, _ := present(k, m); !in {
			if s = defaultOf(k); s == nil {
				continue
			}
		} else if !ok {
			return fieldpath.PathElement{}, false
		}
		list = append(list, value.Field{Name: name, Value: value.NewValueInterface(s)})
	}
	if len(list) == 0 {
		return fieldpath.PathElement{}, false
	}
	list.Sort()
	return fieldpath.PathElement{Key: &list}, true
}

// scalar returns a value as it is in a JSON tree.
func scalar(fd protoreflect.FieldDescriptor, v protoreflect.Value) (any, bool) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return v.String(), true
	case protoreflect.BoolKind:
		return v.Bool(), true
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return v.Int(), true
	}
	return nil, false
}
