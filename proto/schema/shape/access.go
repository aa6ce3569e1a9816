package shape

import (
	"math"
	"reflect"
	"unsafe"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/layout"
)

// Pointer points to a generated message's struct; nil stands for an absent message, which reads as an empty one. The
// schema engine reads messages through pointers and offsets, for to ask protoreflect for a field costs ten times as
// much, and a write asks for some thousand.
type Pointer = unsafe.Pointer

// PointerTo returns the pointer to a generated message.
func PointerTo(m proto.Message) Pointer {
	if m == nil {
		return nil
	}
	return reflect.ValueOf(m).UnsafePointer()
}

// access says where in the struct a field is and how it is kept there.
type access struct {
	offset uintptr
	how    how
}

// how a struct holds a field, as protoc-gen-go lays it out.
type how uint8

const (
	unknown how = iota // the message has no Go type
	ofBool
	ofInt32 // enums too
	ofInt64
	ofUint32
	ofUint64
	ofFloat
	ofDouble
	ofString
	ofBytes
	ofMessage
	// optional scalars are pointers, optional bytes are there where they are not nil
	optional
	optionalBytes
	list
	dict
)

// accesses returns the places of a struct's fields by field number.
func accesses(md protoreflect.MessageDescriptor) map[protoreflect.FieldNumber]access {
	out := map[protoreflect.FieldNumber]access{}
	t := layout.Struct(md)
	if t == nil {
		return out
	}
	for _, p := range layout.Places(md, t) {
		out[p.Desc.Number()] = access{p.Offset, howOf(p.Desc, p.Type)}
	}
	return out
}

func howOf(fd protoreflect.FieldDescriptor, t reflect.Type) how {
	switch {
	case fd.IsMap():
		return dict
	case fd.IsList():
		return list
	case fd.Message() != nil:
		return ofMessage
	case fd.Kind() == protoreflect.BytesKind && fd.HasPresence():
		return optionalBytes
	case t.Kind() == reflect.Pointer:
		return optional
	}
	return scalarOf(fd)
}

func scalarOf(fd protoreflect.FieldDescriptor) how {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return ofBool
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind, protoreflect.EnumKind:
		return ofInt32
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return ofInt64
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return ofUint32
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return ofUint64
	case protoreflect.FloatKind:
		return ofFloat
	case protoreflect.DoubleKind:
		return ofDouble
	case protoreflect.StringKind:
		return ofString
	case protoreflect.BytesKind:
		return ofBytes
	}
	return unknown
}

// sliceHeader is the beginning of every slice: enough to know whether it is empty.
type sliceHeader struct {
	data unsafe.Pointer
	len  int
	cap  int
}

func at[T any](p Pointer, offset uintptr) T { return *(*T)(unsafe.Add(p, offset)) }

// In steps through the inlined sub-messages to the message that has the field itself; nil where one is absent.
func (f *Field) In(p Pointer) Pointer {
	for _, offset := range f.inline {
		if p == nil {
			return nil
		}
		p = at[Pointer](p, offset)
	}
	return p
}

// Has tells whether the field is set in a message, which must be what In returns.
func (f *Field) Has(p Pointer) bool {
	if p == nil {
		return false
	}
	switch f.access.how {
	case ofBool:
		return at[bool](p, f.access.offset)
	case ofInt32, ofUint32:
		return at[uint32](p, f.access.offset) != 0
	case ofFloat:
		return math.Float32bits(at[float32](p, f.access.offset)) != 0
	case ofInt64, ofUint64:
		return at[uint64](p, f.access.offset) != 0
	case ofDouble:
		return math.Float64bits(at[float64](p, f.access.offset)) != 0
	case ofString:
		return at[string](p, f.access.offset) != ""
	case ofBytes, list:
		return at[sliceHeader](p, f.access.offset).len > 0
	case ofMessage, optional, optionalBytes:
		return at[unsafe.Pointer](p, f.access.offset) != nil
	case dict:
		return len(f.dict(p)) > 0
	}
	panic("shape: " + string(f.Desc.FullName()) + " has no Go type")
}

// dict is a map of any value type, of which only the length is of interest: the number of entries stands at the same
// place whatever the types are.
func (f *Field) dict(p Pointer) map[string]unsafe.Pointer {
	return at[map[string]unsafe.Pointer](p, f.access.offset)
}

// Message returns the field's sub-message; nil where it is absent.
func (f *Field) Message(p Pointer) Pointer {
	if p == nil {
		return nil
	}
	return at[Pointer](p, f.access.offset)
}

