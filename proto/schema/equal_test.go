package schema_test

import (
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// TestEqualTimes: kubectl sends a zero creationTimestamp with every pod template, a controller's copy has none.
func TestEqualTimes(t *testing.T) {
	seconds := int64(1)
	template := func(created *metav1.Time) *corev1.PodTemplateSpec {
		return &corev1.PodTemplateSpec{Metadata: &metav1.ObjectMeta{CreationTimestamp: created}}
	}
	cases := []struct {
		name string
		a, b *metav1.Time
		want bool
	}{
		{"absent and zero", nil, &metav1.Time{}, true},
		{"zero and absent", &metav1.Time{}, nil, true},
		{"absent and set", nil, &metav1.Time{Seconds: &seconds}, false},
		{"zero and set", &metav1.Time{}, &metav1.Time{Seconds: &seconds}, false},
		{"both set", &metav1.Time{Seconds: &seconds}, &metav1.Time{Seconds: &seconds}, true},
	}
	for _, c := range cases {
		if got := schema.Equal(template(c.a), template(c.b)); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}
