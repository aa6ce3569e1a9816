package pipeline_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	autoscalingv1 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	policyv1 "github.com/keelson/keelson/proto/gen/keelson/policy/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
)

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
	if string(got.Wire()) != string(it.Wire()) {
		t.Fatalf("got %q, created %q", got.Wire(), it.Wire())
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
	// Replica sets have a deployment's annotations, but not its labels.
	for _, c := range []struct {
		sub, patch string
		want       int64
	}{
		{"", `{"metadata":{"labels":{"a":"b"}}}`, 2},
		{"status", `{"metadata":{"annotations":{"a":"b"}}}`, 2},
		{"", `{"metadata":{"annotations":{"a":"c"}}}`, 3},
	} {
		res, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: sub(at(), c.sub), Type: resourcev1.PatchType_PATCH_TYPE_MERGE, Patch: []byte(c.patch)})
		if err != nil {
			t.Fatal(err)
		}
		if d := into(t, res.Item, &appsv1.Deployment{}); d.Metadata.Generation != c.want {
			t.Errorf("%s: generation %d", c.patch, d.Metadata.Generation)
		}
	}
}

func TestGenerateName(t *testing.T) {
	h := start(t)
	seen := map[string]bool{}
	for range 20 {
		it := h.mustCreate(ref("", "configmaps", "default", ""), &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{GenerateName: "x-"}})
		if len(it.Name) != 7 || !strings.HasPrefix(it.Name, "x-") || seen[it.Name] {
			t.Fatalf("generated %q", it.Name)
		}
		seen[it.Name] = true
	}
}

