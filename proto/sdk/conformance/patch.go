package conformance

import (
	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
)

var patch = group{"patch", []behaviour{
	{"merge", func(e *env) {
		e.put(e.configMap("a", "k", "1", "gone", "x"))
		m := must(e.maps.Patch(e.ctx, e.ns, "a", client.MergePatch, []byte(`{"data":{"k":"2","gone":null,"new":"y"}}`)))(e)
		if m.Data["k"] != "2" || m.Data["new"] != "y" || len(m.Data) != 2 {
			e.Errorf("data %v", m.Data)
		}
	}},
	{"json", func(e *env) {
		e.put(e.configMap("a", "k", "1"))
		m := must(e.maps.Patch(e.ctx, e.ns, "a", client.JSONPatch,
			[]byte(`[{"op":"test","path":"/data/k","value":"1"},{"op":"replace","path":"/data/k","value":"2"},{"op":"add","path":"/metadata/labels","value":{"x":"y"}}]`)))(e)
		if m.Data["k"] != "2" || m.Metadata.Labels["x"] != "y" {
			e.Errorf("patched to %v", m)
		}
		_, err := e.maps.Patch(e.ctx, e.ns, "a", client.JSONPatch, []byte(`[{"op":"test","path":"/data/k","value":"1"}]`))
		if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
			e.Errorf("a test that fails: %v", err)
		}
	}},
	{"strategic merge of lists by key", func(e *env) {
		c := client.For[*appsv1.Deployment](e.Conn)
		in := e.deployment("a")
		in.Spec.Template.Spec.Containers = append(in.Spec.Template.Spec.Containers, &corev1.Container{Name: "side", Image: "side:v1"})
		must(c.Create(e.ctx, in))(e)
		d := must(c.Patch(e.ctx, e.ns, "a", client.StrategicMergePatch,
			[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"side:v2"}]}}}}`)))(e)
		cs := d.Spec.Template.Spec.Containers
		if len(cs) != 2 {
			e.Fatalf("containers %v", cs)
		}
		for _, c := range cs {
			if c.Name == "side" && c.Image != "side:v2" || c.Name == "c" && c.Image != "example.org/image:v1" {
				e.Errorf("container %v", c)
			}
		}
		d = must(c.Patch(e.ctx, e.ns, "a", client.StrategicMergePatch,
			[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"side","$patch":"delete"}]}}}}`)))(e)
		if cs := d.Spec.Template.Spec.Containers; len(cs) != 1 || cs[0].Name != "c" {
			e.Errorf("containers %v", cs)
		}
		if d.Metadata.Generation != 3 {
			e.Errorf("generation %d", d.Metadata.Generation)
		}
	}},
	{"with a resourceVersion", func(e *env) {
		m := e.put(e.configMap("a", "k", "1"))
		e.change("a", "2")
		_, err := e.maps.Patch(e.ctx, e.ns, "a", client.MergePatch, []byte(`{"metadata":{"resourceVersion":"`+m.Metadata.ResourceVersion+`"},"data":{"k":"3"}}`))
		e.wants(err, apierrors.IsConflict, apierrors.OptimisticLock)
	}},
	{"of the status", func(e *env) {
		must(e.pods.Create(e.ctx, e.pod("a")))(e)
		p := must(e.pods.Patch(e.ctx, e.ns, "a", client.StrategicMergePatch,
			[]byte(`{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]},"spec":{"nodeName":"n"}}`),
			client.PatchOptions{Subresource: "status"}))(e)
		if p.Status.Phase != "Running" || len(p.Status.Conditions) != 1 || p.Spec.NodeName != "" {
			e.Errorf("patched to %v", p)
		}
	}},
	{"what does not exist", func(e *env) {
		_, err := e.maps.Patch(e.ctx, e.ns, "a", client.MergePatch, []byte(`{}`))
		e.wants(err, apierrors.IsNotFound, `configmaps "a" not found`)
	}},
	{"to an invalid object", func(e *env) {
		must(client.For[*appsv1.Deployment](e.Conn).Create(e.ctx, e.deployment("a")))(e)
		_, err := client.For[*appsv1.Deployment](e.Conn).Patch(e.ctx, e.ns, "a", client.MergePatch, []byte(`{"spec":{"replicas":-1}}`))
		e.wants(err, apierrors.IsInvalid, "spec.replicas: Invalid value: -1: must be greater than or equal to 0")
	}},
	{"that does not change", func(e *env) {
		m := e.put(e.configMap("a", "k", "1"))
		if got := must(e.maps.Patch(e.ctx, e.ns, "a", client.MergePatch, []byte(`{"data":{"k":"1"}}`)))(e); client.Revision(got) != client.Revision(m) {
			e.Errorf("patched to %v, was %v", got, m)
		}
	}},
	{"malformed", func(e *env) {
		e.put(e.configMap("a"))
		for _, p := range []string{`{`, `[]`, `"text"`, ``} {
			if _, err := e.maps.Patch(e.ctx, e.ns, "a", client.MergePatch, []byte(p)); !apierrors.IsBadRequest(err) && !apierrors.IsInvalid(err) {
				e.Errorf("%q: %v", p, err)
			}
		}
	}},
}}

