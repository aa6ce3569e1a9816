package item

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

func podKind(t testing.TB) *schema.Kind {
	k, ok := schema.Builtin().ByKind("", "v1", "Pod")
	if !ok {
		t.Fatal("no pods")
	}
	return k
}

// managed has one entry that is large enough to be shared between two that are not.
var managed = []*metav1.ManagedFieldsEntry{
	{Manager: "m", Operation: "Update", ApiVersion: "v1", FieldsType: "FieldsV1", FieldsV1: &metav1.FieldsV1{Raw: []byte("{}")}},
	{Manager: "l", Operation: "Update", ApiVersion: "v1", Time: &metav1.Time{Seconds: proto.Int64(1)}, FieldsType: "FieldsV1", Subresource: "status",
		FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{` + strings.Repeat(`"f:a":{},`, leastShared/9+1) + `"f:b":{}}}`)}},
	{Manager: "n", Operation: "Apply", ApiVersion: "v1"},
}

func testPod() *corev1.Pod {
	return &corev1.Pod{
		Metadata: &metav1.ObjectMeta{Name: "p", Namespace: "n", Labels: map[string]string{"b": "2", "a": "1"}},
		Spec:     &corev1.PodSpec{NodeName: "n1"}, Status: &corev1.PodStatus{Phase: "Running"},
	}
}

func marshal(t testing.TB, m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whether the managed fields stand within the metadata, as Kubernetes stores them, or behind, the item is the same.
func TestItem(t *testing.T) {
	k, want := podKind(t), testPod()
	want.Metadata.ManagedFields = managed
	within := marshal(t, want)
	behind := append(marshal(t, testPod()), marshal(t, &corev1.Pod{Metadata: &metav1.ObjectMeta{ManagedFields: managed}})...)
	before := append(marshal(t, &corev1.Pod{Metadata: &metav1.ObjectMeta{ManagedFields: managed}}), marshal(t, testPod())...)
	want.Metadata.ResourceVersion = "42"
	for name, raw := range map[string][]byte{"within": within, "behind": behind, "before": before} {
		it, err := New(k, raw, 42, "n", "p")
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := it.Decode()
		if err != nil || !proto.Equal(want, got) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		trimmed := &corev1.Pod{}
		if err := proto.Unmarshal(it.Trimmed(), trimmed); err != nil || len(trimmed.Metadata.ManagedFields) > 0 || trimmed.Metadata.ResourceVersion != "42" || trimmed.Spec.NodeName != "n1" {
			t.Errorf("%s: trimmed is %v, %v", name, trimmed, err)
		}
		if diff := cmp.Diff([][2]string{{"a", "1"}, {"b", "2"}}, labels(it)); diff != "" {
			t.Error(name, diff)
		}
		for path, want := range map[string]string{"metadata.name": "p", "metadata.namespace": "n", "spec.nodeName": "n1", "status.phase": "Running", "spec.hostNetwork": "false", "status.podIP": ""} {
			if got, ok := it.Field(path); !ok || got != want {
				t.Errorf("%s: field %s is %q, %v", name, path, got, ok)
			}
		}
		if _, ok := it.Field("spec.image"); ok {
			t.Error("spec.image can be selected")
		}
		later := it.At(50)
		again := &corev1.Pod{}
		if err := later.Unmarshal(again); err != nil || again.Metadata.ResourceVersion != "50" || len(again.Metadata.ManagedFields) != len(managed) {
			t.Errorf("%s: at 50 it is %v, %v", name, again, err)
		}
		if name == "behind" && !it.StoredAs(raw) {
			t.Error("what is stored differs from what was stored")
		}
		for n := range raw {
			if other := bytes.Clone(raw); it.StoredAs(other[:n]) {
				t.Fatalf("%s: the first %d bytes are the whole", name, n)
			} else if other[n]++; it.StoredAs(other) {
				t.Fatalf("%s: byte %d does not matter", name, n)
			}
		}
	}
}

func labels(it *Item) (out [][2]string) {
	for n := range it.Labels() {
		key, value := it.LabelAt(n)
		out = append(out, [2]string{key, value})
	}
	return out
}

// Labels that come twice, in any order and in several pieces of metadata, and fields of another wire type than theirs.
func TestPlaces(t *testing.T) {
	part := func(pod *corev1.Pod) []byte { return marshal(t, pod) }
	meta := func(key, value string) []byte {
		return part(&corev1.Pod{Metadata: &metav1.ObjectMeta{Labels: map[string]string{key: value}}})
	}
	raw := slices.Concat(meta("z", "1"), meta("b", "1"), meta("z", "2"), meta("", ""), meta("a", "1"), meta("b", ""),
		part(&corev1.Pod{Spec: &corev1.PodSpec{NodeName: "first", HostNetwork: true, RestartPolicy: "Never"}}),
		part(&corev1.Pod{Spec: &corev1.PodSpec{NodeName: "last"}}))
	spec := protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 7) // restartPolicy as a number
	raw = protowire.AppendBytes(protowire.AppendTag(raw, 2, protowire.BytesType), spec)
	it, err := New(podKind(t), raw, 1, "n", "p")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][2]string{{"", ""}, {"a", "1"}, {"b", ""}, {"z", "2"}}, labels(it)); diff != "" {
		t.Error(diff)
	}
	if v, ok := it.Label("z"); v != "2" || !ok {
		t.Errorf("z is %q, %v", v, ok)
	}
	if v, ok := it.Label("c"); ok {
		t.Errorf("c is %q", v)
	}
	for path, want := range map[string]string{"spec.nodeName": "last", "spec.hostNetwork": "true", "spec.restartPolicy": "Never", "status.phase": ""} {
		if got, _ := it.Field(path); got != want {
			t.Errorf("%s is %q", path, got)
		}
	}
	sets, ok := schema.Builtin().ByKind("", "v1", "ReplicationController")
	if !ok {
		t.Fatal("no replication controllers")
	}
	for replicas, want := range map[int32]string{0: "0", 12345: "12345", -1: "-1"} {
		it, err := New(sets, marshal(t, &corev1.ReplicationController{Status: &corev1.ReplicationControllerStatus{Replicas: replicas}}), 1, "n", "s")
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := it.Field("status.replicas"); got != want || !ok {
			t.Errorf("%d replicas are %q, %v", replicas, got, ok)
		}
	}
}

func TestJSONIsSharedWhileInUse(t *testing.T) {
	it, err := New(podKind(t), marshal(t, testPod()), 1, "n", "p")
	if err != nil {
		t.Fatal(err)
	}
	a, err := it.JSON()
	if err != nil {
		t.Fatal(err)
	}
	b, err := it.JSON()
	if err != nil || &a[0] != &b[0] {
		t.Error("encoded twice")
	}
	runtime.KeepAlive(a)
}

func FuzzNew(f *testing.F) {
	k := podKind(f)
	f.Add(marshal(f, testPod()))
	pod := testPod()
	pod.Metadata.ManagedFields = managed
	f.Add(marshal(f, pod))
	behind, err := Encode(pod)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(behind)
	f.Add(protowire.AppendVarint(nil, 1<<60))
	f.Fuzz(func(t *testing.T, raw []byte) {
		it, err := New(k, raw, 7, "n", "p")
		if err != nil {
			return
		}
		wire := it.AppendWire(nil)
		if len(wire) != it.Size() || !bytes.Equal(wire, it.Wire()) {
			t.Fatalf("%d bytes, its size is %d", len(wire), it.Size())
		}
		want, got := &corev1.Pod{}, &corev1.Pod{}
		if proto.Unmarshal(raw, want) != nil {
			return
		}
		if err := proto.Unmarshal(it.Wire(), got); err != nil {
			t.Fatal(err)
		}
		if want.Metadata == nil {
			want.Metadata = &metav1.ObjectMeta{}
		}
		want.Metadata.ResourceVersion = "7"
		if !proto.Equal(want, got) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
