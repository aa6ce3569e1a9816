package conformance

import (
	"regexp"
	"strings"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

var create = group{"create", []behaviour{
	{"server fills metadata", func(e *env) {
		before := time.Now().Add(-2 * time.Second)
		in := e.configMap("a", "k", "v")
		in.Metadata.Uid, in.Metadata.Generation = "mine", 77
		in.Metadata.DeletionTimestamp = apitime.Now()
		m := e.put(in)
		meta := m.Metadata
		if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(meta.Uid) {
			e.Errorf("uid %q", meta.Uid)
		}
		if client.Revision(m) == 0 || apitime.Go(meta.CreationTimestamp).Before(before) || meta.Generation == 77 || !apitime.IsZero(meta.DeletionTimestamp) {
			e.Errorf("metadata %v", meta)
		}
		got := must(e.maps.Get(e.ctx, e.ns, "a"))(e)
		if !proto.Equal(got, m) || got.Data["k"] != "v" {
			e.Errorf("get returns %v, create returned %v", got, m)
		}
	}},
	{"namespace comes from the request", func(e *env) {
		c := client.For[*corev1.ConfigMap](e.Conn)
		in := e.configMap("a")
		if m := must(c.Create(e.ctx, in))(e); m.Metadata.Namespace != e.ns {
			e.Errorf("namespace %q", m.Metadata.Namespace)
		}
	}},
	{"name is taken", func(e *env) {
		e.put(e.configMap("a"))
		_, err := e.maps.Create(e.ctx, e.configMap("a"))
		e.wants(err, apierrors.IsAlreadyExists, `configmaps "a" already exists`)
	}},
	{"generated names", func(e *env) {
		seen := map[string]bool{}
		for range 20 {
			m := e.configMap("")
			m.Metadata.GenerateName = "web-"
			name := e.put(m).Metadata.Name
			if !regexp.MustCompile(`^web-[bcdfghjklmnpqrstvwxz2456789]{5}$`).MatchString(name) || seen[name] {
				e.Errorf("generated %q", name)
			}
			seen[name] = true
		}
	}},
	{"no name", func(e *env) {
		_, err := e.maps.Create(e.ctx, e.configMap(""))
		e.wants(err, apierrors.IsInvalid, "name or generateName is required")
	}},
	{"invalid name", func(e *env) {
		_, err := e.maps.Create(e.ctx, e.configMap("Not_A_Name"))
		e.wants(err, apierrors.IsInvalid, `ConfigMap "Not_A_Name" is invalid: metadata.name: Invalid value: "Not_A_Name"`)
	}},
	{"all causes at once", func(e *env) {
		_, err := e.pods.Create(e.ctx, &corev1.Pod{Metadata: e.meta("a"), Spec: &corev1.PodSpec{
			Containers: []*corev1.Container{{Image: "i"}, {Name: "c"}}, RestartPolicy: "Sometimes",
		}})
		for _, text := range []string{`Pod "a" is invalid: [`, "spec.containers[0].name: Required value", "spec.containers[1].image: Required value", "spec.restartPolicy: Unsupported value"} {
			e.wants(err, apierrors.IsInvalid, text)
		}
		if n := len(apierrors.FromError(err).GetDetails().GetCauses()); n < 3 {
			e.Errorf("%d causes", n)
		}
	}},
	{"namespace does not exist", func(e *env) {
		m := e.configMap("a")
		m.Metadata.Namespace = "missing-" + e.ns
		_, err := e.maps.Create(e.ctx, m)
		e.wants(err, apierrors.IsNotFound, `namespaces "missing-`+e.ns+`" not found`)
	}},
	{"defaults", func(e *env) {
		p := must(e.pods.Create(e.ctx, e.pod("a")))(e)
		c := p.Spec.Containers[0]
		if p.Spec.RestartPolicy != "Always" || p.Spec.DnsPolicy != "ClusterFirst" || p.Spec.GetTerminationGracePeriodSeconds() != 30 ||
			p.Spec.SchedulerName != "default-scheduler" || c.ImagePullPolicy != "IfNotPresent" || c.TerminationMessagePath != "/dev/termination-log" {
			e.Errorf("spec %v", p.Spec)
		}
		if p.Status.GetPhase() != "Pending" {
			e.Errorf("phase %q", p.Status.GetPhase())
		}
	}},
	{"status is the server's", func(e *env) {
		d := e.deployment("a")
		d.Status = &appsv1.DeploymentStatus{Replicas: 9}
		if d = must(client.For[*appsv1.Deployment](e.Conn).Create(e.ctx, d))(e); d.Status.GetReplicas() != 0 || d.Metadata.Generation != 1 {
			e.Errorf("status %v, generation %d", d.Status, d.Metadata.Generation)
		}
	}},
	{"too large an object", func(e *env) {
		_, err := e.maps.Create(e.ctx, e.configMap("a", "k", strings.Repeat("x", 4<<20)))
		if !apierrors.IsRequestEntityTooLarge(err) && !apierrors.IsInvalid(err) {
			e.Errorf("error %v", err)
		}
	}},
}}

// deployment returns a valid one that is not stored.
func (e *env) deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{Metadata: e.meta(name), Spec: &appsv1.DeploymentSpec{
		Replicas: proto.Int32(2), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: &corev1.PodTemplateSpec{Metadata: &metav1.ObjectMeta{Labels: labels}, Spec: e.pod("").Spec},
	}}
}
