package rule

import (
	"k8s.io/apimachinery/pkg/api/resource"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// Quantity parses a quantity. A missing or empty one is 0; ok is false for malformed ones, which the decoder refuses
// where they come as JSON.
func Quantity(q *metav1.Quantity) (v resource.Quantity, ok bool) {
	if q.GetString_() == "" {
		return resource.Quantity{}, true
	}
	v, err := resource.ParseQuantity(q.GetString_())
	return v, err == nil
}

// Canonical returns a quantity's canonical form; malformed ones stay as they are.
func Canonical(q *metav1.Quantity) string {
	v, ok := Quantity(q)
	if !ok {
		return q.GetString_()
	}
	return v.String()
}

// NewQuantity is the inverse of Quantity.
func NewQuantity(v resource.Quantity) *metav1.Quantity {
	return &metav1.Quantity{String_: v.String()}
}

// Quantities parses a list of quantities by name. Malformed ones are left out.
func Quantities(list map[string]*metav1.Quantity) map[string]resource.Quantity {
	out := make(map[string]resource.Quantity, len(list))
	for name, q := range list {
		if v, ok := Quantity(q); ok {
			out[name] = v
		}
	}
	return out
}
