package shape

import (
	"reflect"
	"unsafe"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Form is how a field is written through a pointer.
type Form uint8

const (
	// Other fields cannot be written through a pointer: maps, bytes, lists of numbers, and numbers that are not signed varints.
	Other Form = iota
	// Varint fields are singular bools and signed numbers.
	Varint
	// Text fields are singular strings, Texts lists of them.
	Text
	Texts
	// One and Many fields are a sub-message and a list of them.
	One
	Many
)

// Form returns how the field is written.
func (f *Field) Form() Form {
	switch f.access.how {
	case ofMessage:
		return One
	case list:
		if f.Elem != nil {
			return Many
		}
		if f.scalar == ofString {
			return Texts
		}
	case ofString, ofBool, ofInt32, ofInt64, optional:
		switch f.Desc.Kind() {
		case protoreflect.StringKind:
			return Text
		case protoreflect.BoolKind, protoreflect.Int32Kind, protoreflect.Int64Kind:
			return Varint
		}
	}
	return Other
}

// New returns a pointer to an empty message of the type.
func (m *Message) New() Pointer { return reflect.New(m.goType).UnsafePointer() }

func put[T any](p Pointer, offset uintptr, v T) { *(*T)(unsafe.Add(p, offset)) = v }

// SetVarint sets a field of the form Varint as it is encoded.
func (f *Field) SetVarint(p Pointer, v uint64) {
	switch f.scalar {
	case ofBool:
		set(f, p, v != 0)
	case ofInt32:
		set(f, p, int32(v))
	case ofInt64:
		set(f, p, int64(v))
	}
}

// SetText sets a field of the form Text.
func (f *Field) SetText(p Pointer, s string) { set(f, p, s) }

func set[T any](f *Field, p Pointer, v T) {
	if f.access.how == optional {
		own := v // v itself need not be on the heap
		put(p, f.access.offset, &own)
		return
	}
	put(p, f.access.offset, v)
}

// AppendText adds to a field of the form Texts.
func (f *Field) AppendText(p Pointer, s string) {
	put(p, f.access.offset, append(at[[]string](p, f.access.offset), s))
}

// SetMessage sets a field of the form One.
func (f *Field) SetMessage(p, sub Pointer) { put(p, f.access.offset, sub) }

// AppendMessage adds to a field of the form Many.
func (f *Field) AppendMessage(p, sub Pointer) {
	put(p, f.access.offset, append(at[[]Pointer](p, f.access.offset), sub))
}

// Clear unsets the field.
func (f *Field) Clear(p Pointer) {
	switch f.access.how {
	case ofBool:
		put(p, f.access.offset, false)
	case ofInt32, ofUint32, ofFloat:
		put(p, f.access.offset, uint32(0))
	case ofInt64, ofUint64, ofDouble:
		put(p, f.access.offset, uint64(0))
	case ofString:
		put(p, f.access.offset, "")
	case ofBytes, optionalBytes, list:
		put(p, f.access.offset, []Pointer(nil)) // whatever its items are
	case ofMessage, optional, dict:
		put(p, f.access.offset, Pointer(nil))
	default:
		panic("shape: " + string(f.Desc.FullName()) + " has no Go type")
	}
}

// Truncate unsets a field of the form Texts or Many and keeps the memory of the list for other items.
func (f *Field) Truncate(p Pointer) {
	if f.Elem != nil {
		put(p, f.access.offset, at[[]Pointer](p, f.access.offset)[:0])
		return
	}
	s := at[[]string](p, f.access.offset)
	clear(s)
	put(p, f.access.offset, s[:0])
}
