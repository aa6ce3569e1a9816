package apply

import (
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
	for _, key := range b.order {
		d.item(f, b.pe[key], a.values[key], b.values[key])
	}
	for _, key := range a.order {
		if b.values[key] == nil {
			d.item(f, a.pe[key], a.values[key], nil)
		}
	}
	if was != is {
		d.mark(is)
	}
}

// item compares the items of one key; mostly there is one on each side. Several with the same key, which some lists
// allow, are one value.
func (d *differ) item(f *shape.Field, pe fieldpath.PathElement, old, obj []protoreflect.Value) {
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
		if f.Elem != nil {
			if x, y := a.Get(i).Message(), b.Get(i).Message(); !f.Elem.Equal(x, y) {
				return false
			}
		} else if !a.Get(i).Equal(b.Get(i)) {
			return false
		}
	}
	return true
}

func message(v []protoreflect.Value) protoreflect.Message {
	if len(v) == 0 {
		return nil
	}
	return v[0].Message()
}

type indexed struct {
	order  []string
	pe     map[string]fieldpath.PathElement
	values map[string][]protoreflect.Value
}

// items indexes an associative list by the keys of its items. Items without a key have no owner.
func items(f *shape.Field, v protoreflect.Value) indexed {
	out := indexed{}
	if !v.IsValid() {
		return out
	}
	l := v.List()
	out.pe = make(map[string]fieldpath.PathElement, l.Len())
	out.values = make(map[string][]protoreflect.Value, l.Len())
	for i := range l.Len() {
		key, pe, ok := element(f, l.Get(i))
		if !ok {
			continue
		}
		if _, seen := out.values[key]; !seen {
			out.order = append(out.order, key)
			out.pe[key] = pe
		}
		out.values[key] = append(out.values[key], l.Get(i))
	}
	return out
}

// element returns the path element of a list's item, and a string that is equal for equal elements.
func element(f *shape.Field, v protoreflect.Value) (string, fieldpath.PathElement, bool) {
	if f.Options.GetListType() == "set" {
		s, ok := scalar(f.Desc, v)
		if !ok {
			return "", fieldpath.PathElement{}, false
		}
		val := value.NewValueInterface(s)
		return value.ToString(val), fieldpath.PathElement{Value: &val}, true
	}
	keys := f.Options.GetListMapKeys()
	list := make(value.FieldList, 0, len(keys))
	var text strings.Builder
	for _, name := range keys {
		k, ok := f.Elem.Field(name)
		if !ok {
			return "", fieldpath.PathElement{}, false
		}
		m := k.Holder(v.Message())
		s, ok := scalar(k.Desc, m.Get(k.Desc))
		if in, _ := present(k, m); !in {
			if s = defaultOf(k); s == nil {
				continue
			}
		} else if !ok {
			return "", fieldpath.PathElement{}, false
		}
		val := value.NewValueInterface(s)
		list = append(list, value.Field{Name: name, Value: val})
		text.WriteString(name)
		text.WriteByte('=')
		text.WriteString(value.ToString(val))
		text.WriteByte(0)
	}
	if len(list) == 0 {
		return "", fieldpath.PathElement{}, false
	}
	list.Sort()
	return text.String(), fieldpath.PathElement{Key: &list}, true
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
