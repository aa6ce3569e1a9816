package shape_test

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/keelson/keelson/proto/schema" // links all kinds
	"github.com/keelson/keelson/proto/schema/randmsg"
	"github.com/keelson/keelson/proto/schema/shape"
)

// every calls f with messages of all types of the API, some of them full.
func every(t *testing.T, f func(t *testing.T, m *shape.Message, a proto.Message, r *rand.Rand)) {
	t.Helper()
	n := 0
	protoregistry.GlobalTypes.RangeMessages(func(mt protoreflect.MessageType) bool {
		md := mt.Descriptor()
		if md.Oneofs().Len() > 0 && !md.Oneofs().Get(0).IsSynthetic() || md.ParentFile().Package().Parent().Parent() != "keelson" {
			return true
		}
		n++
		for seed := range uint64(8) {
			m := mt.New()
			r := rand.New(rand.NewPCG(seed, 7))
			randmsg.Fill(r, m, float64(seed)/10, 4)
			f(t, shape.Of(md), m.Interface(), r)
		}
		return true
	})
	if n < 300 {
		t.Fatalf("only %d types of messages are linked", n)
	}
}

func TestPointersSeeWhatReflectionSees(t *testing.T) {
	every(t, func(t *testing.T, m *shape.Message, msg proto.Message, _ *rand.Rand) {
		p := shape.PointerTo(msg)
		for _, f := range m.Fields {
			holder, in := f.Holder(msg.ProtoReflect()), f.In(p)
			if f.Has(in) != holder.Has(f.Desc) {
				t.Fatalf("%s: Has is %v", f.Desc.FullName(), f.Has(in))
			}
			v := holder.Get(f.Desc)
			switch {
			case f.Desc.IsMap():
				if f.Len(in) != v.Map().Len() {
					t.Fatalf("%s: %d entries", f.Desc.FullName(), f.Len(in))
				}
			case f.Desc.IsList():
				if f.Len(in) != v.List().Len() {
					t.Fatalf("%s: %d items", f.Desc.FullName(), f.Len(in))
				}
				if f.Elem != nil {
					for i, item := range f.Messages(in) {
						if f.Elem.Interface(item) != v.List().Get(i).Message().Interface() {
							t.Fatalf("%s: another item %d", f.Desc.FullName(), i)
						}
					}
				}
			case f.Elem != nil:
				if f.Has(in) && f.Elem.Interface(f.Message(in)) != v.Message().Interface() {
					t.Fatalf("%s: another message", f.Desc.FullName())
				}
			case f.Desc.Kind() == protoreflect.StringKind:
				if f.Text(in) != v.String() {
					t.Fatalf("%s: %q", f.Desc.FullName(), f.Text(in))
				}
			case f.Desc.Kind() == protoreflect.BoolKind:
				if f.Bool(in) != v.Bool() {
					t.Fatalf("%s: %v", f.Desc.FullName(), f.Bool(in))
				}
			case f.Desc.Kind() == protoreflect.Int32Kind, f.Desc.Kind() == protoreflect.Int64Kind:
				if f.Int(in) != v.Int() {
					t.Fatalf("%s: %d", f.Desc.FullName(), f.Int(in))
				}
			}
		}
	})
}

func TestReflectionSeesWhatPointersWrite(t *testing.T) {
	every(t, func(t *testing.T, m *shape.Message, msg proto.Message, _ *rand.Rand) {
		p := m.New()
		fields := msg.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			f := shape.Direct(fields.Get(i))
			v := msg.ProtoReflect().Get(f.Desc)
			if !msg.ProtoReflect().Has(f.Desc) {
				continue
			}
			switch form := f.Form(); form {
			case shape.Text:
				f.SetText(p, v.String())
			case shape.Varint:
				n := protowire.EncodeBool(true)
				if f.Desc.Kind() != protoreflect.BoolKind {
					n = uint64(v.Int())
				} else if !v.Bool() {
					n = 0
				}
				f.SetVarint(p, n)
			case shape.One:
				f.SetMessage(p, shape.PointerTo(v.Message().Interface()))
			case shape.Texts, shape.Many:
				f.Truncate(p)
				for j := range v.List().Len() {
					if form == shape.Texts {
						f.AppendText(p, v.List().Get(j).String())
					} else {
						f.AppendMessage(p, shape.PointerTo(v.List().Get(j).Message().Interface()))
					}
				}
			default:
				m.Interface(p).ProtoReflect().Set(f.Desc, v)
			}
			if got := m.Interface(p).ProtoReflect().Get(f.Desc); !got.Equal(v) {
				t.Fatalf("%s: %v, want %v", f.Desc.FullName(), got, v)
			}
		}
		if !proto.Equal(m.Interface(p), msg) {
			t.Fatalf("%v, want %v", m.Interface(p), msg)
		}
		for i := range fields.Len() {
			f := shape.Direct(fields.Get(i))
			if form := f.Form(); form == shape.Texts || form == shape.Many {
				f.Truncate(p)
			} else {
				f.Clear(p)
			}
		}
		if !m.Empty(p) {
			t.Fatalf("%v is left of %v", m.Interface(p), msg)
		}
	})
}

// Equal is as strict as generated comparison wherever Kubernetes knows no other form of the same.
func TestEqualTellsMessagesApart(t *testing.T) {
	every(t, func(t *testing.T, m *shape.Message, a proto.Message, r *rand.Rand) {
		b := proto.Clone(a)
		if !m.EqualPointers(shape.PointerTo(a), shape.PointerTo(b)) {
			t.Fatalf("%s does not equal its copy", m.Desc.FullName())
		}
		other := a.ProtoReflect().New().Interface()
		randmsg.Fill(r, other.ProtoReflect(), 0.4, 4)
		proto.Merge(b, other)
		x, y := canonical(t, a), canonical(t, b)
		if got := m.EqualPointers(shape.PointerTo(a), shape.PointerTo(b)); got != proto.Equal(x, y) {
			t.Fatalf("%s: equal is %v for\n%v\n%v", m.Desc.FullName(), got, a, b)
		}
	})
}

// canonical removes the differences that Kubernetes does not know: absent embedded messages are there, and times have
// nanoseconds or are not there.
func canonical(t *testing.T, m proto.Message) proto.Message {
	t.Helper()
	m = proto.Clone(m)
	canonicalIn(m.ProtoReflect())
	return m
}

func canonicalIn(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Message() == nil || !m.Has(fd) {
			continue
		}
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() != nil {
				m.Get(fd).Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
					canonicalIn(v.Message())
					return true
				})
			}
		case fd.IsList():
			for j := range m.Get(fd).List().Len() {
				canonicalIn(m.Get(fd).List().Get(j).Message())
			}
		default:
			v := m.Get(fd).Message()
			canonicalIn(v)
			none := proto.Equal(v.Interface(), v.New().Interface())
			embedded := shape.Embedded(fd, shape.OptionsOf(fd))
			if none && (embedded || nanosOf(v) != nil) {
				m.Clear(fd)
			}
		}
	}
	if nanos := nanosOf(m); nanos != nil && m.Get(nanos).Int() == 0 {
		m.Clear(nanos)
	}
}

func nanosOf(m protoreflect.Message) protoreflect.FieldDescriptor {
	if name := m.Descriptor().Name(); name == "Time" || name == "MicroTime" {
		return m.Descriptor().Fields().ByName("nanos")
	}
	return nil
}
