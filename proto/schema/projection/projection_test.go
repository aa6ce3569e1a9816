package projection

import (
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/randmsg"
	"github.com/keelson/keelson/proto/schema/shape"
)

// reduce does to a message by reflection what a view shows of it.
func reduce(m protoreflect.Message, p *Projection) {
	m.SetUnknown(nil)
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if int(fd.Number()) >= len(p.fields) || p.fields[fd.Number()] == nil {
			m.Clear(fd)
			return true
		}
		switch f := p.fields[fd.Number()]; {
		case f.whole && fd.Message() != nil && !fd.IsMap():
			known(v, fd)
		case f.whole:
		case f.keys:
			v.Map().Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
				v.Map().Set(k, v.Map().NewValue())
				return true
			})
		case fd.IsList():
			for i := range v.List().Len() {
				reduce(v.List().Get(i).Message(), f.sub)
			}
		default:
			reduce(v.Message(), f.sub)
		}
		return true
	})
}

// known drops what the types do not know.
func known(v protoreflect.Value, fd protoreflect.FieldDescriptor) {
	each := func(m protoreflect.Message) {
		m.SetUnknown(nil)
		m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			if fd.Message() != nil && !fd.IsMap() {
				known(v, fd)
			}
			return true
		})
	}
	if !fd.IsList() {
		each(v.Message())
		return
	}
	for i := range v.List().Len() {
		each(v.List().Get(i).Message())
	}
}

// somePaths names fields of a message at random.
func somePaths(r *rand.Rand, md protoreflect.MessageDescriptor) []string {
	var paths []string
	for range 1 + r.IntN(6) {
		var names []string
		m := md
		isMap := false
		for m != nil && !isMap && len(names) < 5 {
			fields := shape.Of(m).Fields
			if len(fields) == 0 {
				break
			}
			f := fields[r.IntN(len(fields))]
			names, m, isMap = append(names, f.Name), f.Desc.Message(), f.Desc.IsMap()
			if r.IntN(3) == 0 {
				break
			}
		}
		path := strings.Join(names, ".")
		if m != nil && r.IntN(3) == 0 {
			path += "."
		}
		paths = append(paths, path)
	}
	return paths
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// compare checks a view of bytes that are a valid message.
func compare(t *testing.T, p *Projection, wire []byte, whole proto.Message) {
	t.Helper()
	want := proto.Clone(whole)
	reduce(want.ProtoReflect(), p)
	err := p.View(wire, func(got proto.Message) {
		if !proto.Equal(want, got) {
			t.Fatalf("got\n%v\nwant\n%v", got, want)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Of every kind, whatever is named: also where messages come in several pieces.
func TestPartEqualsPartOfTheWhole(t *testing.T) {
	for _, k := range schema.Builtin().Kinds() {
		for seed := range uint64(8) {
			r := rand.New(rand.NewPCG(seed, 3))
			paths := somePaths(r, k.Descriptor)
			p, err := Of(k.Descriptor, paths...)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(k.Kind, paths)
			for n := range 4 { // one after the other, of which the last is mostly empty
				var wire []byte
				for range 1 + r.IntN(3) {
					piece := k.New()
					randmsg.Fill(r, piece.ProtoReflect(), float64(4-n)/5, 6)
					wire = append(wire, marshal(t, piece)...)
				}
				whole := k.New()
				if err := proto.Unmarshal(wire, whole); err != nil {
					t.Fatal(err)
				}
				compare(t, p, wire, whole)
			}
		}
	}
}

func TestEmptyMessagesStay(t *testing.T) {
	pod := &corev1.Pod{Spec: &corev1.PodSpec{Containers: []*corev1.Container{{Image: "a"}, {}}}, Status: &corev1.PodStatus{}}
	p, err := Of(pod.ProtoReflect().Descriptor(), "spec.containers.", "status.phase")
	if err != nil {
		t.Fatal(err)
	}
	want := &corev1.Pod{Spec: &corev1.PodSpec{Containers: []*corev1.Container{{}, {}}}, Status: &corev1.PodStatus{}}
	err = p.View(marshal(t, pod), func(got proto.Message) {
		if !proto.Equal(want, got) {
			t.Errorf("got %v", got)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// Strings that the decoder would refuse are refused where they are asked for.
func TestInvalidText(t *testing.T) {
	p, err := Of((*corev1.Pod)(nil).ProtoReflect().Descriptor(), "spec.nodeName")
	if err != nil {
		t.Fatal(err)
	}
	wire := marshal(t, &corev1.Pod{Spec: &corev1.PodSpec{NodeName: "node"}})
	wire[len(wire)-1] = 0xff
	if err := p.View(wire, func(proto.Message) { t.Error("shown") }); err == nil {
		t.Error("no error")
	}
}

func TestUnknownPaths(t *testing.T) {
	md := (*corev1.Pod)(nil).ProtoReflect().Descriptor()
	for _, path := range []string{"", ".", "spec..", "spec.image", "metadata.name.", "metadata.name.x", "metadata.labels.key", "spec.nodeName.key"} {
		if _, err := Of(md, path); err == nil {
			t.Errorf("%q is a path", path)
		}
	}
}

var podPaths = []string{"metadata.name", "metadata.labels", "metadata.annotations.", "spec.containers.name", "spec.containers.ports",
	"spec.volumes.secret.secretName", "status.conditions.type", "status.startTime"}

// What is valid for the generated decoder is so for a view, and comes to the same.
func FuzzView(f *testing.F) {
	md := (*corev1.Pod)(nil).ProtoReflect().Descriptor()
	p, err := Of(md, podPaths...)
	if err != nil {
		f.Fatal(err)
	}
	for seed := range uint64(4) {
		pod := &corev1.Pod{}
		randmsg.Fill(rand.New(rand.NewPCG(seed, 1)), pod.ProtoReflect(), 0.4, 5)
		f.Add(marshal(f, pod))
	}
	f.Add([]byte{1<<3 | 2, 0x80, 0x00})          // a length in more bytes than it needs
	f.Add([]byte{2<<3 | 3, 1 << 3, 1, 2<<3 | 4}) // a group in the place of a message
	f.Add(protowire.AppendVarint([]byte{2<<3 | 2}, 1<<62))
	f.Fuzz(func(t *testing.T, wire []byte) {
		whole := &corev1.Pod{}
		if err := proto.Unmarshal(wire, whole); err == nil {
			compare(t, p, wire, whole)
			return
		}
		_ = p.View(wire, func(m proto.Message) { marshal(t, m) })
	})
}
