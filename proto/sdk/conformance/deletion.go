package conformance

import (
	"slices"
	"strings"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

func (e *env) gone(name string) {
	e.Helper()
	_, err := e.maps.Get(e.ctx, e.ns, name)
	e.wants(err, apierrors.IsNotFound, `configmaps "`+name+`" not found`)
}

var deletion = group{"delete", []behaviour{
	{"removes", func(e *env) {
		e.put(e.configMap("a"))
		must(0, e.maps.Delete(e.ctx, e.ns, "a"))(e)
		e.gone("a")
		err := e.maps.Delete(e.ctx, e.ns, "a")
		e.wants(err, apierrors.IsNotFound, `configmaps "a" not found`)
		if m := e.put(e.configMap("a")); m.Metadata.Uid == "" {
			e.Error("the name cannot be used again")
		}
	}},
	{"finalizers hold", func(e *env) {
		in := e.configMap("a", "k", "1")
		in.Metadata.Finalizers = []string{"example.org/hold", "example.org/too"}
		e.put(in)
		must(0, e.maps.Delete(e.ctx, e.ns, "a"))(e)
		m := must(e.maps.Get(e.ctx, e.ns, "a"))(e)
		if apitime.IsZero(m.Metadata.DeletionTimestamp) || m.Metadata.DeletionGracePeriodSeconds == nil {
			e.Fatalf("metadata %v", m.Metadata)
		}
		must(0, e.maps.Delete(e.ctx, e.ns, "a"))(e) // once more is no error
		in = proto.CloneOf(m)
		in.Metadata.Finalizers = []string{"example.org/too", "example.org/new"}
		_, err := e.maps.Update(e.ctx, in)
		e.wants(err, apierrors.IsInvalid, "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted")
		in.Metadata.Finalizers = []string{"example.org/too"}
		in = proto.CloneOf(must(e.maps.Update(e.ctx, in))(e))
		in.Metadata.Finalizers = nil
		must(e.maps.Update(e.ctx, in))(e)
		e.gone("a")
	}},
	{"preconditions", func(e *env) {
		m := e.put(e.configMap("a"))
		err := e.maps.Delete(e.ctx, e.ns, "a", client.DeleteOptions{Preconditions: client.UID("other")})
		e.wants(err, apierrors.IsConflict, "Precondition failed: UID in precondition: other, UID in object meta: "+m.Metadata.Uid)
		err = e.maps.Delete(e.ctx, e.ns, "a", client.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: proto.String("1")}})
		e.wants(err, apierrors.IsConflict, "Precondition failed: ResourceVersion in precondition: 1, ResourceVersion in object meta: "+m.Metadata.ResourceVersion)
		must(0, e.maps.Delete(e.ctx, e.ns, "a", client.DeleteOptions{Preconditions: &metav1.Preconditions{
			Uid: &m.Metadata.Uid, ResourceVersion: &m.Metadata.ResourceVersion}}))(e)
		e.gone("a")
	}},
	{"foreground and orphan wait for the garbage collector", func(e *env) {
		for policy, finalizer := range map[string]string{client.Orphan: "orphan", client.Foreground: "foregroundDeletion"} {
			name := strings.ToLower(policy)
			e.put(e.configMap(name))
			must(0, e.maps.Delete(e.ctx, e.ns, name, client.DeleteOptions{PropagationPolicy: policy}))(e)
			m := must(e.maps.Get(e.ctx, e.ns, name))(e)
			if apitime.IsZero(m.Metadata.DeletionTimestamp) || !slices.Equal(m.Metadata.Finalizers, []string{finalizer}) {
				e.Errorf("%s: metadata %v", policy, m.Metadata)
			}
		}
		e.put(e.configMap("background"))
		must(0, e.maps.Delete(e.ctx, e.ns, "background", client.DeleteOptions{PropagationPolicy: client.Background}))(e)
		e.gone("background")
		err := e.maps.Delete(e.ctx, e.ns, "orphan", client.DeleteOptions{PropagationPolicy: "Sideways"})
		e.wants(err, apierrors.IsInvalid, "Sideways")
	}},
	{"grace of a pod on a node", func(e *env) {
		in := e.pod("a")
		in.Spec.NodeName = "node-1"
		must(e.pods.Create(e.ctx, in))(e)
		must(0, e.pods.Delete(e.ctx, e.ns, "a", client.DeleteOptions{GracePeriodSeconds: proto.Int64(20)}))(e)
		p := must(e.pods.Get(e.ctx, e.ns, "a"))(e)
		if apitime.IsZero(p.Metadata.DeletionTimestamp) || p.Metadata.GetDeletionGracePeriodSeconds() != 20 {
			e.Errorf("metadata %v", p.Metadata)
		}
		must(0, e.pods.Delete(e.ctx, e.ns, "a", client.DeleteOptions{GracePeriodSeconds: proto.Int64(5)}))(e)
		if p = must(e.pods.Get(e.ctx, e.ns, "a"))(e); p.Metadata.GetDeletionGracePeriodSeconds() != 5 {
			e.Errorf("the grace period cannot be shortened: %v", p.Metadata)
		}
		must(0, e.pods.Delete(e.ctx, e.ns, "a", client.DeleteOptions{GracePeriodSeconds: proto.Int64(0)}))(e)
		_, err := e.pods.Get(e.ctx, e.ns, "a")
		e.wants(err, apierrors.IsNotFound, `pods "a" not found`)
	}},
	{"a pod without a node goes at once", func(e *env) {
		must(e.pods.Create(e.ctx, e.pod("a")))(e)
		must(0, e.pods.Delete(e.ctx, e.ns, "a"))(e)
		_, err := e.pods.Get(e.ctx, e.ns, "a")
		e.wants(err, apierrors.IsNotFound, `pods "a" not found`)
	}},
	{"collection", func(e *env) {
		for _, n := range []string{"a", "b", "c"} {
			e.put(e.labelled(n, "keep", map[bool]string{true: "yes", false: "no"}[n == "b"]))
		}
		deleted := must(e.maps.DeleteCollection(e.ctx, client.ListOptions{Namespace: e.ns, LabelSelector: "keep=no"}))(e)
		if names(deleted) != "a c" {
			e.Errorf("deleted %q", names(deleted))
		}
		left, _, err := e.maps.List(e.ctx, client.ListOptions{Namespace: e.ns, LabelSelector: "keep"})
		if err != nil || names(left) != "b" {
			e.Errorf("left %q, %v", names(left), err)
		}
	}},
}}
