package pipeline_test

import (
	"strings"
	"testing"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	autoscalingv1 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

const (
	jsonPatch      = resourcev1.PatchType_PATCH_TYPE_JSON
	mergePatch     = resourcev1.PatchType_PATCH_TYPE_MERGE
	strategicPatch = resourcev1.PatchType_PATCH_TYPE_STRATEGIC_MERGE
	applyPatch     = resourcev1.PatchType_PATCH_TYPE_APPLY
)

func (h *harness) patchSub(r *resourcev1.ObjectRef, typ resourcev1.PatchType, patch string) (*corev1.Pod, error) {
	h.Helper()
	res, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: r, Type: typ, Patch: []byte(patch), Options: &resourcev1.WriteOptions{FieldManager: "m"}})
	if err != nil {
		return nil, err
	}
	return into(h.T, res.Item, &corev1.Pod{}), nil
}

func TestEphemeralContainers(t *testing.T) {
	h := start(t)
	h.mustCreate(ref("", "pods", "default", ""), pod("p"))
	at := func() *resourcev1.ObjectRef { return sub(ref("", "pods", "default", "p"), "ephemeralcontainers") }
	steps := []struct {
		name  string
		typ   resourcev1.PatchType
		patch string
		err   string
		names string
	}{
		{"strategic", strategicPatch, `{"spec":{"ephemeralContainers":[{"name":"d1","image":"busybox","targetContainerName":"c"}]}}`, "", "d1"},
		{"json", jsonPatch, `[{"op":"add","path":"/spec/ephemeralContainers/-","value":{"name":"d2","image":"busybox"}}]`, "", "d1 d2"},
		{"apply", applyPatch, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"other"}],"ephemeralContainers":[{"name":"d3","image":"busybox"}]}}`, "", "d1 d2 d3"},
		{"anything else is kept", mergePatch, `{"metadata":{"labels":{"a":"b"}},"spec":{"hostNetwork":true}}`, "", "d1 d2 d3"},
		{"removed", jsonPatch, `[{"op":"remove","path":"/spec/ephemeralContainers/0"}]`, `spec.ephemeralContainers: Forbidden: existing ephemeral containers "d1" may not be removed`, ""},
		{"changed", strategicPatch, `{"spec":{"ephemeralContainers":[{"name":"d1","image":"other"}]}}`, `spec.ephemeralContainers: Forbidden: existing ephemeral containers "d1" may not be changed`, ""},
		{"name taken", strategicPatch, `{"spec":{"ephemeralContainers":[{"name":"c","image":"b"}]}}`, `ephemeralContainers[0].name: Duplicate value: "c"`, ""},
		{"no target", strategicPatch, `{"spec":{"ephemeralContainers":[{"name":"x","image":"b","targetContainerName":"none"}]}}`, `targetContainerName: Not found: "none"`, ""},
		{"a probe", strategicPatch, `{"spec":{"ephemeralContainers":[{"name":"x","image":"b","livenessProbe":{"exec":{"command":["a"]}}}]}}`, `livenessProbe: Forbidden: cannot be set for an Ephemeral Container`, ""},
		{"resources", strategicPatch, `{"spec":{"ephemeralContainers":[{"name":"x","image":"b","resources":{"limits":{"cpu":"1"}}}]}}`, `resources: Forbidden: cannot be set for an Ephemeral Container`, ""},
		{"no image", strategicPatch, `{"spec":{"ephemeralContainers":[{"name":"x"}]}}`, `image: Required value`, ""},
	}
	for _, s := range steps {
		got, err := h.patchSub(at(), s.typ, s.patch)
		if s.err != "" {
			wantErr(t, err, s.err)
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		var names []string
		for _, c := range got.Spec.EphemeralContainers {
			names = append(names, c.EphemeralContainerCommon.Name)
		}
		if strings.Join(names, " ") != s.names || got.Spec.HostNetwork || len(got.Metadata.Labels) > 0 || got.Spec.Containers[0].Image != "busybox" {
			t.Errorf("%s: %v, %v", s.name, names, got)
		}
	}
	it, err := h.get(ref("", "pods", "default", "p"))
	if err != nil {
		t.Fatal(err)
	}
	p := into(t, it, &corev1.Pod{})
	if p.Metadata.Generation != 4 {
		t.Errorf("generation %d", p.Metadata.Generation)
	}
	if e := p.Spec.EphemeralContainers[0].EphemeralContainerCommon; e.ImagePullPolicy != "Always" || e.TerminationMessagePath == "" {
		t.Errorf("no defaults: %v", e)
	}
	p.Spec.EphemeralContainers = p.Spec.EphemeralContainers[:1]
	_, err = h.update(ref("", "pods", "default", "p"), p)
	wantErr(t, err, "pod updates may not change fields other than")
}

func TestResize(t *testing.T) {
	h := start(t)
	p := pod("p")
	q := func(s string) *metav1.Quantity { return &metav1.Quantity{String_: s} }
	p.Spec.Containers[0].Resources = &corev1.ResourceRequirements{
		Requests: map[string]*metav1.Quantity{"cpu": q("100m"), "memory": q("64Mi")}, Limits: map[string]*metav1.Quantity{"cpu": q("200m")}}
	h.mustCreate(ref("", "pods", "default", ""), p)
	at := func() *resourcev1.ObjectRef { return sub(ref("", "pods", "default", "p"), "resize") }
	tests := []struct{ name, patch, err string }{
		{"cpu", `{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"150m"},"limits":{"cpu":"300m"}}}]}}`, ""},
		{"policy", `{"spec":{"containers":[{"name":"c","resizePolicy":[{"resourceName":"memory","restartPolicy":"RestartContainer"}]}]}}`, ""},
		{"image is kept", `{"spec":{"containers":[{"name":"c","image":"other"}]}}`, ""},
		{"unknown policy", `{"spec":{"containers":[{"name":"c","resizePolicy":[{"resourceName":"disk","restartPolicy":"Never"}]}]}}`, `resizePolicy: Unsupported value: "disk"`},
		{"class", `{"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":"150m","memory":"64Mi"}}}]}}`, "spec: Invalid value: \"Burstable\": Pod QOS Class may not change as a result of resizing"},
		{"removed", `{"spec":{"containers":[{"name":"c","resources":{"requests":{"memory":null}}}]}}`, "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"},
		{"another resource", `{"spec":{"containers":[{"name":"c","resources":{"requests":{"ephemeral-storage":"1Gi"}}}]}}`, "spec: Forbidden: only cpu and memory resources are mutable"},
		{"more containers", `{"spec":{"containers":[{"name":"d","image":"x"}]}}`, "containers may not be added or removed on resize"},
		{"more than the limit", `{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"2"}}}]}}`, "must be less than or equal to cpu limit of 300m"},
	}
	for _, tt := range tests {
		got, err := h.patchSub(at(), strategicPatch, tt.patch)
		if tt.err != "" {
			wantErr(t, err, tt.err)
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if c := got.Spec.Containers[0]; c.Image != "busybox" || c.Resources.Requests["cpu"].GetString_() != "150m" {
			t.Errorf("%s: %v", tt.name, c)
		}
	}
	it, err := h.get(ref("", "pods", "default", "p"))
	if err != nil {
		t.Fatal(err)
	}
	p = into(t, it, &corev1.Pod{})
	if p.Metadata.Generation != 3 {
		t.Errorf("generation %d", p.Metadata.Generation)
	}
	p.Spec.Containers[0].Resources.Requests["cpu"] = q("160m")
	_, err = h.update(ref("", "pods", "default", "p"), p)
	wantErr(t, err, "pod updates may not change fields other than")
}

func TestApplyScale(t *testing.T) {
	h := start(t)
	at := func() *resourcev1.ObjectRef { return ref("apps", "deployments", "default", "web") }
	apply := func(r *resourcev1.ObjectRef, manager, config string, force bool) (*resourcev1.ObjectRef, error) {
		_, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: r, Type: applyPatch, Patch: []byte(config), Force: force,
			Options: &resourcev1.WriteOptions{FieldManager: manager}})
		return r, err
	}
	deployment := `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"web"}},
		"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}`
	if _, err := apply(at(), "owner", deployment, false); err != nil {
		t.Fatal(err)
	}
	scale := `{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"web","namespace":"default"},"spec":{"replicas":5}}`
	_, err := apply(sub(at(), "scale"), "scaler", scale, false)
	wantErr(t, err, `Apply failed with 1 conflict: conflict with "owner": .spec.replicas`)
	res, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: sub(at(), "scale"), Type: applyPatch, Patch: []byte(scale), Force: true,
		Options: &resourcev1.WriteOptions{FieldManager: "scaler"}})
	if err != nil {
		t.Fatal(err)
	}
	shown := into(t, res.Item, &autoscalingv1.Scale{})
	if shown.Spec.Replicas != 5 {
		t.Errorf("shown %v", shown)
	}
	it, err := h.get(at())
	if err != nil {
		t.Fatal(err)
	}
	d := into(t, it, &appsv1.Deployment{})
	owners := map[string]string{}
	for _, e := range d.Metadata.ManagedFields {
		owners[e.Manager+"/"+e.Subresource+"/"+e.Operation+"/"+e.ApiVersion] = string(e.FieldsV1.Raw)
	}
	if d.Spec.GetReplicas() != 5 || owners["scaler/scale/Apply/apps/v1"] != `{"f:spec":{"f:replicas":{}}}` {
		t.Errorf("stored %v, owned by %v", d.Spec.GetReplicas(), owners)
	}
	if strings.Contains(owners["owner//Apply/apps/v1"], "f:replicas") {
		t.Errorf("the former owner keeps the field: %v", owners)
	}
	// The owner lets go of the field and keeps the rest.
	if _, err := apply(at(), "owner", strings.Replace(deployment, `"replicas":1,`, "", 1), false); err != nil {
		t.Fatal(err)
	}
	it, err = h.get(at())
	if err != nil {
		t.Fatal(err)
	}
	if n := into(t, it, &appsv1.Deployment{}).Spec.GetReplicas(); n != 5 {
		t.Errorf("%d replicas", n)
	}
}
