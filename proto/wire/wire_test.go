package wire_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	_ "github.com/keelson/keelson/proto/schema" // links all kinds
	"github.com/keelson/keelson/proto/schema/randmsg"
	"github.com/keelson/keelson/proto/wire"
)

// every calls f with messages of all our types, some of them full.
func every(t *testing.T, f func(t *testing.T, m proto.Message, r *rand.Rand)) {
	t.Helper()
	n := 0
	protoregistry.GlobalTypes.RangeMessages(func(mt protoreflect.MessageType) bool {
		if !strings.HasPrefix(string(mt.Descriptor().FullName()), "keelson.") {
			return true
		}
		n++
		for seed := range uint64(4) {
			m := mt.New()
			r := rand.New(rand.NewPCG(seed, 11))
			randmsg.Fill(r, m, float64(seed)/6, 3)
			f(t, m.Interface(), r)
		}
		return true
	})
	if n < 300 {
		t.Fatalf("only %d types of messages are linked", n)
	}
}

func standard(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMarshalGivesTheBytesOfTheStandard(t *testing.T) {
	every(t, func(t *testing.T, m proto.Message, _ *rand.Rand) {
		want := standard(t, m)
		got, err := wire.Marshal(m)
		if err != nil {
			t.Fatalf("%s: %v", m.ProtoReflect().Descriptor().FullName(), err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%s:\ngot  %x\nwant %x", m.ProtoReflect().Descriptor().FullName(), got, want)
		}
	})
}

// agree holds Unmarshal against the standard's.
func agree(t *testing.T, mt protoreflect.MessageType, b []byte) {
	t.Helper()
	want := mt.New().Interface()
	wantErr := proto.Unmarshal(b, want)
	for name, unmarshal := range map[string]func([]byte, proto.Message) error{"copying": wire.Unmarshal, "immutable": wire.UnmarshalImmutable} {
		got := mt.New().Interface()
		err := unmarshal(b, got)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%s of %s: error is %v, want %v\n%x", name, mt.Descriptor().FullName(), err, wantErr, b)
		}
		if err != nil {
			continue
		}
		if !proto.Equal(got, want) {
			t.Fatalf("%s of %s:\ngot  %v\nwant %v\n%x", name, mt.Descriptor().FullName(), got, want, b)
		}
		again, err := wire.Marshal(got)
		if err != nil || !bytes.Equal(again, standard(t, want)) {
			t.Fatalf("%s of %s: written again it is %x (%v)", name, mt.Descriptor().FullName(), again, err)
		}
	}
}

func TestUnmarshalAgreesWithTheStandard(t *testing.T) {
	every(t, func(t *testing.T, m proto.Message, r *rand.Rand) {
		mt := m.ProtoReflect().Type()
		b := standard(t, m)
		agree(t, mt, b)
		// Two of them: fields come again, lists go on, messages merge.
		other := mt.New()
		randmsg.Fill(r, other, 0.3, 3)
		both := append(bytes.Clone(b), standard(t, other.Interface())...)
		agree(t, mt, both)
		if len(both) == 0 {
			return
		}
		// Damaged.
		agree(t, mt, both[:r.IntN(len(both))])
		for range 2 {
			damaged := bytes.Clone(both)
			damaged[r.IntN(len(damaged))] ^= byte(1 << r.IntN(8))
			agree(t, mt, damaged)
		}
	})
}

// Unmarshal adds to what is there; what others hold of it is not touched.
func TestUnmarshalAddsToAMessage(t *testing.T) {
	containers := func(names ...string) *corev1.PodSpec {
		s := &corev1.PodSpec{NodeSelector: map[string]string{}}
		for _, n := range names {
			s.Containers = append(s.Containers, &corev1.Container{Name: n})
			s.NodeSelector[n] = "x"
		}
		return s
	}
	into := containers("a", "b", "c")
	all := into.Containers
	into.Containers = into.Containers[:1] // there is room behind, which is somebody else's
	if err := wire.Unmarshal(standard(t, containers("d", "e")), into); err != nil {
		t.Fatal(err)
	}
	if want := containers("a", "d", "e"); !proto.Equal(into.Containers[1], want.Containers[1]) || len(into.Containers) != 3 || len(into.NodeSelector) != 5 {
		t.Errorf("got %v", into)
	}
	if all[1].Name != "b" || all[2].Name != "c" {
		t.Errorf("others' items are now %v", all)
	}
}

func TestWhatIsUnmarshalledIsItsOwn(t *testing.T) {
	b := standard(t, &corev1.ConfigMap{Data: map[string]string{"key": "text"}, BinaryData: map[string][]byte{"key": []byte("bytes")}})
	m := &corev1.ConfigMap{}
	if err := wire.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	clear(b)
	if m.Data["key"] != "text" || string(m.BinaryData["key"]) != "bytes" {
		t.Errorf("got %v", m)
	}
}

func TestParts(t *testing.T) {
	meta := &metav1.ObjectMeta{ManagedFields: []*metav1.ManagedFieldsEntry{{Manager: "m"}}}
	body := &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Name: "a"}, Data: map[string]string{"b": "2", "a": strings.Repeat("1", 10000)}}
	got, err := wire.MarshalParts(wire.Part{Message: body}, wire.Part{Message: meta, Field: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := append(standard(t, body), protowire.AppendTag(nil, 1, protowire.BytesType)...)
	if want = protowire.AppendBytes(want, standard(t, meta)); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestErrors(t *testing.T) {
	if _, err := wire.Marshal(&corev1.ConfigMap{Data: map[string]string{"a": "\xff"}}); !errors.Is(err, wire.ErrInvalidUTF8) {
		t.Errorf("got %v", err)
	}
	if _, err := wire.Marshal(&metav1.ObjectMeta{Name: "\xff"}); !errors.Is(err, wire.ErrInvalidUTF8) {
		t.Errorf("got %v", err)
	}
	name := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), []byte("\xff"))
	if err := wire.Unmarshal(name, &metav1.ObjectMeta{}); !errors.Is(err, wire.ErrInvalidUTF8) {
		t.Errorf("got %v", err)
	}
	if err := wire.Unmarshal(name[:2], &metav1.ObjectMeta{}); !errors.Is(err, wire.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	deep := []byte{}
	for range 20000 {
		deep = protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), deep)
	}
	if err := wire.Unmarshal(deep, &descriptorpb.DescriptorProto{}); err == nil {
		t.Error("no end to the depth")
	}
}

func FuzzUnmarshal(f *testing.F) {
	pod := (&corev1.Pod{}).ProtoReflect().Type()
	for seed := range uint64(8) {
		m := pod.New()
		randmsg.Fill(rand.New(rand.NewPCG(seed, 3)), m, float64(seed)/10, 5)
		b, err := proto.Marshal(m.Interface())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		agree(t, pod, b)
		agree(t, (&metav1.ObjectMeta{}).ProtoReflect().Type(), b)
		agree(t, (&corev1.ConfigMap{}).ProtoReflect().Type(), b)
	})
}
