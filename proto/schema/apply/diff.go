package apply

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
	"github.com/keelson/keelson/proto/schema/shape"
)

// Change is the difference between two objects in fields as owners see them.
type Change struct {
	// Set has the fields that were added or have another value; Removed those that are gone.
	Set, Removed *fieldpath.Set
}

// Empty tells whether nothing changed.
func (c Change) Empty() bool { return c.Set.Empty() && c.Removed.Empty() }

// Diff compares two objects of one message type; old is nil for a new object. What the server alone writes
// (metadata.uid and the like) and metadata.managedFields are left out. The result is what structured-merge-diff finds by
// comparing the objects' JSON.
func Diff(old, obj protoreflect.Message) Change {
	c := Change{Set: fieldpath.NewSet(), Removed: fieldpath.NewSet()}
	d := differ{}
	root := &node{set: c.Set, removed: c.Removed}
	if old == nil {
		// A new object is compared with an empty one, in which embedded messages exist.
		old = obj.Type().Zero()
	}
	d.fields(shape.Of(obj.Descriptor()), old, obj, root)
	return c
}

// node is a place in the two result sets; the sets are made only once there is something to put in.
type node struct {
	parent       *node
	pe           fieldpath.PathElement
	set, removed *fieldpath.Set
}

func (n *node) added() *fieldpath.Set {
	if n.set == nil {
		n.set = n.parent.added().Children.Descend(n.pe)
	}
	return n.set
}

func (n *node) gone() *fieldpath.Set {
	if n.removed == nil {
		n.removed = n.parent.gone().Children.Descend(n.pe)
	}
	return n.removed
}

func (n *node) mark(added bool) {
	if added {
		n.parent.added().Members.Insert(n.pe)
	} else {
		n.parent.gone().Members.Insert(n.pe)
	}
}

type differ struct{ depth int }

// serverFields are the fields of ObjectMeta that nobody owns.
var serverFields = map[string]bool{
	"name": true, "namespace": true, "creationTimestamp": true, "selfLink": true, "uid": true, "generation": true,
	"managedFields": true, "resourceVersion": true,
}

func (d *differ) fields(m *shape.Message, old, obj protoreflect.Message, at *node) {
	// The fields of an object's own metadata are one level down; templates have metadata further below.
	d.depth++
	defer func() { d.depth-- }()
	meta := d.depth == 2 && m.Desc.FullName() == "keelson.meta.v1.ObjectMeta"
	for _, f := range m.Fields {
		if meta && serverFields[f.Name] {
			continue
		}
		var before, after protoreflect.Message
		if old != nil {
			before = f.Holder(old)
		}
		if obj != nil {
			after = f.Holder(obj)
		}
		d.field(f, before, after, at)
	}
}

// present tells whether the field is in the JSON of a message.
func present(f *shape.Field, m protoreflect.Message) (inJSON, set bool) {
	if m == nil {
		return false, false
	}
	if m.Has(f.Desc) {
		return true, true
	}
	return f.Options.GetEmit() != optionsv1.Emit_EMIT_UNSPECIFIED, false
}

func (d *differ) field(f *shape.Field, old, obj protoreflect.Message, at *node) {
	was, wasSet := present(f, old)
	is, isSet := present(f, obj)
	if !was && !is || was && is && !wasSet && !isSet {
		return
	}
	name := f.Name
	n := &node{parent: at, pe: fieldpath.PathElement{FieldName: &name}}
	switch {
	case f.Desc.IsMap():
		d.maps(f, get(f, old, wasSet), get(f, obj, isSet), was, is, n)
	case f.Desc.IsList():
		d.lists(f, get(f, old, wasSet), get(f, obj, isSet), was, is, n)
	case f.Elem != nil && granular(f):
		var a, b protoreflect.Message
		if wasSet || was && f.Embedded() {
			a = old.Get(f.Desc).Message()
		}
		if isSet || is && f.Embedded() {
			b = obj.Get(f.Desc).Message()
		}
		d.fields(f.Elem, a, b, n)
		if was != is {
			n.mark(is)
		}
	case was != is:
		n.mark(is)
	case wasSet != isSet && f.Desc.HasPresence() && !f.Embedded() || !equal(f, obj, old):
		n.mark(true)
	}
}

