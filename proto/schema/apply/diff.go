package apply

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

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
	var a, b shape.Pointer
	both := old != nil && obj != nil
	if both {
		a, b = shape.PointerTo(old.Interface()), shape.PointerTo(obj.Interface())
	}
	for _, f := range m.Fields {
		if meta && serverFields[f.Name] {
			continue
		}
		if both && f.EqualIn(f.In(a), f.In(b)) {
			continue // most of an object is what it was
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
	case f.Desc.IsMap() && f.Elem == nil && f.Desc.MapValue().Kind() == protoreflect.StringKind && f.Options.GetMapType() != "atomic":
		d.texts(textMap(f, old), textMap(f, obj))
		if was != is {
			d.mark(is)
		}
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
		return f.Elem.Equal(a.Get(f.Desc).Message(), b.Get(f.Desc).Message())
	}
	return a.Get(f.Desc).Equal(b.Get(f.Desc))
}

func get(f *shape.Field, m protoreflect.Message, set bool) protoreflect.Value {
	if !set {
		return protoreflect.Value{}
	}
	return m.Get(f.Desc)
}

func textMap(f *shape.Field, m protoreflect.Message) map[string]string {
	if m == nil {
		return nil
	}
	return f.TextMap(shape.PointerTo(m.Interface()))
}

// texts compares maps of strings: labels and annotations, which most writes are about.
func (d *differ) texts(old, obj map[string]string) {
	each := func(m, other map[string]string, added bool) {
		for k, v := range m {
			if o, ok := other[k]; ok && (!added || v == o) {
				continue
			}
			key := k
			d.push(fieldpath.PathElement{FieldName: &key})
			d.mark(added)
			d.pop()
		}
	}
	each(old, obj, false)
	each(obj, old, true)
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
