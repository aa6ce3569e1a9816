package shape

import (
	"bytes"
	"unsafe"

	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
)

// Equal compares messages as Kubernetes sees them: an absent embedded message equals an empty one. (Generated comparison
// tells the two apart, and whether the wire has one depends on who encoded it.)
func Equal(a, b protoreflect.Message) bool { return Of(a.Descriptor()).Equal(a, b) }

// Equal is Equal for messages of this type.
func (m *Message) Equal(a, b protoreflect.Message) bool {
	return m.EqualPointers(PointerTo(a.Interface()), PointerTo(b.Interface()))
}

// EqualPointers is Equal for pointers to messages of this type.
func (m *Message) EqualPointers(a, b Pointer) bool {
	if a == b {
		return true
	}
	if m.isTime() {
		return timesEqual(m, a, b)
	}
	for _, f := range m.Fields {
		if !f.EqualIn(f.In(a), f.In(b)) {
			return false
		}
	}
	return true
}

// Equal compares the field of two messages, of which each is a Holder.
func (f *Field) Equal(a, b protoreflect.Message) bool {
	return f.EqualIn(PointerTo(a.Interface()), PointerTo(b.Interface()))
}

// EqualIn is Equal for pointers, which must be what In returns.
func (f *Field) EqualIn(a, b Pointer) bool {
	if a == b {
		return true
	}
	ha, hb := f.Has(a), f.Has(b)
	if !ha && !hb {
		return true
	}
	if f.access.how == ofMessage {
		return (ha == hb || f.embedded || f.Elem.isTime()) && f.Elem.EqualPointers(f.Message(a), f.Message(b))
	}
	if ha != hb {
		return false
	}
	x, y := unsafe.Add(a, f.access.offset), unsafe.Add(b, f.access.offset)
	switch f.access.how {
	case list:
		return f.listsEqual(x, y)
	case dict:
		return f.mapsEqual(x, y)
	case optional:
		return sameScalar(f.scalar, *(*unsafe.Pointer)(x), *(*unsafe.Pointer)(y))
	case optionalBytes:
		return sameScalar(ofBytes, x, y)
	}
	return sameScalar(f.access.how, x, y)
}

func sameScalar(h how, x, y unsafe.Pointer) bool {
	switch h {
	case ofBool:
		return *(*bool)(x) == *(*bool)(y)
	case ofInt32, ofUint32:
		return *(*uint32)(x) == *(*uint32)(y)
	case ofInt64, ofUint64:
		return *(*uint64)(x) == *(*uint64)(y)
	case ofFloat:
		a, b := *(*float32)(x), *(*float32)(y)
		return a == b || a != a && b != b //nolint:staticcheck // NaN equals NaN: nothing has changed
	case ofDouble:
		a, b := *(*float64)(x), *(*float64)(y)
		return a == b || a != a && b != b //nolint:staticcheck // as above
	case ofString:
		return *(*string)(x) == *(*string)(y)
	}
	return bytes.Equal(*(*[]byte)(x), *(*[]byte)(y))
}

func (f *Field) listsEqual(x, y unsafe.Pointer) bool {
	a, b := *(*sliceHeader)(x), *(*sliceHeader)(y)
	if a.len != b.len {
		return false
	}
	size := f.scalar.size()
	for i := range a.len {
		v, w := unsafe.Add(a.data, uintptr(i)*size), unsafe.Add(b.data, uintptr(i)*size)
		if f.Elem != nil {
			if !f.Elem.EqualPointers(*(*Pointer)(v), *(*Pointer)(w)) {
				return false
			}
		} else if !sameScalar(f.scalar, v, w) {
			return false
		}
	}
	return true
}

// size of a value in a slice.
func (h how) size() uintptr {
	switch h {
	case ofBool:
		return 1
	case ofInt32, ofUint32, ofFloat:
		return 4
	case ofString:
		return unsafe.Sizeof("")
	case ofBytes:
		return unsafe.Sizeof(sliceHeader{})
	}
	return 8
}

func (f *Field) mapsEqual(x, y unsafe.Pointer) bool {
	switch {
	case f.Elem != nil:
		return sameMap(*(*map[string]Pointer)(x), *(*map[string]Pointer)(y), f.Elem.EqualPointers)
	case f.scalar == ofString:
		return sameMap(*(*map[string]string)(x), *(*map[string]string)(y), func(a, b string) bool { return a == b })
	case f.scalar == ofBytes:
		return sameMap(*(*map[string][]byte)(x), *(*map[string][]byte)(y), bytes.Equal)
	case f.scalar.size() == 1:
		return sameMap(*(*map[string]bool)(x), *(*map[string]bool)(y), func(a, b bool) bool { return a == b })
	case f.scalar.size() == 4:
		return sameMap(*(*map[string]int32)(x), *(*map[string]int32)(y), func(a, b int32) bool { return a == b })
	}
	return sameMap(*(*map[string]int64)(x), *(*map[string]int64)(y), func(a, b int64) bool { return a == b })
}

func sameMap[T any](a, b map[string]T, same func(x, y T) bool) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || !same(v, w) {
			return false
		}
	}
	return true
}

// isTime tells whether the empty message is the zero time, which JSON writes as null: a client that encodes it and one
// that leaves it out mean the same.
func (m *Message) isTime() bool {
	return m.Form == optionsv1.JSONForm_JSON_FORM_TIME || m.Form == optionsv1.JSONForm_JSON_FORM_MICRO_TIME
}

// timesEqual compares times, whose nanoseconds may be left out where they are 0.
func timesEqual(m *Message, a, b Pointer) bool {
	seconds, nanos := m.Fields[0], m.Fields[1]
	return seconds.Has(a) == seconds.Has(b) && seconds.Int(a) == seconds.Int(b) && nanos.Int(a) == nanos.Int(b)
}
