package pipeline_test

import (
	"strings"
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// What plugins add is nobody's: somebody else may apply it without a conflict.
func TestPluginsOwnNothing(t *testing.T) {
	h := start(t)
	p := into(t, h.mustCreate(ref("", "pods", "default", ""), pod("a")), &corev1.Pod{})
	if len(p.Spec.Tolerations) == 0 {
		t.Fatal("no plugin has added tolerations")
	}
	if fields := p.Metadata.ManagedFields[0].FieldsV1.Raw; strings.Contains(string(fields), "tolerations") || !strings.Contains(string(fields), "f:image") {
		t.Errorf("who created it owns %s", fields)
	}
	_, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: ref("", "pods", "default", "b"), Type: resourcev1.PatchType_PATCH_TYPE_APPLY,
		Options: &resourcev1.WriteOptions{FieldManager: "me"},
		Patch:   []byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"b"},"spec":{"containers":[{"name":"c","image":"i"}]}}`)})
	if err != nil {
		t.Fatal(err)
	}
	it, err := h.get(ref("", "pods", "default", "b"))
	if err != nil {
		t.Fatal(err)
	}
	b := into(t, it, &corev1.Pod{})
	b.Metadata.Labels = map[string]string{"x": "y"}
	res, err := h.update(ref("", "pods", "default", "b"), b)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range into(t, res.Item, &corev1.Pod{}).Metadata.ManagedFields {
		if strings.Contains(string(m.FieldsV1.Raw), "tolerations") {
			t.Errorf("%s owns %s", m.Manager, m.FieldsV1.Raw)
		}
	}
}
