package item

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// items are as many pods as a list has, made as one controller makes them.
func items(b *testing.B, n int) []*Item {
	out := make([]*Item, n)
	for i := range out {
		out[i] = fromStore(b, i)
	}
	return out
}

func fromStore(b *testing.B, i int) *Item {
	it, err := New(podKind(b), stored(b, i), int64(i+1), "n", fmt.Sprint("p", i))
	if err != nil {
		b.Fatal(err)
	}
	return it
}

func stored(b *testing.B, i int) []byte {
	pod := testPod()
	pod.Metadata.Name = fmt.Sprint("p", i)
	for c := range 8 {
		pod.Spec.Containers = append(pod.Spec.Containers, &corev1.Container{Name: fmt.Sprint("c", c), Image: "registry.example.com/shop/checkout:v3.14.1", Args: []string{"--listen=:8080", "--metrics=:9102", "--log-level=info"},
			Env: []*corev1.EnvVar{{Name: "PAYMENT_URL", Value: "http://payment.shop.svc.cluster.local:8080/v2"}, {Name: "GOMEMLIMIT", Value: "230MiB"}}})
	}
	fields := []byte(`{"f:spec":{`)
	for f := range 80 {
		fields = fmt.Appendf(fields, `"f:field%d":{".":{}},`, f)
	}
	fields = append(fields, `"f:last":{}}}`...)
	for _, m := range []string{"kube-controller-manager", "kubelet"} {
		pod.Metadata.ManagedFields = append(pod.Metadata.ManagedFields, &metav1.ManagedFieldsEntry{Manager: m, Operation: "Update", ApiVersion: "v1",
			Time: &metav1.Time{Seconds: proto.Int64(int64(1700000000 + i))}, FieldsType: "FieldsV1", FieldsV1: &metav1.FieldsV1{Raw: fields}})
	}
	raw, err := Encode(pod)
	if err != nil {
		b.Fatal(err)
	}
	return raw
}

func BenchmarkNew(b *testing.B) {
	raw := stored(b, 1)
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	keep := fromStore(b, 2)
	for b.Loop() {
		if _, err := New(keep.Kind, raw, 3, "n", "p"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkList reads 10,000 items one after the other, most of which are in no cache of the processor.
func BenchmarkList(b *testing.B) {
	all := items(b, 10000)
	var dst []byte
	run := func(name string, f func(*Item)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for _, it := range all {
					f(it)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(all)), "ns/item")
		})
	}
	run("protobuf", func(it *Item) { dst = it.AppendWire(dst[:0]) })
	run("JSON", func(it *Item) { dst, _ = it.AppendJSON(dst[:0]) })
	run("metadata", func(it *Item) { dst = it.AppendMetadata(dst[:0]) })
}

// BenchmarkDecode is what an update does first.
func BenchmarkDecode(b *testing.B) {
	it := fromStore(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		m, err := it.Decode()
		if err != nil || m == proto.Message(nil) {
			b.Fatal(err)
		}
	}
}
