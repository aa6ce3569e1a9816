package pipeline_test

import (
	"testing"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

func (h *harness) patchAs(r *resourcev1.ObjectRef, typ resourcev1.PatchType, body string) (*corev1.ConfigMap, error) {
	h.Helper()
	res, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: r, Type: typ, Patch: []byte(body), Options: &resourcev1.WriteOptions{FieldManager: "m"}})
	if err != nil {
		return nil, err
	}
	return into(h.T, res.Item, &corev1.ConfigMap{}), nil
}

// An object is sent to its own address: its name is in it, and what it says about where and what it is cannot change.
func TestWritesThatMeanAnotherObject(t *testing.T) {
	h := start(t)
	at := func() *resourcev1.ObjectRef { return ref("", "configmaps", "default", "a") }
	made := into(t, h.mustCreate(ref("", "configmaps", "default", ""), configMap("a", nil)), &corev1.ConfigMap{})

	_, err := h.update(at(), configMap("", nil))
	wantErr(t, err, "the name of the object (a based on URL) was undeterminable: name must be provided")
	_, err = h.update(at(), &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Name: "a", Uid: "other"}})
	if !apierrors.IsConflict(err) {
		t.Errorf("a replacement of an object with another uid: %v", err)
	}
	for _, c := range []struct{ patch, want string }{
		{`{"metadata":{"namespace":"other"}}`, "the namespace of the provided object does not match the namespace sent on the request"},
		{`{"metadata":{"uid":"other"}}`, `metadata.uid: Invalid value: "other": field is immutable`},
		{`{"metadata":{"deletionTimestamp":"2020-01-01T00:00:00Z"}}`, `metadata.deletionTimestamp: Invalid value: "2020-01-01T00:00:00Z": field is immutable`},
		{`{"metadata":{"deletionGracePeriodSeconds":5}}`, `metadata.deletionGracePeriodSeconds: Invalid value: 5: field is immutable`},
	} {
		_, err := h.patchAs(at(), resourcev1.PatchType_PATCH_TYPE_MERGE, c.patch)
		wantErr(t, err, c.want)
	}
	same, err := h.patchAs(at(), resourcev1.PatchType_PATCH_TYPE_MERGE, `{"metadata":{"namespace":null,"uid":null,"creationTimestamp":null}}`)
	if err != nil || same.Metadata.Uid != made.Metadata.Uid || same.Metadata.Namespace != "default" {
		t.Errorf("a patch that leaves out what the server sets: %v, %v", same, err)
	}
}

func TestApplyOfAnObjectThatIsNotThere(t *testing.T) {
	h := start(t)
	at := func() *resourcev1.ObjectRef { return ref("", "configmaps", "default", "a") }
	_, err := h.patchAs(at(), resourcev1.PatchType_PATCH_TYPE_APPLY, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","uid":"u"}}`)
	if wantErr(t, err, "uid mismatch: the provided object specified uid u, and no existing object was found"); !apierrors.IsConflict(err) {
		t.Errorf("%v", err)
	}
	for _, c := range []struct{ config, want string }{
		{`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}}`, "invalid object type: /v1, Kind=Secret"},
		{`{"apiVersion":"apps/v1","kind":"ConfigMap","metadata":{"name":"a"}}`, "invalid object type: apps/v1, Kind=ConfigMap"},
		{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"foo":1}`, "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .foo: field not declared in schema"},
	} {
		_, err := h.patchAs(at(), resourcev1.PatchType_PATCH_TYPE_APPLY, c.config)
		wantErr(t, err, c.want)
	}
	made, err := h.patchAs(at(), resourcev1.PatchType_PATCH_TYPE_APPLY, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","resourceVersion":"3"}}`)
	if err != nil || made.Metadata.Uid == "" {
		t.Errorf("a version of an object that has been deleted since: %v, %v", made, err)
	}
}

// A collection is deleted as it was listed: of the version, and from the page, that the request names.
func TestDeletionOfAPage(t *testing.T) {
	h := start(t)
	for _, name := range []string{"a", "b", "c"} {
		h.mustCreate(ref("", "configmaps", "default", ""), configMap(name, nil))
	}
	sel := selection("", "configmaps", "default")
	page, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: sel, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	h.mustCreate(ref("", "configmaps", "default", ""), configMap("d", nil)) // after the page
	gone, err := h.s.DeleteCollection(h.ctx, &resourcev1.DeleteCollectionRequest{Selection: sel, ContinueToken: page.Continue})
	if err != nil || len(gone) != 2 || gone[0].Name != "b" || gone[1].Name != "c" {
		t.Fatalf("%v, %v", gone, err)
	}
	_, err = h.s.DeleteCollection(h.ctx, &resourcev1.DeleteCollectionRequest{Selection: sel, ResourceVersion: "abc"})
	wantErr(t, err, "invalid resource version")
	if left, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: sel}); err != nil || len(left.Items) != 2 {
		t.Fatalf("%v, %v", left, err)
	}
}
