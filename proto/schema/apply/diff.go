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
	d := differ{places: make([]place, 1, 16)}
	d.places[0] = place{set: c.Set, removed: c.Removed}
	if old == nil {
		// A new object is compared with an empty one, in which embedded messages exist.
		old = obj.Type().Zero()
	}
	d.fields(shape.Of(obj.Descriptor()), old, obj)
	return c
}

// differ walks two messages. It keeps the place where it is as a stack, and makes the sets of a place only once there is
// something to put in: mostly there is nothing.
type differ struct {
	places []place
	depth  int
}

type place struct {
	pe fieldpath.PathElement
	// sets at this place; nil until they are needed
	set, removed *fieldpath.Set
}

func (d *differ) push(pe fieldpath.PathElement) { d.places = append(d.places, place{pe: pe}) }

func (d *differ) pop() { d.places = d.places[:len(d.places)-1] }

// mark adds the present place to a set.
func (d *differ) mark(added bool) {
	last := len(d.places) - 1
	at := d.places[0].set
	if !added {
		at = d.places[0].removed
	}
	for i := 1; i < last; i++ {
		p := &d.places[i]
		below := &p.set
		if !added {
			below = &p.removed
		}
		if *below == nil {
			*below = at.Children.Descend(p.pe)
		}
		at = *below
	}
	at.Members.Insert(d.places[last].pe)
}

// serverFields are the fields of ObjectMeta that nobody owns.
var serverFields = map[string]bool{
	"name": true, "namespace": true, "creationTimestamp": true, "selfLink": true, "uid": true, "generation": true,
	"managedFields": true, "resourceVersion": true,
}

func (d *differ) fields(m *shape.Message, old, obj protoreflect.Message) {
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
		d.field(f, before, after)
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

func (d *differ) field(f *shape.Field, old, obj protoreflect.Message) {
	was, wasSet := present(f, old)
	is, isSet := present(f, obj)
	if !was && !is || was && is && !wasSet && !isSet {
		return
	}
	d.push(fieldpath.PathElement{FieldName: &f.Name})
	defer d.pop()
	switch {
	case f.Desc.IsMap():
		d.maps(f, get(f, old, wasSet), get(f, obj, isSet), was, is)
	case f.Desc.IsList():
		d.lists(f, get(f, old, wasSet), get(f, obj, isSet), was, is)
	case f.Elem != nil && granular(f):
		var a, b protoreflect.Message
		if wasSet || was && f.Embedded() {
			a = old.Get(f.Desc).Message()
		}
		if isSet || is && f.Embedded() {
			b = obj.Get(f.Desc).Message()
		}
		if a != nil && b != nil && a.Interface() == b.Interface() {
			return // the same message, shared by both
		}
		d.fields(f.Elem, a, b)
		if was != is {
			d.mark(is)
		}
	case was != is:
		d.mark(is)
	case wasSet != isSet && f.Desc.HasPresence() && !f.Embedded() || !equal(f, obj, old):
		d.mark(true)
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

func (d *differ) maps(f *shape.Field, old, obj protoreflect.Value, was, is bool) {
	if was == is && f.Options.GetMapType() == "atomic" {
		if !old.IsValid() || !obj.IsValid() || !old.Equal(obj) {
			d.mark(true)
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
				d.push(fieldpath.PathElement{FieldName: &key})
				d.mark(added)
				d.pop()
				return true
			})
		}
		each(old, obj, false)
		each(obj, old, true)
	}
	if was != is {
		d.mark(is)
	}
}

func (d *differ) lists(f *shape.Field, old, obj protoreflect.Value, was, is bool) {
	if !associative(f) {
		if was != is {
			d.mark(is)
		} else if !old.IsValid() || !obj.IsValid() || !old.Equal(obj) {
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
			if x, y := a.Get(i).Message(), b.Get(i).Message(); x.Interface() != y.Interface() && !shape.Equal(x, y) {
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
