package pipeline_test

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/admission"
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

// spoiler is an admission plugin that leaves managed fields that nobody can read.
type spoiler struct{}

func (spoiler) Name() string { return "Spoiler" }

func (spoiler) Admit(_ context.Context, r *admission.Request) error {
	if cm, ok := r.Object.(*corev1.ConfigMap); ok {
		cm.Metadata.ManagedFields = []*metav1.ManagedFieldsEntry{{Manager: "m", Operation: "Update", ApiVersion: "v1", FieldsType: "FieldsV1",
			FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:data":`)}}}
	}
	return nil
}

// Managed fields that plugins spoil are those from before them: stored, they would make every later write fail.
func TestPluginsCannotSpoilManagedFields(t *testing.T) {
	h := start(t, func(c *pipeline.Config) { c.Admission = append(c.Admission, spoiler{}) })
	where, options := ref("", "configmaps", "default", "a"), &resourcev1.WriteOptions{FieldManager: "tester"}
	check := func(step string, res *pipeline.Result, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(step, err)
		}
		if m := into(t, res.Item, &corev1.ConfigMap{}).Metadata.ManagedFields; len(m) != 1 || m[0].Manager != "tester" {
			t.Errorf("%s: got %v", step, m)
		}
		if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "managedFields was in an invalid state after admission") {
			t.Errorf("%s: warnings %q", step, res.Warnings)
		}
	}
	res, err := h.s.Create(h.ctx, &resourcev1.CreateRequest{Ref: where, Object: pb(t, configMap("a", map[string]string{"a": "1"})), Options: options})
	check("create", res, err)
	res, err = h.s.Update(h.ctx, &resourcev1.UpdateRequest{Ref: where, Object: pb(t, configMap("a", map[string]string{"a": "2"})), Options: options})
	check("update", res, err)
}

// A configuration says everything once.
func TestRepeatedKeysOfAConfiguration(t *testing.T) {
	h := start(t)
	for _, c := range []struct{ name, validation, text, want string }{
		{"yaml", "Strict", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: \"1\"\n  x: \"2\"\n", `line 6: key "x" already set in map`},
		{"json", "Strict", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1","x":"2"}}`, `key "x" already set in map`},
		{"warned", "Warn", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: \"1\"\n  x: \"2\"\n", ""},
		{"ignored", "Ignore", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: \"1\"\n  x: \"2\"\n", ""},
		{"sound", "Strict", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: \"1\"\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: ref("", "configmaps", "default", "a"), Type: resourcev1.PatchType_PATCH_TYPE_APPLY,
				Options: &resourcev1.WriteOptions{FieldManager: "me", FieldValidation: c.validation}, Patch: []byte(c.text)})
			if c.want != "" {
				wantErr(t, err, c.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if (len(res.Warnings) > 0) != (c.validation == "Warn") {
				t.Errorf("warnings %q", res.Warnings)
			}
		})
	}
}

// An apply that says in other words what is there changes nothing.
func TestApplyInOtherWords(t *testing.T) {
	now := time.Unix(1700000000, 0)
	h := start(t, func(c *pipeline.Config) { c.Clock = func() time.Time { return now } })
	apply := func(cpu string) int64 {
		t.Helper()
		now = now.Add(time.Hour)
		res, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{
			Ref: ref("", "resourcequotas", "default", "a"), Type: resourcev1.PatchType_PATCH_TYPE_APPLY, Options: &resourcev1.WriteOptions{FieldManager: "me"},
			Patch: []byte(`{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"a"},"spec":{"hard":{"cpu":"` + cpu + `"}}}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		return res.Item.Revision
	}
	first := apply("1000m")
	if again := apply("1000m"); again != first {
		t.Errorf("the same again: revision %d after %d", again, first)
	}
	if again := apply("1"); again != first {
		t.Errorf("in other words: revision %d after %d", again, first)
	}
	if changed := apply("2"); changed == first {
		t.Error("a change is none")
	}
}
