package conformance

import (
	"net/netip"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	policyv1 "github.com/keelson/keelson/proto/gen/keelson/policy/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

func (e *env) service(name string) *corev1.Service {
	return &corev1.Service{Metadata: e.meta(name), Spec: &corev1.ServiceSpec{
		Selector: map[string]string{"app": name}, Ports: []*corev1.ServicePort{{Port: 80}},
	}}
}

// kinds holds what single kinds do that is no option's.
var kinds = group{"kinds", []behaviour{
	{"a namespace ends when it is finalized", func(e *env) {
		c := client.For[*corev1.Namespace](e.Conn)
		name := e.ns + "-ending"
		n := must(c.Create(e.ctx, &corev1.Namespace{Metadata: &metav1.ObjectMeta{Name: name}}))(e)
		if n.Status.GetPhase() != "Active" || len(n.Spec.GetFinalizers()) != 1 || n.Metadata.Labels["kubernetes.io/metadata.name"] != name {
			e.Errorf("created %v", n)
		}
		must(0, c.Delete(e.ctx, "", name))(e)
		n = must(c.Get(e.ctx, "", name))(e)
		if n.Status.GetPhase() != "Terminating" || apitime.IsZero(n.Metadata.DeletionTimestamp) {
			e.Errorf("deleted to %v", n)
		}
		m := e.configMap("late")
		m.Metadata.Namespace = name
		_, err := e.maps.Create(e.ctx, m)
		e.wants(err, apierrors.IsForbidden, `configmaps "late" is forbidden: unable to create new content in namespace `+name+` because it is being terminated`)
		if !apierrors.HasCause(err, apierrors.CauseNamespaceTerminating) {
			e.Error("the cause is not named")
		}
		in := proto.CloneOf(n)
		in.Spec.Finalizers = nil
		if _, err := c.UpdateSubresource(e.ctx, "finalize", in); err != nil {
			e.Fatal(err)
		}
		_, err = c.Get(e.ctx, "", name)
		e.wants(err, apierrors.IsNotFound, `namespaces "`+name+`" not found`)
	}},
	{"services have addresses of their own", func(e *env) {
		c := client.For[*corev1.Service](e.Conn)
		seen := map[string]bool{}
		for _, n := range []string{"a", "b", "c"} {
			s := must(c.Create(e.ctx, e.service(n)))(e)
			ip := s.Spec.ClusterIP
			if _, err := netip.ParseAddr(ip); err != nil || seen[ip] || len(s.Spec.ClusterIPs) != 1 || s.Spec.ClusterIPs[0] != ip ||
				s.Spec.Type != "ClusterIP" || s.Spec.Ports[0].Protocol != "TCP" || s.Spec.Ports[0].TargetPort.GetIntVal() != 80 {
				e.Errorf("created %v", s.Spec)
			}
			seen[ip] = true
		}
		in := proto.CloneOf(must(c.Get(e.ctx, e.ns, "a"))(e))
		was := in.Spec.ClusterIP
		in.Spec.ClusterIP, in.Spec.ClusterIPs = "", nil
		in.Spec.Ports[0].Port = 81
		if s := must(c.Update(e.ctx, in))(e); s.Spec.ClusterIP != was {
			e.Errorf("an update changed the address from %s to %s", was, s.Spec.ClusterIP)
		}
		in = e.service("thief")
		in.Spec.ClusterIP = was
		_, err := c.Create(e.ctx, in)
		e.wants(err, apierrors.IsInvalid, "provided IP is already allocated")
		headless := e.service("headless")
		headless.Spec.ClusterIP = "None"
		if s := must(c.Create(e.ctx, headless))(e); s.Spec.ClusterIP != "None" {
			e.Errorf("headless: %v", s.Spec)
		}
	}},
	{"an address that is free again can be had", func(e *env) {
		c := client.For[*corev1.Service](e.Conn)
		s := must(c.Create(e.ctx, e.service("a")))(e)
		must(0, c.Delete(e.ctx, e.ns, "a"))(e)
		in := e.service("b")
		in.Spec.ClusterIP = s.Spec.ClusterIP
		if got, err := c.Create(e.ctx, in); err != nil {
			// Another behaviour may have been faster.
			e.wants(err, apierrors.IsInvalid, "provided IP is already allocated")
		} else if got.Spec.ClusterIP != s.Spec.ClusterIP {
			e.Errorf("got %v", got.Spec)
		}
	}},
	{"node ports", func(e *env) {
		c := client.For[*corev1.Service](e.Conn)
		in := e.service("a")
		in.Spec.Type = "NodePort"
		s := must(c.Create(e.ctx, in))(e)
		if p := s.Spec.Ports[0].NodePort; p < 30000 || p > 32767 {
			e.Errorf("node port %d", p)
		}
		in = e.service("b")
		in.Spec.Type, in.Spec.Ports[0].NodePort = "NodePort", s.Spec.Ports[0].NodePort
		_, err := c.Create(e.ctx, in)
		e.wants(err, apierrors.IsInvalid, "provided port is already allocated")
	}},
	{"eviction", func(e *env) {
		must(e.pods.Create(e.ctx, e.pod("a")))(e)
		evict := func() error {
			_, err := client.Sub[*policyv1.Eviction, *metav1.Status](e.ctx, e.Conn, e.pods.Ref(e.ns, "a", "eviction"), &policyv1.Eviction{Metadata: e.meta("a")})
			return err
		}
		must(0, evict())(e)
		_, err := e.pods.Get(e.ctx, e.ns, "a")
		e.wants(err, apierrors.IsNotFound, `pods "a" not found`)
		e.wants(evict(), apierrors.IsNotFound, `pods "a" not found`)
	}},
	{"secrets take strings", func(e *env) {
		c := client.For[*corev1.Secret](e.Conn)
		s := must(c.Create(e.ctx, &corev1.Secret{Metadata: e.meta("a"), StringData: map[string]string{"k": "text"}, Data: map[string][]byte{"b": {1}}}))(e)
		if string(s.Data["k"]) != "text" || len(s.Data) != 2 || len(s.StringData) != 0 || s.Type != "Opaque" {
			e.Errorf("created %v", s)
		}
	}},
}}
