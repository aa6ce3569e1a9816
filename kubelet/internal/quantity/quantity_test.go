package quantity

import (
	"testing"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

func TestQuantity(t *testing.T) {
	cases := map[string]struct{ value, milli int64 }{
		"": {0, 0}, "1": {1, 1000}, "100m": {1, 100}, "1500m": {2, 1500}, "64Mi": {64 << 20, 64 << 20 * 1000},
		"1e3": {1000, 1e6}, "0.1": {1, 100}, "1.5Gi": {3 << 29, 3 << 29 * 1000}, "2k": {2000, 2e6}, "bad": {0, 0},
	}
	for in, want := range cases {
		q := &metav1.Quantity{String_: in}
		if v, m := Value(q), Milli(q); v != want.value || m != want.milli {
			t.Errorf("%q: %d, %dm, want %+v", in, v, m, want)
		}
	}
	if got := Divide(&metav1.Quantity{String_: "65Mi"}, &metav1.Quantity{String_: "1Mi"}); got != "65" {
		t.Errorf("65Mi/1Mi = %s", got)
	}
}
