package pipeline_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	coordinationv1 "github.com/keelson/keelson/proto/gen/keelson/coordination/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	storagev1 "github.com/keelson/keelson/proto/gen/keelson/storage/v1"
	"github.com/keelson/keelson/proto/pipeline"
)

func lease(name string) *coordinationv1.Lease {
	return &coordinationv1.Lease{Metadata: &metav1.ObjectMeta{Name: name}, Spec: &coordinationv1.LeaseSpec{HolderIdentity: proto.String("me")}}
}

func TestUpdateThatCreates(t *testing.T) {
	h := start(t)
	at := func() *resourcev1.ObjectRef { return ref("coordination.k8s.io", "leases", "default", "a") }
	dry, err := h.s.Update(h.ctx, &resourcev1.UpdateRequest{Ref: at(), Object: pb(t, lease("a")), Options: &resourcev1.WriteOptions{DryRun: true}})
	if err != nil || !dry.Created {
		t.Fatalf("dry run: %+v, %v", dry, err)
	}
	gone := lease("a")
	gone.Metadata.ResourceVersion = "1" // of an object that has been deleted since
	res, err := h.update(at(), gone)
	if err != nil || !res.Created {
		t.Fatalf("%+v, %v", res, err)
	}
	made := into(t, res.Item, &coordinationv1.Lease{})
	if m := made.Metadata; m.Uid == "" || m.CreationTimestamp == nil || len(m.ManagedFields) != 1 {
		t.Errorf("created as %v", m)
	}
	if res, err = h.update(at(), made); err != nil || res.Created {
		t.Errorf("again: %+v, %v", res, err)
	}

	other := lease("b")
	other.Metadata.Uid = made.Metadata.Uid
	_, err = h.update(ref("coordination.k8s.io", "leases", "default", "b"), other)
	if !apierrors.IsConflict(err) {
		t.Errorf("an object that is meant by its uid: %v", err)
	}
	_, err = h.update(ref("", "configmaps", "default", "a"), configMap("a", nil))
	if !apierrors.IsNotFound(err) {
		t.Errorf("a kind that is created by POST only: %v", err)
	}
	_, err = h.update(ref("coordination.k8s.io", "leases", "nowhere", "a"), lease("a"))
	wantErr(t, err, `namespaces "nowhere" not found`)
}

func TestUpdateThatMustNameAVersion(t *testing.T) {
	h := start(t)
	at := func() *resourcev1.ObjectRef { return ref("coordination.k8s.io", "leases", "default", "a") }
	h.mustCreate(ref("coordination.k8s.io", "leases", "default", ""), lease("a"))
	for _, version := range []string{"", "0"} {
		l := lease("a")
		l.Metadata.ResourceVersion = version
		_, err := h.update(at(), l)
		if !apierrors.IsInvalid(err) {
			t.Errorf("version %q: %v", version, err)
		}
		wantErr(t, err, "metadata.resourceVersion: Invalid value: 0: must be specified for an update")
	}
	_, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: at(), Type: resourcev1.PatchType_PATCH_TYPE_MERGE, Patch: []byte(`{"metadata":{"labels":{"x":"y"}}}`)})
	if err != nil {
		t.Errorf("patches need no version: %v", err)
	}
}

// A write of the status sets what agents say of an object in its metadata, where the kind does not forbid it.
func TestStatusWithMetadata(t *testing.T) {
	h := start(t)
	h.mustCreate(ref("", "replicationcontrollers", "default", ""), &corev1.ReplicationController{Metadata: &metav1.ObjectMeta{Name: "a"},
		Spec: &corev1.ReplicationControllerSpec{Selector: map[string]string{"a": "b"}, Template: &corev1.PodTemplateSpec{
			Metadata: &metav1.ObjectMeta{Labels: map[string]string{"a": "b"}}, Spec: pod("x").Spec}}})
	h.mustCreate(ref("storage.k8s.io", "volumeattachments", "", ""), &storagev1.VolumeAttachment{Metadata: &metav1.ObjectMeta{Name: "a"},
		Spec: &storagev1.VolumeAttachmentSpec{Attacher: "d.example.com", NodeName: "n", Source: &storagev1.VolumeAttachmentSource{PersistentVolumeName: proto.String("p")}}})
	for _, c := range []struct {
		at    *resourcev1.ObjectRef
		patch string
		keeps bool
	}{
		{ref("", "replicationcontrollers", "default", "a"), `{"status":{"replicas":1},"metadata":{"annotations":{"x":"y"}}}`, false},
		{ref("storage.k8s.io", "volumeattachments", "", "a"), `{"status":{"attached":true},"metadata":{"annotations":{"x":"y"}}}`, true},
	} {
		res, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: sub(c.at, "status"), Type: resourcev1.PatchType_PATCH_TYPE_MERGE, Patch: []byte(c.patch)})
		if err != nil {
			t.Fatal(err)
		}
		msg, err := res.Item.Decode()
		if err != nil {
			t.Fatal(err)
		}
		if m := msg.(pipeline.Object).GetMetadata(); (m.Annotations["x"] == "") != c.keeps {
			t.Errorf("%s: %v", c.at.Resource.Plural, m)
		}
	}
}