func TestRefusals(t *testing.T) {
	h := start(t)
	h.mustCreate(ref("", "configmaps", "default", ""), configMap("a", nil))
	at := ref("", "configmaps", "default", "a")
	create := func(r *resourcev1.ObjectRef, json string) error {
		_, err := h.s.Create(h.ctx, &resourcev1.CreateRequest{Ref: r, Object: text(json), Options: &resourcev1.WriteOptions{FieldValidation: "Strict"}})
		return err
	}
	all := ref("", "configmaps", "default", "")
	wantErr(t, create(all, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"},"dta":{}}`), `strict decoding error: unknown field "dta"`)
	wantErr(t, create(all, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"b"}}`), `cannot be handled as a ConfigMap`)
	wantErr(t, create(all, `{"apiVersion":"v2","kind":"ConfigMap","metadata":{"name":"b"}}`), `does not match the expected API version (v1)`)
	wantErr(t, create(all, `{"metadata":{"name":"b","namespace":"other"}}`), `the namespace of the provided object does not match the namespace sent on the request`)
	wantErr(t, create(all, `{"metadata":{}}`), `metadata.name: Required value: name or generateName is required`)
	wantErr(t, create(all, `{"metadata":{"name":"b","resourceVersion":"7"}}`), `resourceVersion should not be set on objects to be created`)
	wantErr(t, create(all, `{"metadata":{"name":"b"},"data":{"k":"`+strings.Repeat("x", 3<<20)+`"}}`), `Request entity too large: limit is 3145728`)
	wantErr(t, create(all, `{"metadata":`), `json parse error`)
	wantErr(t, create(ref("", "configmaps", "nowhere", ""), `{"metadata":{"name":"b"}}`), `namespaces "nowhere" not found`)
	wantErr(t, create(ref("", "nothings", "default", ""), `{}`), `the server could not find the requested resource`)
	wantErr(t, create(ref("", "namespaces", "x", ""), `{}`), `namespace may not be set`)
	_, err := h.get(ref("", "configmaps", "default", "missing"))
	wantErr(t, err, `configmaps "missing" not found`)
	_, err = h.update(at, &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Name: "a", Uid: "other"}})
	wantErr(t, err, "Precondition failed: UID in precondition: other, UID in object meta:")
	_, err = h.update(at, configMap("b", nil))
	wantErr(t, err, "the name of the object (b) does not match the name on the URL (a)")
	_, err = h.s.Delete(h.ctx, &resourcev1.DeleteRequest{Ref: at, Options: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{Uid: proto.String("other")}}})
	if !apierrors.IsConflict(err) {
		t.Errorf("delete of another object: %v", err)
	}
	_, err = h.s.Delete(h.ctx, &resourcev1.DeleteRequest{Ref: ref("", "namespaces", "", "default")})
	wantErr(t, err, `namespaces "default" is forbidden: this namespace may not be deleted`)
}

func TestDryRunStoresNothing(t *testing.T) {
	h := start(t)
	dry := &resourcev1.WriteOptions{DryRun: true}
	svc := &corev1.Service{Metadata: &metav1.ObjectMeta{Name: "s"}, Spec: &corev1.ServiceSpec{Type: "NodePort", Ports: []*corev1.ServicePort{{Port: 80}}}}
	res, err := h.s.Create(h.ctx, &resourcev1.CreateRequest{Ref: ref("", "services", "default", ""), Object: pb(t, svc), Options: dry})
	if err != nil {
		t.Fatal(err)
	}
	if s := into(t, res.Item, &corev1.Service{}); s.Spec.ClusterIP == "" || s.Spec.Ports[0].NodePort == 0 {
		t.Fatalf("dry run shows %v", s.Spec)
	}
	if _, err := h.get(ref("", "services", "default", "s")); !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	h.mustCreate(ref("", "configmaps", "default", ""), configMap("a", map[string]string{"k": "1"}))
	at := ref("", "configmaps", "default", "a")
	if _, err := h.s.Update(h.ctx, &resourcev1.UpdateRequest{Ref: at, Object: pb(t, configMap("a", nil)), Options: dry}); err != nil {
		t.Fatal(err)
	}
	h.delete(at, &metav1.DeleteOptions{DryRun: []string{"All"}})
	it, err := h.get(at)
	if err != nil || into(t, it, &corev1.ConfigMap{}).Data["k"] != "1" {
		t.Fatalf("after dry runs: %v, %v", it, err)
	}
}

func TestNoOpKeepsTheRevision(t *testing.T) {
	h := start(t)
	it := h.mustCreate(ref("", "configmaps", "default", ""), configMap("a", map[string]string{"k": "1"}))
	res, err := h.update(ref("", "configmaps", "default", "a"), into(t, it, &corev1.ConfigMap{}))
	if err != nil || res.Item.Revision != it.Revision {
		t.Fatalf("revision %d became %v, %v", it.Revision, res, err)
	}
}

func TestFinalizersAndPropagation(t *testing.T) {
	h := start(t)
	cm := configMap("a", nil)
	cm.Metadata.Finalizers = []string{"example.com/hold"}
	h.mustCreate(ref("", "configmaps", "default", ""), cm)
	at := ref("", "configmaps", "default", "a")
	res := h.delete(at, &metav1.DeleteOptions{PropagationPolicy: proto.String("Foreground")})
	got := into(t, res.Item, &corev1.ConfigMap{})
	if res.Deleted || got.Metadata.DeletionTimestamp == nil {
		t.Fatalf("deleted as %v", got)
	}
	if diff := cmp.Diff([]string{"example.com/hold", "foregroundDeletion"}, got.Metadata.Finalizers); diff != "" {
		t.Fatal(diff)
	}
	if again := h.delete(at, nil); again.Deleted || again.Item.Revision != res.Item.Revision {
		t.Fatalf("the second deletion changed something: %+v", again)
	}
	got.Metadata.Finalizers, got.Metadata.ResourceVersion = nil, ""
	upd, err := h.update(at, got)
	if err != nil || !upd.Deleted {
		t.Fatalf("%+v, %v", upd, err)
	}
	if _, err := h.get(at); !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
}

func TestGracefulPodDeletion(t *testing.T) {
	h := start(t)
	at := func(name string) *resourcev1.ObjectRef { return ref("", "pods", "default", name) }
	h.mustCreate(at(""), pod("unbound"))
	if res := h.delete(at("unbound"), nil); !res.Deleted {
		t.Fatal("a pod on no node is waited for")
	}
	bound := pod("bound")
	bound.Spec.NodeName = "n1"
	created := into(t, h.mustCreate(at(""), bound), &corev1.Pod{})
	if created.Status.GetPhase() != "Pending" || created.Status.GetQosClass() != "BestEffort" || len(created.Spec.Tolerations) != 2 || created.Spec.GetPriority() != 0 {
		t.Fatalf("created as %v", created)
	}
	res := h.delete(at("bound"), nil)
	p := into(t, res.Item, &corev1.Pod{})
	if res.Deleted || p.Metadata.GetDeletionGracePeriodSeconds() != 30 || p.Metadata.DeletionTimestamp.GetSeconds() <= time.Now().Unix() {
		t.Fatalf("deleted as %v", p.Metadata)
	}
	longer := into(t, h.delete(at("bound"), &metav1.DeleteOptions{GracePeriodSeconds: proto.Int64(60)}).Item, &corev1.Pod{})
	if longer.Metadata.GetDeletionGracePeriodSeconds() != 30 {
		t.Fatalf("grace grew to %v", longer.Metadata)
	}
	shorter := into(t, h.delete(at("bound"), &metav1.DeleteOptions{GracePeriodSeconds: proto.Int64(5)}).Item, &corev1.Pod{})
	if shorter.Metadata.GetDeletionGracePeriodSeconds() != 5 {
		t.Fatalf("grace is %v", shorter.Metadata)
	}
	if res := h.delete(at("bound"), &metav1.DeleteOptions{GracePeriodSeconds: proto.Int64(0)}); !res.Deleted {
		t.Fatal("still there")
	}
}

// A pod gets the labels of its binding, and those that say where its node is.
func TestBindingLabels(t *testing.T) {
	h := start(t)
	h.mustCreate(ref("", "nodes", "", ""), &corev1.Node{Metadata: &metav1.ObjectMeta{Name: "n", Labels: map[string]string{
		"topology.kubernetes.io/zone": "z", "kubernetes.io/hostname": "h"}}})
	// The list waits until the cache has the node.
	if _, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: selection("", "nodes", "")}); err != nil {
		t.Fatal(err)
	}
	own := pod("p")
	own.Metadata.Labels = map[string]string{"a": "own"}
	h.mustCreate(ref("", "pods", "default", ""), own)
	if _, err := h.create(ref("", "bindings", "default", ""), &corev1.Binding{
		Metadata: &metav1.ObjectMeta{Name: "p", Labels: map[string]string{"a": "other", "b": "c"}}, Target: &corev1.ObjectReference{Name: "n"},
	}); err != nil {
		t.Fatal(err)
	}
	placed := pod("q")
	placed.Spec.NodeName = "n"
	h.mustCreate(ref("", "pods", "default", ""), placed)
	for name, want := range map[string]map[string]string{
		"p": {"a": "own", "b": "c", "topology.kubernetes.io/zone": "z"}, "q": {"topology.kubernetes.io/zone": "z"},
	} {
		it, err := h.get(ref("", "pods", "default", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := into(t, it, &corev1.Pod{}).Metadata.Labels; !maps.Equal(got, want) {
			t.Errorf("%s has %v", name, got)
		}
	}
}

func TestBindingOnce(t *testing.T) {
	h := start(t)
	h.mustCreate(ref("", "pods", "default", ""), pod("p"))
	at := func() *resourcev1.ObjectRef { return sub(ref("", "pods", "default", "p"), "binding") }
	b := func(node string) *corev1.Binding {
		return &corev1.Binding{Metadata: &metav1.ObjectMeta{Name: "p"}, Target: &corev1.ObjectReference{Kind: "Node", Name: node}}
	}
	if _, err := h.create(at(), b("n1")); err != nil {
		t.Fatal(err)
	}
	_, err := h.create(at(), b("n2"))
	if !apierrors.IsConflict(err) {
		t.Fatal(err)
	}
	wantErr(t, err, `pod p is already assigned to node "n1"`)
	it, err := h.get(ref("", "pods", "default", "p"))
	if err != nil {
		t.Fatal(err)
	}
	p := into(t, it, &corev1.Pod{})
	if p.Spec.NodeName != "n1" || len(p.Status.Conditions) != 1 || p.Status.Conditions[0].Status != "True" {
		t.Fatalf("bound as %v", p)
	}
	if _, err := h.create(sub(ref("", "pods", "default", "p"), "eviction"), &policyv1.Eviction{Metadata: &metav1.ObjectMeta{Name: "p"}}); err != nil {
		t.Fatal(err)
	}
	if it, err = h.get(ref("", "pods", "default", "p")); err != nil || into(t, it, &corev1.Pod{}).Metadata.DeletionTimestamp == nil {
		t.Fatalf("evicted pod: %v, %v", it, err)
	}
}

func deployment() *appsv1.Deployment {
	return &appsv1.Deployment{Metadata: &metav1.ObjectMeta{Name: "web"}, Spec: &appsv1.DeploymentSpec{
		Replicas: proto.Int32(2), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		Template: &corev1.PodTemplateSpec{
			Metadata: &metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
			Spec:     &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Image: "i"}}},
		},
	}}
}

func TestScale(t *testing.T) {
	h := start(t)
	h.mustCreate(ref("apps", "deployments", "default", ""), deployment())
	at := func() *resourcev1.ObjectRef { return sub(ref("apps", "deployments", "default", "web"), "scale") }
	it, err := h.get(at())
	if err != nil {
		t.Fatal(err)
	}
	s := into(t, it, &autoscalingv1.Scale{})
	if s.Spec.Replicas != 2 || s.Status.Selector != "app=web" || s.Metadata.Name != "web" {
		t.Fatalf("scale is %v", s)
	}
	if json, err := it.JSON(); err != nil || !strings.Contains(string(json), `"kind":"Scale","apiVersion":"autoscaling/v1"`) {
		t.Fatalf("%s, %v", json, err)
	}
	s.Spec.Replicas = 5
	if _, err := h.update(at(), s); err != nil {
		t.Fatal(err)
	}
	if _, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: at(), Type: resourcev1.PatchType_PATCH_TYPE_MERGE, Patch: []byte(`{"spec":{"replicas":7}}`)}); err != nil {
		t.Fatal(err)
	}
	it, err = h.get(ref("apps", "deployments", "default", "web"))
	if err != nil {
		t.Fatal(err)
	}
	if d := into(t, it, &appsv1.Deployment{}); d.Spec.GetReplicas() != 7 || d.Metadata.Generation != 3 {
		t.Fatalf("scaled to %v, generation %d", d.Spec.GetReplicas(), d.Metadata.Generation)
	}
}

func TestPatchesAndApply(t *testing.T) {
	h := start(t)
	at := func() *resourcev1.ObjectRef { return ref("apps", "deployments", "default", "web") }
	h.mustCreate(ref("apps", "deployments", "default", ""), deployment())
	patch := func(typ resourcev1.PatchType, p string, o *resourcev1.WriteOptions) (*pipeline.Result, error) {
		return h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: at(), Type: typ, Patch: []byte(p), Options: o})
	}
	res, err := patch(resourcev1.PatchType_PATCH_TYPE_STRATEGIC_MERGE, `{"spec":{"template":{"spec":{"containers":[{"name":"d","image":"j"}]}}}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(into(t, res.Item, &appsv1.Deployment{}).Spec.Template.Spec.Containers); n != 2 {
		t.Fatalf("%d containers", n)
	}
	if res, err = patch(resourcev1.PatchType_PATCH_TYPE_JSON, `[{"op":"replace","path":"/spec/replicas","value":9}]`, nil); err != nil {
		t.Fatal(err)
	}
	if n := into(t, res.Item, &appsv1.Deployment{}).Spec.GetReplicas(); n != 9 {
		t.Fatalf("%d replicas", n)
	}
	_, err = patch(resourcev1.PatchType_PATCH_TYPE_MERGE, `{"metadata":{"resourceVersion":"1"}}`, nil)
	if !apierrors.IsConflict(err) {
		t.Fatalf("patch of an old version: %v", err)
	}
	_, err = patch(resourcev1.PatchType_PATCH_TYPE_MERGE, `{"spec":{"nope":1}}`, &resourcev1.WriteOptions{FieldValidation: "Strict"})
	wantErr(t, err, `unknown field "spec.nope"`)

	config := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {k: \"%s\"}\n"
	applyAs := func(manager, value string) (*pipeline.Result, error) {
		return h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: ref("", "configmaps", "default", "c"), Type: resourcev1.PatchType_PATCH_TYPE_APPLY,
			Patch: []byte(strings.Replace(config, "%s", value, 1)), Options: &resourcev1.WriteOptions{FieldManager: manager}})
	}
	if res, err = applyAs("one", "1"); err != nil || !res.Created {
		t.Fatalf("%+v, %v", res, err)
	}
	again, err := applyAs("one", "1")
	if err != nil || again.Created || again.Item.Revision != res.Item.Revision {
		t.Fatalf("applied again: %+v, %v", again, err)
	}
	if _, err = applyAs("two", "2"); !apierrors.IsConflict(err) {
		t.Fatalf("apply of another's field: %v", err)
	}
	if _, err = applyAs("one", "3"); err != nil {
		t.Fatal(err)
	}
}

func TestNamespaceLife(t *testing.T) {
	h := start(t)
	ns := into(t, h.mustCreate(ref("", "namespaces", "", ""), &corev1.Namespace{Metadata: &metav1.ObjectMeta{Name: "x"}}), &corev1.Namespace{})
	if ns.Status.GetPhase() != "Active" || len(ns.Spec.GetFinalizers()) != 1 || ns.Metadata.Labels["kubernetes.io/metadata.name"] != "x" {
		t.Fatalf("created as %v", ns)
	}
	h.mustCreate(ref("", "configmaps", "x", ""), configMap("a", nil))
	res := h.delete(ref("", "namespaces", "", "x"), nil)
	if gone := into(t, res.Item, &corev1.Namespace{}); res.Deleted || gone.Status.GetPhase() != "Terminating" {
		t.Fatalf("deleted as %v", gone)
	}
	if _, err := h.get(ref("", "namespaces", "", "x")); err != nil {
		t.Fatal(err)
	}
	_, err := h.create(ref("", "configmaps", "x", ""), configMap("b", nil))
	wantErr(t, err, `configmaps "b" is forbidden: unable to create new content in namespace x because it is being terminated`)
	ns.Spec.Finalizers, ns.Metadata.ResourceVersion = nil, ""
	if _, err := h.update(sub(ref("", "namespaces", "", "x"), "finalize"), ns); err != nil {
		t.Fatal(err)
	}
	if _, err := h.get(ref("", "namespaces", "", "x")); !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
}

func TestDeleteCollection(t *testing.T) {
	h := start(t)
	for _, name := range []string{"a", "b", "c"} {
		cm := configMap(name, nil)
		cm.Metadata.Labels = map[string]string{"name": name}
		h.mustCreate(ref("", "configmaps", "default", ""), cm)
	}
	sel := selection("", "configmaps", "default")
	sel.LabelSelector = "name in (a,c)"
	gone, err := h.s.DeleteCollection(h.ctx, &resourcev1.DeleteCollectionRequest{Selection: sel})
	if err != nil || len(gone) != 2 {
		t.Fatalf("%d deleted, %v", len(gone), err)
	}
	list, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: selection("", "configmaps", "default")})
	if err != nil || len(list.Items) != 1 || list.Items[0].Name != "b" {
		t.Fatalf("left: %v, %v", list, err)
	}
}
