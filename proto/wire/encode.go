package wire

import (
	"math/bits"
	"reflect"
	"slices"
	"sync"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Part is a message, or one that stands in a field of the message that is written.
type Part struct {
	Message proto.Message
	// Field is the number of the field that the message is in; 0 where it is the message itself.
	Field protowire.Number
}

// Marshal returns the encoding of a message: always the same bytes for the same message.
func Marshal(m proto.Message) ([]byte, error) { return MarshalParts(Part{Message: m}) }

// MarshalParts returns the encodings of several parts of one message, one after the other.
func MarshalParts(parts ...Part) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer e.release()
	for _, part := range slices.Backward(parts) {
		after := e.written()
		if err := e.root(part.Message); err != nil {
			return nil, err
		}
		if part.Field != 0 {
			e.length(after)
			e.uvarint(protowire.EncodeTag(part.Field, protowire.BytesType))
		}
	}
	return append(make([]byte, 0, e.written()), e.buf[e.at:]...), nil
}

// maxKept bounds the room that an idle encoder keeps.
const maxKept = 64 << 10

var encoders = sync.Pool{New: func() any { return &encoder{buf: make([]byte, 4096), at: 4096} }}

// encoder writes from the end to the beginning: what has been written is buf[at:]. The length of a message is known once
// it is written, and stands before it.
type encoder struct {
	buf []byte
	at  int
	// keys are those of the maps that are being written, one after the other.
	keys []string
}

func (e *encoder) release() {
	clear(e.keys[:cap(e.keys)])
	e.keys = e.keys[:0]
	if len(e.buf) <= maxKept {
		e.at = len(e.buf)
		encoders.Put(e)
	}
}

// room makes room for n bytes before what has been written.
func (e *encoder) room(n int) {
	if e.at >= n {
		return
	}
	written := e.written()
	buf := make([]byte, max(2*len(e.buf), written+n))
	copy(buf[len(buf)-written:], e.buf[e.at:])
	e.buf, e.at = buf, len(buf)-written
}

func (e *encoder) uvarint(v uint64) {
	e.room(10)
	if v < 0x80 {
		e.at--
		e.buf[e.at] = byte(v)
		return
	}
	n := (bits.Len64(v) + 6) / 7
	e.at -= n
	protowire.AppendVarint(e.buf[e.at:e.at:e.at+n], v)
}

func (e *encoder) raw(s string) {
	e.room(len(s))
	e.at -= len(s)
	copy(e.buf[e.at:], s)
}

// written is how many bytes have been written.
func (e *encoder) written() int { return len(e.buf) - e.at }

// length writes the length of all that has been written since there were so many bytes.
func (e *encoder) length(after int) { e.uvarint(uint64(e.written() - after)) }

func (e *encoder) root(m proto.Message) error {
	v := reflect.ValueOf(m)
	p := planOf(v.Type(), func() protoreflect.MessageDescriptor { return m.ProtoReflect().Descriptor() })
	if p == nil {
		b, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(m)
		e.raw(unsafe.String(unsafe.SliceData(b), len(b)))
		return err
	}
	return e.message(p, v.UnsafePointer())
}