// Messages returns the items of a list of messages.
func (f *Field) Messages(p Pointer) []Pointer {
	if p == nil {
		return nil
	}
	return at[[]Pointer](p, f.access.offset)
}

// MessageMap returns a map with strings for keys and messages for values. All such maps are laid out alike.
func (f *Field) MessageMap(p Pointer) map[string]Pointer {
	if p == nil {
		return nil
	}
	return f.dict(p)
}

// Len is the length of a list or map.
func (f *Field) Len(p Pointer) int {
	switch {
	case p == nil:
		return 0
	case f.access.how == dict:
		return len(f.dict(p))
	}
	return at[sliceHeader](p, f.access.offset).len
}

// Text returns the value of a singular string field.
func (f *Field) Text(p Pointer) string {
	switch {
	case p == nil:
		return ""
	case f.access.how == optional:
		if s := at[*string](p, f.access.offset); s != nil {
			return *s
		}
		return ""
	}
	return at[string](p, f.access.offset)
}

// Texts returns a list of strings.
func (f *Field) Texts(p Pointer) []string {
	if p == nil {
		return nil
	}
	return at[[]string](p, f.access.offset)
}

// TextMap returns a map of strings.
func (f *Field) TextMap(p Pointer) map[string]string {
	if p == nil {
		return nil
	}
	return at[map[string]string](p, f.access.offset)
}

// Int returns the value of a singular field of signed numbers.
func (f *Field) Int(p Pointer) int64 {
	if p == nil {
		return 0
	}
	v := unsafe.Add(p, f.access.offset)
	if f.access.how == optional {
		if v = *(*unsafe.Pointer)(v); v == nil {
			return 0
		}
	}
	if f.scalar == ofInt32 {
		return int64(*(*int32)(v))
	}
	return *(*int64)(v)
}

// Bool returns the value of a singular bool field.
func (f *Field) Bool(p Pointer) bool {
	if p == nil {
		return false
	}
	v := unsafe.Add(p, f.access.offset)
	if f.access.how == optional {
		if v = *(*unsafe.Pointer)(v); v == nil {
			return false
		}
	}
	return *(*bool)(v)
}

// Interface returns the message that a pointer of this type points to.
func (m *Message) Interface(p Pointer) proto.Message {
	return reflect.NewAt(m.goType, p).Interface().(proto.Message)
}

// Direct returns a field by its descriptor alone, outside of the shape of a message: its pointers are to the message that
// the descriptor belongs to, without regard to what is inlined.
func Direct(fd protoreflect.FieldDescriptor) *Field {
	f := &Field{Name: fd.JSONName(), Desc: fd, Options: OptionsOf(fd), access: accesses(fd.ContainingMessage())[fd.Number()], scalar: scalarOf(fd)}
	f.embedded = f.Embedded()
	value := fd
	if fd.IsMap() {
		value = fd.MapValue()
		f.scalar = scalarOf(value)
	}
	if value.Message() != nil {
		f.Elem = Of(value.Message())
	}
	return f
}

// IntAt returns an item of a list of signed numbers.
func (f *Field) IntAt(p Pointer, i int) int64 {
	if f.scalar == ofInt32 {
		return int64(at[[]int32](p, f.access.offset)[i])
	}
	return at[[]int64](p, f.access.offset)[i]
}

// Owner returns the message that has the field, as protoreflect knows it. It must not be nil.
func (f *Field) Owner(p Pointer) protoreflect.Message {
	return Of(f.Desc.ContainingMessage()).Interface(p).ProtoReflect()
}

// Empty tells whether a message has no field set, known or not.
func (m *Message) Empty(p Pointer) bool {
	if p == nil {
		return true
	}
	for _, f := range m.direct {
		if f.Has(p) {
			return false
		}
	}
	return len(m.Interface(p).ProtoReflect().GetUnknown()) == 0
}

// AppendKeys appends the keys of a map with strings for keys, in any order.
func (f *Field) AppendKeys(keys []string, p Pointer) []string {
	if p == nil {
		return keys
	}
	v := unsafe.Add(p, f.access.offset)
	switch {
	case f.Elem != nil:
		return appendKeys(keys, *(*map[string]Pointer)(v))
	case f.scalar == ofString:
		return appendKeys(keys, *(*map[string]string)(v))
	case f.scalar == ofBytes:
		return appendKeys(keys, *(*map[string][]byte)(v))
	case f.scalar.size() == 1:
		return appendKeys(keys, *(*map[string]bool)(v))
	case f.scalar.size() == 4:
		return appendKeys(keys, *(*map[string]int32)(v))
	}
	return appendKeys(keys, *(*map[string]int64)(v))
}

func appendKeys[T any](keys []string, m map[string]T) []string {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}
