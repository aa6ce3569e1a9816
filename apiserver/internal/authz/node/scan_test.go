package node

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/randmsg"
)

// An encoded pod leaves the same in the graph as a decoded one, whatever it holds and however it changes.
func TestEncodedPodsAreReadAsDecodedOnes(t *testing.T) {
	want, got := NewGraph(), NewGraph()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 5))
		pod := &corev1.Pod{}
		randmsg.Fill(r, pod.ProtoReflect(), float64(seed%6)/8, 7)
		if pod.Metadata == nil {
			pod.Metadata = &metav1.ObjectMeta{}
		}
		pod.Metadata.Namespace, pod.Metadata.Name = "ns", "a"
		if seed%4 == 1 {
			pod.Metadata.Annotations = map[string]string{mirrorAnnotation: "x", "other": "y"}
		}
		if seed%3 == 1 && pod.Spec != nil {
			pod.Spec.NodeName = "n1"
		}
		wire, err := proto.Marshal(pod)
		if err != nil {
			t.Fatal(err)
		}
		// Metadata may come in pieces.
		more, err := proto.Marshal(&corev1.Pod{Metadata: &metav1.ObjectMeta{ResourceVersion: "7"}})
		if err != nil {
			t.Fatal(err)
		}
		want.SetPod(pod)
		for range 2 {
			if err := got.SetEncoded("ns", "a", append(wire[:len(wire):len(wire)], more...)); err != nil {
				t.Fatal(err)
			}
		}
		a, _ := want.Pod("ns", "a")
		b, _ := got.Pod("ns", "a")
		if b.print = 0; !reflect.DeepEqual(a, b) || !reflect.DeepEqual(want.edges, got.edges) {
			t.Fatalf("seed %d:\n%+v\n%+v\n%v\n%v", seed, a, b, want.edges, got.edges)
		}
	}
}

func TestWhatIsNoPodIsRefused(t *testing.T) {
	if err := NewGraph().SetEncoded("ns", "a", []byte{0x0a, 0x7f}); err == nil {
		t.Error("bytes that end in the middle are a pod")
	}
}
