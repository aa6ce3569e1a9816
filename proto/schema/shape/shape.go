// Package shape compiles message descriptors and their options into the form that the schema engine works with: the
// fields of each message as Kubernetes' JSON shows them, with inlined sub-messages flattened into their parents.
//
// A shape is built once for each message and shared; it is safe for concurrent use and must not be changed.
package shape

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
	"github.com/keelson/keelson/proto/layout"
)

// Message is one message as its JSON object looks.
type Message struct {
	Desc protoreflect.MessageDescriptor
	// Form says how the message is written where that is not an object; Fields then describes the wire form only.
	Form optionsv1.JSONForm
	// Atomic messages are owned as a whole in server-side apply.
	Atomic bool
	// Fields in the order of their numbers, inlined ones in the place of their parent.
	Fields []*Field
	// Sorted has the fields by name.
	Sorted []*Field

	byName map[string]*Field
	goType reflect.Type // of the struct
	// direct are the message's own fields, of which only Has may be asked.
	direct []*Field
}

// Field is one JSON field of a message.
type Field struct {
	// Name is the JSON name.
	Name string
	Desc protoreflect.FieldDescriptor
	// Inline are the singular sub-messages to step through, outermost first, before Desc applies. Mostly empty.
	Inline []protoreflect.FieldDescriptor
	// Options is never nil.
	Options *optionsv1.Field
	// Elem is the shape of the field's message, of its list's items or of its map's values; nil for scalars.
	Elem *Message

	access access
	// scalar is the type of the field's value, of its list's items or of its map's values, unless that is a message.
	scalar how
	// inline are the places of Inline.
	inline   []uintptr
	embedded bool
}

var (
	mu       sync.Mutex
	messages = map[protoreflect.FullName]*Message{} // guarded by mu
	ready    sync.Map                               // protoreflect.FullName -> *Message, complete ones only
)

// Of returns the shape of a message.
func Of(md protoreflect.MessageDescriptor) *Message {
	if m, ok := ready.Load(md.FullName()); ok {
		return m.(*Message)
	}
	mu.Lock()
	defer mu.Unlock()
	m := of(md)
	ready.Store(md.FullName(), m)
	return m
}

func of(md protoreflect.MessageDescriptor) *Message {
	if m, ok := messages[md.FullName()]; ok {
		return m
	}
	m := &Message{Desc: md, Form: FormOf(md), Atomic: atomic(md), byName: map[string]*Field{}, goType: layout.Struct(md)}
	messages[md.FullName()] = m // before the fields: messages may be recursive
	m.add(md, nil, nil)
	places := accesses(md)
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		m.direct = append(m.direct, &Field{Name: fd.JSONName(), Desc: fd, Options: noOptions, access: places[fd.Number()]})
	}
	m.Sorted = slices.SortedStableFunc(slices.Values(m.Fields), func(a, b *Field) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range m.Fields {
		if _, taken := m.byName[f.Name]; !taken {
			m.byName[f.Name] = f
		}
	}
	return m
}

func (m *Message) add(md protoreflect.MessageDescriptor, inline []protoreflect.FieldDescriptor, offsets []uintptr) {
	places := accesses(md)
	fields := md.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		o := OptionsOf(fd)
		if o.GetInline() && fd.Message() != nil && fd.Cardinality() != protoreflect.Repeated {
			m.add(fd.Message(), append(inline[:len(inline):len(inline)], fd), append(offsets[:len(offsets):len(offsets)], places[fd.Number()].offset))
			continue
		}
		f := &Field{Name: fd.JSONName(), Desc: fd, Inline: inline, Options: o, access: places[fd.Number()], inline: offsets}
		f.embedded = f.Embedded()
		f.scalar = scalarOf(fd)
		if fd.IsMap() {
			f.scalar = scalarOf(fd.MapValue())
		}
		switch {
		case fd.IsMap():
			if v := fd.MapValue(); v.Message() != nil {
				f.Elem = of(v.Message())
			}
		case fd.Message() != nil:
			f.Elem = of(fd.Message())
		}
		m.Fields = append(m.Fields, f)
	}
}

// Field returns the field with a JSON name.
func (m *Message) Field(name string) (*Field, bool) {
	f, ok := m.byName[name]
	return f, ok
}

// Holder steps through the inlined sub-messages to the message that has the field itself. An absent sub-message is
// an empty, read-only one.
func (f *Field) Holder(m protoreflect.Message) protoreflect.Message {
	for _, fd := range f.Inline {
		m = m.Get(fd).Message()
	}
	return m
}

// MutableHolder is Holder for writing: it creates absent sub-messages.
func (f *Field) MutableHolder(m protoreflect.Message) protoreflect.Message {
	for _, fd := range f.Inline {
		m = m.Mutable(fd).Message()
	}
	return m
}

// Embedded tells whether the field is a sub-message that always exists in Kubernetes' view (a struct and not a
// pointer): its defaults and rules apply even where the wire has nothing.
func (f *Field) Embedded() bool { return Embedded(f.Desc, f.Options) }

// Embedded is Field.Embedded for a descriptor.
func Embedded(fd protoreflect.FieldDescriptor, o *optionsv1.Field) bool {
	return fd.Message() != nil && fd.Cardinality() != protoreflect.Repeated &&
		(o.GetInline() || o.GetEmit() == optionsv1.Emit_EMIT_ZERO)
}

var noOptions = &optionsv1.Field{}

// OptionsOf returns the field's options; never nil.
func OptionsOf(fd protoreflect.FieldDescriptor) *optionsv1.Field {
	if o := fd.Options(); o != nil && proto.HasExtension(o, optionsv1.E_Field) {
		return proto.GetExtension(o, optionsv1.E_Field).(*optionsv1.Field)
	}
	return noOptions
}

// FormOf returns the JSON form of a message.
func FormOf(md protoreflect.MessageDescriptor) optionsv1.JSONForm {
	if o := md.Options(); o != nil && proto.HasExtension(o, optionsv1.E_JsonForm) {
		return proto.GetExtension(o, optionsv1.E_JsonForm).(optionsv1.JSONForm)
	}
	return optionsv1.JSONForm_JSON_FORM_UNSPECIFIED
}

func atomic(md protoreflect.MessageDescriptor) bool {
	o := md.Options()
	return o != nil && proto.GetExtension(o, optionsv1.E_Atomic).(bool)
}

// IsObject tells whether the message is a plain JSON object, and not one of the special forms.
func (m *Message) IsObject() bool { return m.Form == optionsv1.JSONForm_JSON_FORM_UNSPECIFIED }
