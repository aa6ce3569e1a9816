package schema_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

func TestEqual(t *testing.T) {
	pod := func(c *corev1.Container, created *metav1.Time) *corev1.Pod {
		return &corev1.Pod{Metadata: &metav1.ObjectMeta{Name: "p", CreationTimestamp: created}, Spec: &corev1.PodSpec{Containers: []*corev1.Container{c}}}
	}
	at := func(n int64) *metav1.Time { return &metav1.Time{Seconds: proto.Int64(n)} }
	plain := &corev1.Container{Name: "a"}
	for _, c := range []struct {
		name string
		a, b *corev1.Pod
		want bool
	}{
		{"empty embedded message", pod(plain, nil), pod(&corev1.Container{Name: "a", Resources: &corev1.ResourceRequirements{}}, nil), true},
		{"empty pointer", pod(plain, nil), pod(&corev1.Container{Name: "a", SecurityContext: &corev1.SecurityContext{}}, nil), false},
		{"nanoseconds", pod(plain, at(5)), pod(plain, &metav1.Time{Seconds: proto.Int64(5), Nanos: proto.Int32(0)}), true},
		{"another time", pod(plain, at(5)), pod(plain, at(6)), false},
		{"no time and 1970", pod(plain, &metav1.Time{}), pod(plain, at(0)), false},
		{"a field", pod(plain, nil), pod(&corev1.Container{Name: "b"}, nil), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := schema.Equal(c.a, c.b); got != c.want {
				t.Errorf("got %t", got)
			}
			if schema.Equal(c.b, c.a) != c.want {
				t.Error("not the same the other way round")
			}
		})
	}
}
