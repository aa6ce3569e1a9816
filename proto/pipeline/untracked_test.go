package pipeline_test

import (
	"strings"
	"testing"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// The first apply to an object that nobody tracked gives what is there to before-first-apply, as if that had created it.
func TestApplyToWhatNobodyTracked(t *testing.T) {
	h := start(t)
	at := func() *resourcev1.ObjectRef { return ref("", "configmaps", "default", "a") }
	h.mustCreate(ref("", "configmaps", "default", ""), configMap("a", map[string]string{"k": "1"}))
	if _, err := h.patchAs(at(), resourcev1.PatchType_PATCH_TYPE_MERGE, `{"metadata":{"managedFields":[{}]}}`); err != nil {
		t.Fatal(err)
	}
	const config = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"2"}}`
	_, err := h.patchAs(at(), resourcev1.PatchType_PATCH_TYPE_APPLY, config)
	wantErr(t, err, `conflict with "before-first-apply" using v1: .data.k`)
	res, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: at(), Type: resourcev1.PatchType_PATCH_TYPE_APPLY, Patch: []byte(config), Force: true,
		Options: &resourcev1.WriteOptions{FieldManager: "m"}})
	if err != nil {
		t.Fatal(err)
	}
	fields := into(t, res.Item, configMap("", nil)).Metadata.ManagedFields
	if len(fields) != 2 || fields[1].Manager != "before-first-apply" || string(fields[1].FieldsV1.Raw) != `{"f:data":{}}` {
		t.Errorf("managed fields %v", fields)
	}

	// What cannot be read is not taken.
	got, err := h.patchAs(at(), resourcev1.PatchType_PATCH_TYPE_MERGE,
		`{"metadata":{"managedFields":[{"manager":"x","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"x":1}}]}}`)
	if err != nil || strings.Contains(string(got.Metadata.ManagedFields[0].FieldsV1.Raw), `"x"`) || len(got.Metadata.ManagedFields) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}