// granular tells whether the fields of a sub-message have owners of their own.
func granular(f *shape.Field) bool {
	return f.Elem != nil && f.Elem.IsObject() && !f.Elem.Atomic && f.Options.GetMapType() != "atomic"
}

// equal compares values of a field that is owned as a whole. An absent embedded message equals an empty one.
func equal(f *shape.Field, a, b protoreflect.Message) bool {
	if f.Elem != nil {
		return shape.Equal(a.Get(f.Desc).Message(), b.Get(f.Desc).Message())
	}
	return a.Get(f.Desc).Equal(b.Get(f.Desc))
}

func get(f *shape.Field, m protoreflect.Message, set bool) protoreflect.Value {
	if !set {
		return protoreflect.Value{}
	}
	return m.Get(f.Desc)
}

func (d *differ) maps(f *shape.Field, old, obj protoreflect.Value, was, is bool, n *node) {
	if was == is && f.Options.GetMapType() == "atomic" {
		if !old.IsValid() || !obj.IsValid() || !old.Equal(obj) {
			n.mark(true)
		}
		return
	}
	if f.Options.GetMapType() != "atomic" {
		each := func(v, other protoreflect.Value, added bool) {
			if !v.IsValid() {
				return
			}
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				var o protoreflect.Value
				if other.IsValid() {
					o = other.Map().Get(k)
				}
				if o.IsValid() && (!added || v.Equal(o)) {
					return true
				}
				key := k.String()
				(&node{parent: n, pe: fieldpath.PathElement{FieldName: &key}}).mark(added)
				return true
			})
		}
		each(old, obj, false)
		each(obj, old, true)
	}
	if was != is {
		n.mark(is)
	}
}

func (d *differ) lists(f *shape.Field, old, obj protoreflect.Value, was, is bool, n *node) {
	kind := f.Options.GetListType()
	if kind != "set" && kind != "map" {
		if was != is {
			n.mark(is)
		} else if !old.IsValid() || !obj.IsValid() || !old.Equal(obj) {
			n.mark(true)
		}
		return
	}
	a, b := items(f, old), items(f, obj)
	for _, key := range b.order {
		d.item(f, n, b.pe[key], a.values[key], b.values[key])
	}
	for _, key := range a.order {
		if b.values[key] == nil {
			d.item(f, n, a.pe[key], a.values[key], nil)
		}
	}
	if was != is {
		n.mark(is)
	}
}

// item compares the items of one key; mostly there is one on each side. Several with the same key, which some lists
// allow, are one value.
func (d *differ) item(f *shape.Field, parent *node, pe fieldpath.PathElement, old, obj []protoreflect.Value) {
	n := &node{parent: parent, pe: pe}
	switch {
	case len(old) > 1 && len(obj) > 1:
		if !slices.EqualFunc(old, obj, func(a, b protoreflect.Value) bool { return a.Equal(b) }) {
			n.mark(true)
		}
	case len(old) > 1:
		if len(obj) == 1 {
			d.item(f, parent, pe, nil, obj)
		}
		n.mark(false)
	case len(obj) > 1:
		if len(old) == 1 {
			d.item(f, parent, pe, old, nil)
		}
		n.mark(true)
	default:
		if granular(f) {
			d.fields(f.Elem, message(old), message(obj), n)
		} else if len(old) == 1 && len(obj) == 1 && !old[0].Equal(obj[0]) {
			n.mark(true)
		}
		if len(old) != len(obj) {
			n.mark(len(obj) == 1)
		}
	}
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
