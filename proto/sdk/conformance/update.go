package conformance

import (
	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

var update = group{"update", []behaviour{
	{"replaces", func(e *env) {
		old := e.put(e.configMap("a", "k", "1", "gone", "x"))
		in := proto.CloneOf(old)
		in.Data = map[string]string{"k": "2"}
		m := must(e.maps.Update(e.ctx, in))(e)
		if m.Data["k"] != "2" || len(m.Data) != 1 || client.Revision(m) <= client.Revision(old) || m.Metadata.Uid != old.Metadata.Uid {
			e.Errorf("updated to %v", m)
		}
	}},
	{"stale resourceVersion", func(e *env) {
		old := e.put(e.configMap("a", "k", "1"))
		in := proto.CloneOf(old)
		in.Data["k"] = "2"
		must(e.maps.Update(e.ctx, in))(e)
		in.Data["k"] = "3"
		_, err := e.maps.Update(e.ctx, in)
		e.wants(err, apierrors.IsConflict, `Operation cannot be fulfilled on configmaps "a": `+apierrors.OptimisticLock)
		if m := must(e.maps.Get(e.ctx, e.ns, "a"))(e); m.Data["k"] != "2" {
			e.Errorf("the refused write took effect: %v", m)
		}
	}},
	{"without resourceVersion", func(e *env) {
		e.put(e.configMap("a", "k", "1"))
		if m := must(e.maps.Update(e.ctx, e.configMap("a", "k", "2")))(e); m.Data["k"] != "2" {
			e.Errorf("updated to %v", m)
		}
	}},
	{"no change is no write", func(e *env) {
		old := e.put(e.configMap("a", "k", "1"))
		if m := must(e.maps.Update(e.ctx, proto.CloneOf(old)))(e); client.Revision(m) != client.Revision(old) {
			e.Errorf("revision %d, was %d", client.Revision(m), client.Revision(old))
		}
	}},
	{"what does not exist", func(e *env) {
		in := e.configMap("a")
		in.Metadata.ResourceVersion = "1"
		_, err := e.maps.Update(e.ctx, in)
		e.wants(err, apierrors.IsNotFound, `configmaps "a" not found`)
	}},
	{"another object of the name", func(e *env) {
		in := proto.CloneOf(e.put(e.configMap("a")))
		in.Metadata.Uid, in.Metadata.ResourceVersion = "00000000-0000-0000-0000-000000000000", ""
		_, err := e.maps.Update(e.ctx, in)
		e.wants(err, apierrors.IsConflict, "Precondition failed: UID in precondition")
	}},
	{"system's metadata stays", func(e *env) {
		old := e.put(e.configMap("a"))
		in := proto.CloneOf(old)
		in.Metadata.CreationTimestamp, in.Metadata.Uid = nil, ""
		in.Metadata.Labels = map[string]string{"x": "y"}
		m := must(e.maps.Update(e.ctx, in))(e)
		if !proto.Equal(m.Metadata.CreationTimestamp, old.Metadata.CreationTimestamp) || m.Metadata.Uid != old.Metadata.Uid {
			e.Errorf("metadata %v, was %v", m.Metadata, old.Metadata)
		}
	}},
	{"trimmed object written back keeps its managers", func(e *env) {
		e.put(e.configMap("a", "k", "1"))
		in := must(e.maps.Trim().Get(e.ctx, e.ns, "a"))(e)
		if len(in.Metadata.ManagedFields) != 0 {
			e.Errorf("a trimmed read has managed fields")
		}
		in.Metadata.Annotations = map[string]string{"x": "y"}
		must(e.maps.Update(e.ctx, in))(e)
		if m := must(e.maps.Get(e.ctx, e.ns, "a"))(e); len(m.Metadata.ManagedFields) == 0 {
			e.Errorf("managed fields are lost: %v", m.Metadata)
		}
	}},
	{"immutable fields", func(e *env) {
		in := e.configMap("a", "k", "1")
		in.Immutable = proto.Bool(true)
		in = proto.CloneOf(e.put(in))
		in.Data["k"] = "2"
		_, err := e.maps.Update(e.ctx, in)
		e.wants(err, apierrors.IsInvalid, "field is immutable when `immutable` is set")
	}},
	{"generation follows the spec", func(e *env) {
		c := client.For[*appsv1.Deployment](e.Conn)
		d := must(c.Create(e.ctx, e.deployment("a")))(e)
		in := proto.CloneOf(d)
		in.Metadata.Labels = map[string]string{"x": "y"}
		in.Status = &appsv1.DeploymentStatus{Replicas: 5}
		d = must(c.Update(e.ctx, in))(e)
		if d.Metadata.Generation != 1 || d.Status.GetReplicas() != 0 {
			e.Errorf("generation %d, status %v after a change of metadata", d.Metadata.Generation, d.Status)
		}
		in = proto.CloneOf(d)
		in.Spec.Replicas = proto.Int32(7)
		if d = must(c.Update(e.ctx, in))(e); d.Metadata.Generation != 2 {
			e.Errorf("generation %d after a change of spec", d.Metadata.Generation)
		}
	}},
}}

var status = group{"status", []behaviour{
	{"changes the status alone", func(e *env) {
		c := client.For[*appsv1.Deployment](e.Conn)
		in := proto.CloneOf(must(c.Create(e.ctx, e.deployment("a")))(e))
		in.Status = &appsv1.DeploymentStatus{Replicas: 5, ObservedGeneration: 1}
		in.Spec.Replicas = proto.Int32(9)
		in.Metadata.Labels = map[string]string{"x": "y"}
		d := must(c.UpdateStatus(e.ctx, in))(e)
		if d.Status.Replicas != 5 || d.Spec.GetReplicas() != 2 || len(d.Metadata.Labels) != 0 || d.Metadata.Generation != 1 {
			e.Errorf("updated to %v", d)
		}
	}},
	{"of a pod", func(e *env) {
		in := proto.CloneOf(must(e.pods.Create(e.ctx, e.pod("a")))(e))
		in.Status = &corev1.PodStatus{Phase: "Running", PodIP: "10.0.0.1"}
		in.Spec.Containers[0].Image = "other"
		p := must(e.pods.UpdateStatus(e.ctx, in))(e)
		if p.Status.Phase != "Running" || p.Spec.Containers[0].Image == "other" {
			e.Errorf("updated to %v", p)
		}
	}},
	{"stale resourceVersion", func(e *env) {
		in := proto.CloneOf(must(e.pods.Create(e.ctx, e.pod("a")))(e))
		in.Status = &corev1.PodStatus{Phase: "Running"}
		must(e.pods.UpdateStatus(e.ctx, in))(e)
		in.Status.Phase = "Failed"
		_, err := e.pods.UpdateStatus(e.ctx, in)
		e.wants(err, apierrors.IsConflict, apierrors.OptimisticLock)
	}},
	{"of a kind without one", func(e *env) {
		m := e.put(e.configMap("a"))
		_, err := e.maps.UpdateStatus(e.ctx, m)
		e.wants(err, apierrors.IsNotFound, "the server could not find the requested resource")
	}},
}}
