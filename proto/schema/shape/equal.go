package shape

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
)

// Equal compares messages as Kubernetes sees them: an absent embedded message equals an empty one. (Generated comparison
// tells the two apart, and whether the wire has one depends on who encoded it.)
func Equal(a, b protoreflect.Message) bool { return Of(a.Descriptor()).Equal(a, b) }

// Equal is Equal for messages of this type.
func (m *Message) Equal(a, b protoreflect.Message) bool {
	if a.Interface() == b.Interface() {
		return true
	}
	switch m.Form {
	case optionsv1.JSONForm_JSON_FORM_UNSPECIFIED:
	case optionsv1.JSONForm_JSON_FORM_TIME, optionsv1.JSONForm_JSON_FORM_MICRO_TIME:
		return timesEqual(a, b)
	default:
		return rawEqual(a, b)
	}
	for _, f := range m.Fields {
		if !f.Equal(f.Holder(a), f.Holder(b)) {
			return false
		}
	}
	return true
}

// Equal compares the field of two messages, of which each is a Holder.
func (f *Field) Equal(a, b protoreflect.Message) bool {
	fd := f.Desc
	ha, hb := a.Has(fd), b.Has(fd)
	if !ha && !hb {
		return true
	}
	switch {
	case fd.IsMap():
		ma, mb := a.Get(fd).Map(), b.Get(fd).Map()
		if ma.Len() != mb.Len() {
			return false
		}
		same := true
		ma.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			o := mb.Get(k)
			same = o.IsValid() && f.valueEqual(v, o)
			return same
		})
		return same
	case fd.IsList():
		la, lb := a.Get(fd).List(), b.Get(fd).List()
		if la.Len() != lb.Len() {
			return false
		}
		for i := range la.Len() {
			if !f.valueEqual(la.Get(i), lb.Get(i)) {
				return false
			}
		}
		return true
	case f.Elem != nil:
		return (ha == hb || f.Embedded() || f.Elem.isTime()) && Equal(a.Get(fd).Message(), b.Get(fd).Message())
	}
	return ha == hb && a.Get(fd).Equal(b.Get(fd))
}

// isTime tells whether the empty message is the zero time, which JSON writes as null: a client that encodes it and one
// that leaves it out mean the same.
func (m *Message) isTime() bool {
	return m.Form == optionsv1.JSONForm_JSON_FORM_TIME || m.Form == optionsv1.JSONForm_JSON_FORM_MICRO_TIME
}

func (f *Field) valueEqual(a, b protoreflect.Value) bool {
	if f.Elem != nil {
		return f.Elem.Equal(a.Message(), b.Message())
	}
	return a.Equal(b)
}

// timesEqual compares times, whose nanoseconds may be left out where they are 0.
func timesEqual(a, b protoreflect.Message) bool {
	fields := a.Descriptor().Fields()
	seconds, nanos := fields.ByNumber(1), fields.ByNumber(2)
	return a.Has(seconds) == b.Has(seconds) && a.Get(seconds).Int() == b.Get(seconds).Int() && a.Get(nanos).Int() == b.Get(nanos).Int()
}

func rawEqual(a, b protoreflect.Message) bool {
	return protoreflect.ValueOfMessage(a).Equal(protoreflect.ValueOfMessage(b)) || empty(a) && empty(b)
}

func empty(m protoreflect.Message) bool {
	out := true
	m.Range(func(protoreflect.FieldDescriptor, protoreflect.Value) bool {
		out = false
		return false
	})
	return out
}
