package wire

import (
	"reflect"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxDepth is how deep messages may be nested.
const maxDepth = 10000

// Unmarshal adds what b holds to a message, which is usually a new one: singular fields are replaced, messages merged and
// lists appended to. Nothing of b is kept. After an error the message may have been filled in part.
func Unmarshal(b []byte, m proto.Message) error { return unmarshal(string(b), b, m) }

// UnmarshalImmutable is Unmarshal for bytes that nobody ever changes: the message's strings are parts of them, and so
// keep all of them alive.
func UnmarshalImmutable(b []byte, m proto.Message) error {
	return unmarshal(unsafe.String(unsafe.SliceData(b), len(b)), b, m)
}

func unmarshal(s string, b []byte, m proto.Message) error {
	v := reflect.ValueOf(m)
	p := planOf(v.Type(), func() protoreflect.MessageDescriptor { return m.ProtoReflect().Descriptor() })
	if p == nil {
		return proto.UnmarshalOptions{Merge: true, AllowPartial: true}.Unmarshal(b, m)
	}
	return p.unmarshal(s, v.UnsafePointer(), maxDepth)
}

// bytesOf looks at a string as bytes, which must not be written to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// uvarint reads a varint; n is 0 where there is none.
func uvarint(s string) (v uint64, n int) {
	if len(s) > 0 && s[0] < 0x80 {
		return uint64(s[0]), 1
	}
	if len(s) > 1 && s[1] < 0x80 {
		return uint64(s[0]&0x7f) | uint64(s[1])<<7, 2
	}
	v, n = protowire.ConsumeVarint(bytesOf(s))
	return v, max(n, 0)
}

// run reads a length and as many bytes; n is 0 where they are not there.
func run(s string) (content string, n int) {
	l, n := uvarint(s)
	if n == 0 || l > uint64(len(s)-n) {
		return "", 0
	}
	return s[n : n+int(l)], n + int(l)
}

func (p *plan) unmarshal(s string, at unsafe.Pointer, depth int) error {
	if depth == 0 {
		return ErrTooDeep
	}
	for len(s) > 0 {
		tag, n := uvarint(s)
		number := tag >> 3
		if n == 0 || number < uint64(protowire.MinValidNumber) || number > uint64(protowire.MaxValidNumber) {
			return ErrInvalid
		}
		f := p.field(protowire.Number(number))
		taken := 0
		var err error
		switch {
		case f == nil:
		case tag == f.tag:
			if taken, err = f.read(s[n:], unsafe.Add(at, f.offset), depth); taken == 0 && err == nil {
				err = ErrInvalid
			}
		case f.form == repeated && f.coding != delimited && protowire.Type(tag&7) == protowire.BytesType:
			if taken, err = f.readPacked(s[n:], unsafe.Add(at, f.offset)); taken == 0 && err == nil {
				err = ErrInvalid
			}
		}
		if err != nil {
			return err
		}
		if taken == 0 {
			taken = protowire.ConsumeFieldValue(protowire.Number(number), protowire.Type(tag&7), bytesOf(s[n:]))
			if taken < 0 {
				return ErrInvalid
			}
			unknown := (*[]byte)(unsafe.Add(at, p.unknown))
			*unknown = append(protowire.AppendVarint(*unknown, tag), s[n:n+taken]...)
		}
		s = s[n+taken:]
	}
	return nil
}

// read reads one value after its tag to its place; n is 0 where it is not whole.
func (f *field) read(s string, at unsafe.Pointer, depth int) (n int, err error) {
	if f.coding != delimited {
		v, n := f.number64(s)
		if n > 0 {
			f.keepNumber(v, at)
		}
		return n, nil
	}
	if f.form == repeated && f.value == message {
		return f.readMessages(s, at, depth)
	}
	content, n := run(s)
	if n == 0 {
		return 0, nil
	}
	switch {
	case f.form == dictionary:
		err = f.readEntry(content, at, depth)
	case f.value == message:
		err = f.readMessage(content, at, depth)
	case f.value == text:
		err = f.keepText(content, s[n:], at)
	default:
		f.keepBytes(content, at)
	}
	return n, err
}

// number64 reads a number that is not length-delimited.
func (f *field) number64(s string) (v uint64, n int) {
	switch {
	case f.coding != fixed:
		v, n = uvarint(s)
		if f.coding == zigzag {
			if f.value == word32 {
				v &= 0xffffffff
			}
			v = uint64(protowire.DecodeZigZag(v))
		}
		return v, n
	case f.value == word32:
		w, n := protowire.ConsumeFixed32(bytesOf(s))
		return uint64(w), max(n, 0)
	}
	v, n = protowire.ConsumeFixed64(bytesOf(s))
	return v, max(n, 0)
}

func (f *field) keepNumber(v uint64, at unsafe.Pointer) {
	switch f.form {
	case implicit:
		switch f.value {
		case boolean:
			*(*bool)(at) = v != 0
		case word32:
			*(*uint32)(at) = uint32(v)
		default:
			*(*uint64)(at) = v
		}
	case optional:
		switch f.value {
		case boolean:
			b := v != 0
			*(**bool)(at) = &b
		case word32:
			w := uint32(v)
			*(**uint32)(at) = &w
		default:
			w := v
			*(**uint64)(at) = &w
		}
	default:
		switch f.value {
		case boolean:
			*(*[]bool)(at) = append(*(*[]bool)(at), v != 0)
		case word32:
			*(*[]uint32)(at) = append(*(*[]uint32)(at), uint32(v))
		default:
			*(*[]uint64)(at) = append(*(*[]uint64)(at), v)
		}
	}
}

func (f *field) readPacked(s string, at unsafe.Pointer) (n int, err error) {
	content, n := run(s)
	if n == 0 {
		return 0, nil
	}
	for len(content) > 0 {
		v, taken := f.number64(content)
		if taken == 0 {
			return 0, ErrInvalid
		}
		f.keepNumber(v, at)
		content = content[taken:]
	}
	return n, nil
}

func (f *field) keepText(content, after string, at unsafe.Pointer) error {
	if !utf8.ValidString(content) {
		return ErrInvalidUTF8
	}
	switch f.form {
	case implicit:
		*(*string)(at) = content
	case optional:
		t := content
		*(**string)(at) = &t
	default:
		list := (*[]string)(at)
		if *list == nil {
			*list = make([]string, 0, 1+f.following(after))
		}
		*list = append(*list, content)
	}
	return nil
}

// keepBytes copies: who has a message may write to its bytes.
func (f *field) keepBytes(content string, at unsafe.Pointer) {
	if f.form == repeated {
		*(*[][]byte)(at) = append(*(*[][]byte)(at), append([]byte{}, content...))
		return
	}
	b := append([]byte(nil), content...)
	if b == nil && f.form == optional {
		b = []byte{}
	}
	*(*[]byte)(at) = b
}

// following counts the values of the same field that come next, so that a list is made at once.
func (f *field) following(s string) int {
	for count := 0; ; count++ {
		tag, n := uvarint(s)
		if n == 0 || tag != f.tag {
			return count
		}
		_, taken := run(s[n:])
		if taken == 0 {
			return count
		}
		s = s[n+taken:]
	}
}

func (f *field) readMessage(content string, at unsafe.Pointer, depth int) error {
	m := (*unsafe.Pointer)(at)
	if *m == nil {
		*m = reflect.New(f.elem.goType).UnsafePointer()
	}
	return f.elem.unmarshal(content, *m, depth-1)
}

// readMessages reads an item of a list and all items that come next, whose structs are made in one piece. n is what was
// read, without the first tag.
func (f *field) readMessages(s string, at unsafe.Pointer, depth int) (n int, err error) {
	content, n := run(s)
	if n == 0 {
		return 0, nil
	}
	items := f.extend((*[]unsafe.Pointer)(at), 1+f.following(s[n:]))
	for i, item := range items {
		if i > 0 {
			_, tag := uvarint(s[n:])
			next, taken := run(s[n+tag:])
			content, n = next, n+tag+taken
		}
		if err := f.elem.unmarshal(content, item, depth-1); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// extend appends n new items to a list and returns them.
func (f *field) extend(list *[]unsafe.Pointer, n int) []unsafe.Pointer {
	old := len(*list)
	all := make([]unsafe.Pointer, old+n)
	copy(all, *list)
	*list = all
	if n == 1 {
		all[old] = reflect.New(f.elem.goType).UnsafePointer()
		return all[old:]
	}
	first, size := reflect.MakeSlice(f.elem.sliceType, n, n).UnsafePointer(), f.elem.goType.Size()
	for i := range n {
		all[old+i] = unsafe.Add(first, uintptr(i)*size)
	}
	return all[old:]
}

// Field numbers of a map's entry.
const (
	keyNumber   = 1
	valueNumber = 2
)

// readEntry reads an entry of a map. Of several keys or scalars in one entry the last counts, messages are merged.
func (f *field) readEntry(s string, at unsafe.Pointer, depth int) error {
	var e entry
	if f.value == message {
		e.message = reflect.New(f.elem.goType).UnsafePointer()
	}
	for len(s) > 0 {
		tag, n := uvarint(s)
		number := tag >> 3
		if n == 0 || number < uint64(protowire.MinValidNumber) || number > uint64(protowire.MaxValidNumber) {
			return ErrInvalid
		}
		typ, taken := protowire.Type(tag&7), 0
		switch {
		case number == keyNumber && typ == protowire.BytesType:
			if e.key, taken = run(s[n:]); taken == 0 {
				return ErrInvalid
			}
			if !utf8.ValidString(e.key) {
				return ErrInvalidUTF8
			}
		case number == valueNumber && typ == f.wireType():
			var err error
			if taken, err = f.readValue(s[n:], &e, depth); err != nil {
				return err
			}
			if taken == 0 {
				return ErrInvalid
			}
		default:
			if taken = protowire.ConsumeFieldValue(protowire.Number(number), typ, bytesOf(s[n:])); taken < 0 {
				return ErrInvalid
			}
		}
		s = s[n+taken:]
	}
	f.put(&e, at)
	return nil
}

// entry is an entry of a map; its value is that of the map's type.
type entry struct {
	key     string
	number  uint64
	text    string
	message unsafe.Pointer
}

func (f *field) readValue(s string, e *entry, depth int) (n int, err error) {
	if f.coding != delimited {
		e.number, n = f.number64(s)
		return n, nil
	}
	content, n := run(s)
	if n == 0 {
		return 0, nil
	}
	switch f.value {
	case message:
		return n, f.elem.unmarshal(content, e.message, depth-1)
	case text:
		if !utf8.ValidString(content) {
			return 0, ErrInvalidUTF8
		}
	}
	e.text = content
	return n, nil
}

func (f *field) put(e *entry, at unsafe.Pointer) {
	switch f.value {
	case boolean:
		putIn((*map[string]bool)(at), e.key, e.number != 0)
	case word32:
		putIn((*map[string]uint32)(at), e.key, uint32(e.number))
	case word64:
		putIn((*map[string]uint64)(at), e.key, e.number)
	case text:
		putIn((*map[string]string)(at), e.key, e.text)
	case binary:
		putIn((*map[string][]byte)(at), e.key, append([]byte{}, e.text...))
	default:
		if m := (*map[string]unsafe.Pointer)(at); *m == nil {
			// Of the field's own type; all maps with pointers for values are laid out alike.
			reflect.NewAt(f.mapType, at).Elem().Set(reflect.MakeMap(f.mapType))
		}
		(*(*map[string]unsafe.Pointer)(at))[e.key] = e.message
	}
}

func putIn[T any](m *map[string]T, key string, v T) {
	if *m == nil {
		*m = map[string]T{}
	}
	(*m)[key] = v
}
