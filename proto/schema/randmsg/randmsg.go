// Package randmsg fills messages with random content that is valid in their JSON forms, for property tests of the schema
// engine.
package randmsg

import (
	"fmt"
	"math/rand/v2"

	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
	"github.com/keelson/keelson/proto/schema/shape"
)

// Fill sets about share (0 to 1) of a message's fields, to a depth, replacing what is there.
func Fill(r *rand.Rand, m protoreflect.Message, share float64, depth int) {
	switch shape.FormOf(m.Descriptor()) {
	case optionsv1.JSONForm_JSON_FORM_UNSPECIFIED:
	case optionsv1.JSONForm_JSON_FORM_TIME:
		m.Set(m.Descriptor().Fields().ByNumber(1), protoreflect.ValueOfInt64(1+r.Int64N(1<<31)))
		return
	case optionsv1.JSONForm_JSON_FORM_MICRO_TIME:
		m.Set(m.Descriptor().Fields().ByNumber(1), protoreflect.ValueOfInt64(1+r.Int64N(1<<31)))
		return
	case optionsv1.JSONForm_JSON_FORM_QUANTITY:
		m.Set(m.Descriptor().Fields().ByNumber(1), protoreflect.ValueOfString(fmt.Sprint(1+r.IntN(900), "Mi")))
		return
	case optionsv1.JSONForm_JSON_FORM_INT_OR_STRING:
		m.Set(m.Descriptor().Fields().ByNumber(2), protoreflect.ValueOfInt32(int32(1+r.IntN(100))))
		return
	case optionsv1.JSONForm_JSON_FORM_RAW:
		m.Set(m.Descriptor().Fields().ByNumber(1), protoreflect.ValueOfBytes([]byte(fmt.Sprintf(`{"a":%d}`, r.IntN(9)))))
		return
	default:
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		m.Clear(fd)
		if r.Float64() > share && fd.JSONName() != "name" || depth == 0 && valueMessage(fd) != nil {
			continue
		}
		field(r, m, fd, share, depth)
	}
}

func field(r *rand.Rand, m protoreflect.Message, fd protoreflect.FieldDescriptor, share float64, depth int) {
	switch {
	case fd.IsMap():
		mp := m.Mutable(fd).Map()
		for range 1 + r.IntN(3) {
			k := protoreflect.ValueOfString(fmt.Sprint("k", r.IntN(4))).MapKey()
			v := mp.NewValue()
			if fd.MapValue().Message() != nil {
				Fill(r, v.Message(), share, depth-1)
			} else {
				v = scalar(r, fd.MapValue())
			}
			mp.Set(k, v)
		}
	case fd.IsList():
		l := m.Mutable(fd).List()
		for range 1 + r.IntN(3) {
			if fd.Message() != nil {
				Fill(r, l.AppendMutable().Message(), share, depth-1)
			} else {
				l.Append(scalar(r, fd))
			}
		}
	case fd.Message() != nil:
		Fill(r, m.Mutable(fd).Message(), share, depth-1)
	default:
		m.Set(fd, scalar(r, fd))
	}
}

func valueMessage(fd protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if fd.IsMap() {
		return fd.MapValue().Message()
	}
	return fd.Message()
}

func scalar(r *rand.Rand, fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(string(rune('a' + r.IntN(5))))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(r.IntN(2) == 0)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(r.IntN(6)))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(r.IntN(6)))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{byte('a' + r.IntN(5))})
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(r.IntN(6)) + 0.5)
	}
	return fd.Default()
}
