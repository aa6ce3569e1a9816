package reviews

import (
	"testing"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

func TestNoMetadata(t *testing.T) {
	for name, c := range map[string]struct {
		meta   *metav1.ObjectMeta
		except string
		ok     bool
	}{
		"none":                  {nil, "", true},
		"the zero time":         {&metav1.ObjectMeta{CreationTimestamp: &metav1.Time{}}, "", true},
		"managed fields":        {&metav1.ObjectMeta{ManagedFields: []*metav1.ManagedFieldsEntry{{Manager: "m"}}}, "", true},
		"a name":                {&metav1.ObjectMeta{Name: "x"}, "", false},
		"a namespace":           {&metav1.ObjectMeta{Namespace: "x"}, "", false},
		"an expected namespace": {&metav1.ObjectMeta{Namespace: "x"}, " except for namespace", true},
	} {
		if errs := noMetadata(c.meta, c.except); (len(errs) == 0) != c.ok {
			t.Errorf("%s: %v", name, errs)
		}
	}
}
