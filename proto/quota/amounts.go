package quota

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// Amounts are quantities by the name of a resource.
type Amounts map[string]resource.Quantity

// Parse reads quantities; those that are malformed are left out.
func Parse(list map[string]*metav1.Quantity) Amounts {
	out := make(Amounts, len(list))
	for name, q := range list {
		if q.GetString_() == "" {
			out[name] = resource.Quantity{}
			continue
		}
		if v, err := resource.ParseQuantity(q.GetString_()); err == nil {
			out[name] = v
		}
	}
	return out
}

// Quantities is the inverse of Parse.
func (a Amounts) Quantities() map[string]*metav1.Quantity {
	out := make(map[string]*metav1.Quantity, len(a))
	for name, q := range a {
		out[name] = &metav1.Quantity{String_: q.String()}
	}
	return out
}

// Add adds b in place.
func (a Amounts) Add(b Amounts) {
	for name, q := range b {
		sum := q.DeepCopy()
		if have, ok := a[name]; ok {
			sum = have.DeepCopy()
			sum.Add(q)
		}
		a[name] = sum
	}
}

// Max raises what is less than in b, in place.
func (a Amounts) Max(b Amounts) {
	for name, q := range b {
		if have, ok := a[name]; !ok || have.Cmp(q) < 0 {
			a[name] = q.DeepCopy()
		}
	}
}

// Over returns by how much a is more than b; what is not more is left out.
func (a Amounts) Over(b Amounts) Amounts {
	out := Amounts{}
	for name, q := range a {
		rest := q.DeepCopy()
		rest.Sub(b[name])
		if rest.Sign() > 0 {
			out[name] = rest
		}
	}
	return out
}

// Only returns the amounts of some resources.
func (a Amounts) Only(names []string) Amounts {
	out := Amounts{}
	for _, name := range names {
		if q, ok := a[name]; ok {
			out[name] = q
		}
	}
	return out
}

// Names returns the names in order.
func (a Amounts) Names() []string { return slices.Sorted(maps.Keys(a)) }

// String writes "cpu=1,pods=2".
func (a Amounts) String() string {
	var out []string
	for _, name := range a.Names() {
		q := a[name]
		out = append(out, name+"="+q.String())
	}
	return strings.Join(out, ",")
}
