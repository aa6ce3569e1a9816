package pipeline_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/schema"
)

// patience bounds every wait of these tests; only a failing server makes it pass.
const patience = 20 * time.Second

type harness struct {
	*testing.T
	ctx context.Context
	s   *pipeline.Server
}

func start(t *testing.T) *harness {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	st := memory.New()
	t.Cleanup(func() { st.Close() })
	s, err := pipeline.New(pipeline.Config{Registry: schema.Builtin(), Store: st})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &harness{t, ctx, s}
}

func ref(group, plural, namespace, name string) *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: group, Plural: plural}, Namespace: namespace, Name: name}
}

func sub(r *resourcev1.ObjectRef, name string) *resourcev1.ObjectRef {
	r.Subresource = name
	return r
}

func pb(t testing.TB, m proto.Message) *resourcev1.Object {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return &resourcev1.Object{Raw: b}
}

func text(s string) *resourcev1.Object {
	return &resourcev1.Object{Raw: []byte(s), Encoding: resourcev1.Encoding_ENCODING_JSON}
}

func (h *harness) create(r *resourcev1.ObjectRef, m proto.Message) (*pipeline.Result, error) {
	h.Helper()
	return h.s.Create(h.ctx, &resourcev1.CreateRequest{Ref: r, Object: pb(h.T, m)})
}

func (h *harness) mustCreate(r *resourcev1.ObjectRef, m proto.Message) *pipeline.Item {
	h.Helper()
	res, err := h.create(r, m)
	if err != nil {
		h.Fatal(err)
	}
	return res.Item
}

func into[T proto.Message](t testing.TB, it *pipeline.Item, m T) T {
	t.Helper()
	if err := proto.Unmarshal(it.Wire, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func configMap(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Name: name}, Data: data}
}

func TestConfigMapLife(t *testing.T) {
	h := start(t)
	at := func() *resourcev1.ObjectRef { return ref("", "configmaps", "default", "a") }
	it := h.mustCreate(ref("", "configmaps", "default", ""), configMap("a", map[string]string{"k": "1"}))
	cm := into(t, it, &corev1.ConfigMap{})
	if m := cm.Metadata; m.Uid == "" || m.ResourceVersion == "" || m.CreationTimestamp == nil || m.Namespace != "default" || len(m.ManagedFields) != 1 {
		t.Fatalf("created as %v", cm)
	}
	if _, err := h.create(at(), configMap("a", nil)); !apierrors.IsAlreadyExists(err) || err.Error() != `configmaps "a" already exists` {
		t.Fatal(err)
	}
	got, err := h.s.Get(h.ctx, &resourcev1.GetRequest{Ref: at()})
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Wire) != string(it.Wire) {
		t.Fatalf("got %q, created %q", got.Wire, it.Wire)
	}

	stale := proto.Clone(cm).(*corev1.ConfigMap)
	cm.Data["k"] = "2"
	upd, err := h.s.Update(h.ctx, &resourcev1.UpdateRequest{Ref: at(), Object: pb(t, cm)})
	if err != nil {
		t.Fatal(err)
	}
	if upd.Item.Revision <= it.Revision {
		t.Fatal("revision did not grow")
	}
	if _, err := h.s.Update(h.ctx, &resourcev1.UpdateRequest{Ref: at(), Object: pb(t, stale)}); !apierrors.IsConflict(err) {
		t.Fatalf("stale update: %v", err)
	}
	patched, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: at(), Type: resourcev1.PatchType_PATCH_TYPE_MERGE, Patch: []byte(`{"data":{"k":null,"z":"9"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	if d := into(t, patched.Item, &corev1.ConfigMap{}).Data; len(d) != 1 || d["z"] != "9" {
		t.Fatalf("patched to %v", d)
	}
	del, err := h.s.Delete(h.ctx, &resourcev1.DeleteRequest{Ref: at()})
	if err != nil || !del.Deleted {
		t.Fatalf("%+v, %v", del, err)
	}
	if _, err := h.s.Get(h.ctx, &resourcev1.GetRequest{Ref: at()}); !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
}

func TestDeploymentGenerationAndStatus(t *testing.T) {
	h := start(t)
	at := func() *resourcev1.ObjectRef { return ref("apps", "deployments", "default", "web") }
	res, err := h.s.Create(h.ctx, &resourcev1.CreateRequest{Ref: at(), Object: text(`{"apiVersion":"apps/v1","kind":"Deployment",
		"metadata":{"name":"web"},"spec":{"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
		"spec":{"containers":[{"name":"c","image":"i"}]}}},"status":{"replicas":7}}`)})
	if err != nil {
		t.Fatal(err)
	}
	d := into(t, res.Item, &appsv1.Deployment{})
	if d.Metadata.Generation != 1 || d.Status.GetReplicas() != 0 || d.Spec.GetReplicas() != 1 {
		t.Fatalf("created as %v", d)
	}
	d.Spec.Replicas = proto.Int32(3)
	d.Status = &appsv1.DeploymentStatus{Replicas: 9}
	upd, err := h.s.Update(h.ctx, &resourcev1.UpdateRequest{Ref: at(), Object: pb(t, d)})
	if err != nil {
		t.Fatal(err)
	}
	d = into(t, upd.Item, &appsv1.Deployment{})
	if d.Metadata.Generation != 2 || d.Status.GetReplicas() != 0 {
		t.Fatalf("updated to %v", d)
	}
	d.Spec.Replicas, d.Status = proto.Int32(5), &appsv1.DeploymentStatus{Replicas: 3}
	st, err := h.s.Update(h.ctx, &resourcev1.UpdateRequest{Ref: sub(at(), "status"), Object: pb(t, d)})
	if err != nil {
		t.Fatal(err)
	}
	if d = into(t, st.Item, &appsv1.Deployment{}); d.Metadata.Generation != 2 || d.Status.GetReplicas() != 3 || d.Spec.GetReplicas() != 3 {
		t.Fatalf("status updated to %v", d)
	}
}
