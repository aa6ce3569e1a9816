package pipeline_test

import (
	"testing"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

func TestRepeatedKeysOfAPatch(t *testing.T) {
	h := start(t)
	h.mustCreate(ref("", "configmaps", "default", ""), configMap("a", map[string]string{"x": "0"}))
	for _, c := range []struct {
		typ         resourcev1.PatchType
		patch, want string
	}{
		{resourcev1.PatchType_PATCH_TYPE_MERGE, `{"data":{"x":"1","x":"2"},"nope":1}`, `strict decoding error: duplicate field "data.x", unknown field "nope"`},
		{resourcev1.PatchType_PATCH_TYPE_STRATEGIC_MERGE, `{"data":{"x":"1","x":"2"}}`, `strict decoding error: duplicate field "data.x"`},
		{resourcev1.PatchType_PATCH_TYPE_JSON, `[{"op":"add","path":"/data/q","value":"x"},{"op":"add","path":"/data/q","value":"x","value":"y"}]`,
			`strict decoding error: duplicate field "[1].value"`},
	} {
		for _, validation := range []string{"Strict", "Warn", "Ignore"} {
			res, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: ref("", "configmaps", "default", "a"), Type: c.typ, Patch: []byte(c.patch),
				Options: &resourcev1.WriteOptions{FieldValidation: validation, DryRun: true}})
			switch {
			case validation == "Strict":
				wantErr(t, err, c.want)
			case err != nil:
				t.Errorf("%s: %v", validation, err)
			case (len(res.Warnings) > 0) != (validation == "Warn"):
				t.Errorf("%s: warnings %q", validation, res.Warnings)
			}
		}
	}
}