func (e *encoder) message(p *plan, at unsafe.Pointer) error {
	if at == nil {
		return nil
	}
	if unknown := *(*[]byte)(unsafe.Add(at, p.unknown)); len(unknown) > 0 {
		e.raw(unsafe.String(unsafe.SliceData(unknown), len(unknown)))
	}
	for i := len(p.fields) - 1; i >= 0; i-- {
		f := p.fields[i]
		if err := e.field(f, unsafe.Add(at, f.offset)); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) field(f *field, at unsafe.Pointer) error {
	switch f.form {
	case dictionary:
		return e.dictionary(f, at)
	case repeated:
		return e.list(f, at)
	}
	switch f.value {
	case message:
		if *(*unsafe.Pointer)(at) == nil {
			return nil
		}
		return e.tagged(f.tag, f, at)
	case binary:
		b := *(*[]byte)(at)
		if len(b) == 0 && (b == nil || f.form == implicit) {
			return nil
		}
		return e.tagged(f.tag, f, at)
	}
	if f.form == optional {
		if at = *(*unsafe.Pointer)(at); at == nil {
			return nil
		}
		return e.tagged(f.tag, f, at)
	}
	set := false
	switch f.value {
	case boolean:
		set = *(*bool)(at)
	case word32:
		set = *(*uint32)(at) != 0
	case word64:
		set = *(*uint64)(at) != 0
	default:
		set = *(*string)(at) != ""
	}
	if !set {
		return nil
	}
	return e.tagged(f.tag, f, at)
}

// tagged writes a value with its tag.
func (e *encoder) tagged(tag uint64, f *field, at unsafe.Pointer) error {
	if err := e.value(f, at); err != nil {
		return err
	}
	e.uvarint(tag)
	return nil
}

// value writes the value at a place: with its length where it has one.
func (e *encoder) value(f *field, at unsafe.Pointer) error {
	switch f.value {
	case message:
		after := e.written()
		if err := e.message(f.elem, *(*unsafe.Pointer)(at)); err != nil {
			return err
		}
		e.length(after)
	case text:
		s := *(*string)(at)
		if !utf8.ValidString(s) {
			return ErrInvalidUTF8
		}
		e.raw(s)
		e.uvarint(uint64(len(s)))
	case binary:
		b := *(*[]byte)(at)
		e.raw(unsafe.String(unsafe.SliceData(b), len(b)))
		e.uvarint(uint64(len(b)))
	default:
		e.number(f, at)
	}
	return nil
}

func (e *encoder) number(f *field, at unsafe.Pointer) {
	var v uint64
	switch f.value {
	case boolean:
		if *(*bool)(at) {
			v = 1
		}
	case word32:
		v = uint64(*(*uint32)(at))
	default:
		v = *(*uint64)(at)
	}
	switch {
	case f.coding == varintSigned:
		v = uint64(int64(int32(v)))
	case f.coding == zigzag && f.value == word32:
		v = protowire.EncodeZigZag(int64(int32(v)))
	case f.coding == zigzag:
		v = protowire.EncodeZigZag(int64(v))
	case f.coding == fixed && f.value == word32:
		e.room(4)
		e.at -= 4
		protowire.AppendFixed32(e.buf[e.at:e.at:e.at+4], uint32(v))
		return
	case f.coding == fixed:
		e.room(8)
		e.at -= 8
		protowire.AppendFixed64(e.buf[e.at:e.at:e.at+8], v)
		return
	}
	e.uvarint(v)
}

// list writes the items of a list. Slices of all types are laid out alike.
func (e *encoder) list(f *field, at unsafe.Pointer) error {
	items := *(*[]struct{})(at)
	if len(items) == 0 {
		return nil
	}
	first, size := unsafe.Pointer(unsafe.SliceData(items)), f.value.size()
	after := e.written()
	for i := len(items) - 1; i >= 0; i-- {
		item := unsafe.Add(first, uintptr(i)*size)
		if f.packed {
			e.number(f, item)
		} else if err := e.tagged(f.tag, f, item); err != nil {
			return err
		}
	}
	if f.packed {
		e.length(after)
		e.uvarint(protowire.EncodeTag(f.number, protowire.BytesType))
	}
	return nil
}

// size of a value in a slice.
func (v value) size() uintptr {
	switch v {
	case boolean:
		return 1
	case word32:
		return 4
	case text:
		return unsafe.Sizeof("")
	case binary:
		return unsafe.Sizeof([]byte(nil))
	}
	return 8
}

func (e *encoder) dictionary(f *field, at unsafe.Pointer) error {
	switch f.value {
	case boolean:
		return entries(e, f, *(*map[string]bool)(at))
	case word32:
		return entries(e, f, *(*map[string]uint32)(at))
	case word64:
		return entries(e, f, *(*map[string]uint64)(at))
	case text:
		return entries(e, f, *(*map[string]string)(at))
	case binary:
		return entries(e, f, *(*map[string][]byte)(at))
	}
	return entries(e, f, *(*map[string]unsafe.Pointer)(at))
}

// entries writes a map in the order of its keys.
func entries[T any](e *encoder, f *field, m map[string]T) error {
	if len(m) == 0 {
		return nil
	}
	first := len(e.keys)
	for k := range m {
		e.keys = append(e.keys, k)
	}
	slices.Sort(e.keys[first:])
	var v T
	for i := len(e.keys) - 1; i >= first; i-- {
		k := e.keys[i]
		if !utf8.ValidString(k) {
			return ErrInvalidUTF8
		}
		after := e.written()
		v = m[k]
		if err := e.tagged(protowire.EncodeTag(valueNumber, f.wireType()), f, unsafe.Pointer(&v)); err != nil {
			return err
		}
		e.raw(k)
		e.uvarint(uint64(len(k)))
		e.uvarint(protowire.EncodeTag(keyNumber, protowire.BytesType))
		e.length(after)
		e.uvarint(f.tag)
	}
	e.keys = e.keys[:first]
	return nil
}
