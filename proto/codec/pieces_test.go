package codec_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// TestRootFieldsInPieces encodes objects whose metadata and spec come in pieces, as a server appends to what it stores.
func TestRootFieldsInPieces(t *testing.T) {
	pieces := []*corev1.Pod{
		{Metadata: &metav1.ObjectMeta{Name: "web", Labels: map[string]string{"a": "1"}}, Spec: &corev1.PodSpec{NodeName: "n1"}},
		{Metadata: &metav1.ObjectMeta{}},
		{Metadata: &metav1.ObjectMeta{Uid: "u"}, Spec: &corev1.PodSpec{HostNetwork: true}},
		{Metadata: &metav1.ObjectMeta{ManagedFields: []*metav1.ManagedFieldsEntry{{Manager: "m"}}}},
		{Metadata: &metav1.ObjectMeta{ResourceVersion: "7"}, Spec: &corev1.PodSpec{SchedulerName: "s", Hostname: "h"}},
		{Metadata: &metav1.ObjectMeta{Labels: map[string]string{"b": "2"}}, Spec: &corev1.PodSpec{Subdomain: "d"}},
	}
	for n := 1; n <= len(pieces); n++ {
		t.Run(fmt.Sprintf("%d pieces", n), func(t *testing.T) {
			var wire []byte
			whole := &corev1.Pod{}
			for _, p := range pieces[:n] {
				wire = append(wire, mustMarshal(t, p)...)
				proto.Merge(whole, p)
			}
			ty := codec.For(whole.ProtoReflect().Descriptor())
			opts := codec.EncodeOptions{APIVersion: "v1", Kind: "Pod"}
			want, err := ty.AppendJSON(nil, mustMarshal(t, whole), opts)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time with the buffers of the first
				got, err := ty.AppendJSON(nil, wire, opts)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(parsed(t, want), parsed(t, got)); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

func TestEmptyPiecesAreEmptyFields(t *testing.T) {
	empty := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), nil)
	ty := codec.For((*corev1.Pod)(nil).ProtoReflect().Descriptor())
	wire := append(append(append([]byte{}, empty...), empty...), empty...)
	two, err := ty.AppendJSON(nil, wire[:2*len(empty)], codec.EncodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	three, err := ty.AppendJSON(nil, wire, codec.EncodeOptions{})
	if err != nil || string(two) != string(three) {
		t.Errorf("two pieces: %s, three: %s, %v", two, three, err)
	}
}

// parsed is JSON without the order of its keys, which is that of the wire.
func parsed(t *testing.T, data []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func mustMarshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCheckedRawJSONIsCopied(t *testing.T) {
	wire, err := proto.Marshal(&metav1.ManagedFieldsEntry{FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:a":{}`)}})
	if err != nil {
		t.Fatal(err)
	}
	typ := codec.For((*metav1.ManagedFieldsEntry)(nil).ProtoReflect().Descriptor())
	if _, err := typ.AppendJSON(nil, wire, codec.EncodeOptions{}); err == nil {
		t.Error("broken JSON is encoded")
	}
	if b, err := typ.AppendJSON(nil, wire, codec.EncodeOptions{Checked: true}); err != nil || !strings.Contains(string(b), `{"f:a":{}`) {
		t.Errorf("%s, %v", b, err)
	}
}