func (e *env) apply(manager, config string, force bool) (*corev1.ConfigMap, error) {
	return e.maps.Apply(e.ctx, e.ns, "a", []byte(config), client.PatchOptions{FieldManager: manager, Force: force})
}

const applied = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"

var apply = group{"apply", []behaviour{
	{"creates, changes and gives up", func(e *env) {
		m := must(e.apply("one", applied+"data: {k: \"1\", mine: x}", false))(e)
		if m.Data["k"] != "1" || m.Data["mine"] != "x" {
			e.Errorf("data %v", m.Data)
		}
		if m = must(e.apply("one", applied+"data: {k: \"2\"}", false))(e); m.Data["k"] != "2" || len(m.Data) != 1 {
			e.Errorf("data %v, want what is no longer applied gone", m.Data)
		}
		if again := must(e.apply("one", applied+"data: {k: \"2\"}", false))(e); client.Revision(again) != client.Revision(m) {
			e.Error("the same configuration again is a write")
		}
	}},
	{"fields have owners", func(e *env) {
		must(e.apply("one", applied+"data: {k: \"1\"}", false))(e)
		must(e.apply("two", applied+"data: {other: \"1\"}", false))(e)
		m := must(e.apply("two", applied+"data: {k: \"1\"}", false))(e) // the same value is shared; other is given up
		if len(m.Data) != 1 {
			e.Errorf("data %v", m.Data)
		}
		_, err := e.apply("three", applied+"data: {k: \"9\"}", false)
		e.wants(err, apierrors.IsConflict, "Apply failed with 2 conflicts")
		if !apierrors.HasCause(err, apierrors.CauseFieldManagerConflict) {
			e.Errorf("causes %v", apierrors.FromError(err).GetDetails())
		}
		m = must(e.apply("three", applied+"data: {k: \"9\"}", true))(e)
		if m.Data["k"] != "9" {
			e.Errorf("data %v", m.Data)
		}
		_, err = e.apply("one", applied+"data: {k: \"1\"}", false)
		e.wants(err, apierrors.IsConflict, `Apply failed with 1 conflict: conflict with "three": .data.k`)
	}},
	{"another's update is a conflict", func(e *env) {
		must(e.apply("one", applied+"data: {k: \"1\"}", false))(e)
		must(e.maps.Patch(e.ctx, e.ns, "a", client.MergePatch, []byte(`{"data":{"k":"2"}}`), client.PatchOptions{FieldManager: "editor"}))(e)
		_, err := e.apply("one", applied+"data: {k: \"1\"}", false)
		e.wants(err, apierrors.IsConflict, `conflict with "editor"`)
	}},
	{"needs a manager", func(e *env) {
		_, err := e.apply("", applied, false)
		if !apierrors.IsBadRequest(err) && !apierrors.IsInvalid(err) {
			e.Errorf("error %v", err)
		}
	}},
	{"managers are recorded", func(e *env) {
		m := must(e.apply("one", applied+"data: {k: \"1\"}", false))(e)
		if f := m.Metadata.ManagedFields; len(f) != 1 || f[0].Manager != "one" || f[0].Operation != "Apply" || f[0].ApiVersion != "v1" ||
			f[0].FieldsType != "FieldsV1" || string(f[0].FieldsV1.GetRaw()) != `{"f:data":{"f:k":{}}}` {
			e.Errorf("managed fields %v", f)
		}
	}},
}}
