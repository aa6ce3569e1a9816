package format

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

// What is accepted at once must be what apimachinery accepts; what is plain must not be missed, or nothing is gained.
func FuzzQuick(f *testing.F) {
	for _, s := range []string{"", "a", "web-1", "a.b", "a..b", "-a", "a-", "a.-b", "A", "example.com/name", "example.com/", "/a", "a/b/c", "x_y.z", "100m", "1Gi", "1e3", "é", "a\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, c := range []struct {
			name  string
			quick func(string) bool
			slow  Func
		}{
			{"label", IsLabel, validation.IsDNS1123Label}, {"subdomain", IsSubdomain, validation.IsDNS1123Subdomain},
			{"label value", IsLabelValue, validation.IsValidLabelValue}, {"qualified name", IsQualifiedName, validation.IsQualifiedName},
			{"key", isDataKey, validation.IsConfigMapKey}, {"quantity", isQuantity, Quantity},
		} {
			if wrong := c.slow(s); c.quick(s) && len(wrong) > 0 {
				t.Errorf("%s: %q is accepted, but: %v", c.name, s, wrong)
			}
		}
		if Name("dns-subdomain", s, false) == nil && len(validation.IsDNS1123Subdomain(s)) > 0 {
			t.Errorf("name %q is accepted", s)
		}
	})
}

func TestPlainNamesAreQuick(t *testing.T) {
	for s, quick := range map[string]func(string) bool{"web-5d4f8c7b9-x2x1z": IsLabel, "a.example.com": IsSubdomain, "v1.2_3": IsLabelValue, "": IsLabelValue,
		"app.kubernetes.io/name": IsQualifiedName, "app": IsQualifiedName, "app.properties": isDataKey, "250m": isQuantity, "64Mi": isQuantity} {
		if !quick(s) {
			t.Errorf("%q is not plain", s)
		}
	}
}
