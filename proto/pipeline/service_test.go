package pipeline_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
)

func service(name string, change func(*corev1.ServiceSpec)) *corev1.Service {
	s := &corev1.Service{
		Metadata: &metav1.ObjectMeta{Name: name, Namespace: "default"},
		Spec:     &corev1.ServiceSpec{Ports: []*corev1.ServicePort{{Port: 80}}},
	}
	if change != nil {
		change(s.Spec)
	}
	return s
}

func services() *resourcev1.ObjectRef { return ref("", "services", "default", "") }

func TestServiceDefaultsAndRelease(t *testing.T) {
	h := start(t, func(c *pipeline.Config) { c.ClusterIPRange = netip.MustParsePrefix("10.1.0.0/29") })
	svc := into(t, h.mustCreate(services(), service("a", nil)), &corev1.Service{})
	s := svc.Spec
	if !strings.HasPrefix(s.ClusterIP, "10.1.0.") || len(s.ClusterIPs) != 1 || s.ClusterIPs[0] != s.ClusterIP || s.IpFamilies[0] != "IPv4" ||
		s.GetIpFamilyPolicy() != "SingleStack" || s.Ports[0].Protocol != "TCP" || s.Ports[0].TargetPort.GetIntVal() != 80 || s.Type != "ClusterIP" {
		t.Fatalf("created as %v", s)
	}
	_, err := h.create(services(), service("b", func(n *corev1.ServiceSpec) { n.ClusterIP = s.ClusterIP }))
	wantErr(t, err, "spec.clusterIPs: Invalid value: [\""+s.ClusterIP+"\"]: failed to allocate IP "+s.ClusterIP+": provided IP is already allocated")
	_, err = h.create(services(), service("b", func(n *corev1.ServiceSpec) { n.ClusterIP = "1.2.3.4" }))
	wantErr(t, err, "the provided IP (1.2.3.4) is not in the valid range. The range of valid IPs is 10.1.0.0/29")
	for i := range 5 {
		h.mustCreate(services(), service(fmt.Sprint("s", i), nil))
	}
	_, err = h.create(services(), service("full", nil))
	wantErr(t, err, "range is full")
	h.delete(ref("", "services", "default", "a"), nil)
	if again := into(t, h.mustCreate(services(), service("b", nil)), &corev1.Service{}); again.Spec.ClusterIP != s.ClusterIP {
		t.Fatalf("the address given up is %s, got %s", s.ClusterIP, again.Spec.ClusterIP)
	}
	headless := into(t, h.mustCreate(services(), service("h", func(n *corev1.ServiceSpec) { n.ClusterIP = "None" })), &corev1.Service{})
	if headless.Spec.ClusterIP != "None" || headless.Spec.ClusterIPs[0] != "None" {
		t.Fatalf("headless as %v", headless.Spec)
	}
	h.mustCreate(services(), service("e", func(n *corev1.ServiceSpec) { n.Type, n.ExternalName, n.Ports = "ExternalName", "example.com", nil }))
}

func TestNodePorts(t *testing.T) {
	h := start(t)
	both := service("a", func(s *corev1.ServiceSpec) {
		s.Type = "NodePort"
		s.Ports = []*corev1.ServicePort{{Name: "t", Port: 53, Protocol: "TCP"}, {Name: "u", Port: 53, Protocol: "UDP"}}
	})
	a := into(t, h.mustCreate(services(), both), &corev1.Service{})
	if p := a.Spec.Ports; p[0].NodePort < 30000 || p[0].NodePort > 32767 || p[0].NodePort != p[1].NodePort {
		t.Fatalf("ports %v", p)
	}
	_, err := h.create(services(), service("b", func(s *corev1.ServiceSpec) { s.Type = "NodePort"; s.Ports[0].NodePort = a.Spec.Ports[0].NodePort }))
	wantErr(t, err, "spec.ports[0].nodePort: Invalid value: "+fmt.Sprint(a.Spec.Ports[0].NodePort)+": provided port is already allocated")
	_, err = h.create(services(), service("b", func(s *corev1.ServiceSpec) { s.Type = "NodePort"; s.Ports[0].NodePort = 80 }))
	wantErr(t, err, "provided port is not in the valid range. The range of valid ports is 30000-32767")

	// An update that does not mention them keeps address and port; a change of type gives the port up.
	fresh := proto.CloneOf(both)
	upd, err := h.update(ref("", "services", "default", "a"), fresh)
	if err != nil {
		t.Fatal(err)
	}
	kept := into(t, upd.Item, &corev1.Service{})
	if kept.Spec.ClusterIP != a.Spec.ClusterIP || kept.Spec.Ports[0].NodePort != a.Spec.Ports[0].NodePort {
		t.Fatalf("updated to %v", kept.Spec)
	}
	kept.Spec.Type = "ClusterIP"
	if upd, err = h.update(ref("", "services", "default", "a"), kept); err != nil {
		t.Fatal(err)
	}
	if n := into(t, upd.Item, &corev1.Service{}).Spec.Ports[0].NodePort; n != 0 {
		t.Fatalf("still has node port %d", n)
	}
	h.mustCreate(services(), service("b", func(s *corev1.ServiceSpec) { s.Type = "NodePort"; s.Ports[0].NodePort = a.Spec.Ports[0].NodePort }))
}

// Several API servers on one store never give an address twice.
func TestAllocationRace(t *testing.T) {
	st := memory.New()
	t.Cleanup(func() { st.Close() })
	shared := func(c *pipeline.Config) { c.Store = st; c.ClusterIPRange = netip.MustParsePrefix("10.1.0.0/25") }
	a, b := start(t, shared), start(t, shared)
	const each = 50
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = map[string]string{}
	)
	for i, h := range []*harness{a, b, a, b} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := range each / 2 {
				res, err := h.create(services(), service(fmt.Sprintf("s%d-%d", i, n), nil))
				if err != nil {
					t.Error(err)
					return
				}
				ip := into(t, res.Item, &corev1.Service{}).Spec.ClusterIP
				mu.Lock()
				if other, twice := seen[ip]; twice {
					t.Errorf("%s and %s have %s", other, res.Item.Name, ip)
				}
				seen[ip] = res.Item.Name
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
}

func TestKubernetesService(t *testing.T) {
	h := start(t, func(c *pipeline.Config) { c.Advertise = netip.MustParseAddrPort("192.0.2.1:6443") })
	sel := selection("", "endpoints", "default")
	sel.FieldSelector = "metadata.name=kubernetes"
	h.events(h.watch(&resourcev1.WatchOpen{Selection: sel}), 1)
	it, err := h.get(ref("", "services", "default", "kubernetes"))
	if err != nil {
		t.Fatal(err)
	}
	if s := into(t, it, &corev1.Service{}).Spec; s.ClusterIP != "10.96.0.1" || s.Ports[0].TargetPort.GetIntVal() != 6443 {
		t.Fatalf("service is %v", s)
	}
	if it, err = h.get(ref("", "endpoints", "default", "kubernetes")); err != nil {
		t.Fatal(err)
	}
	if e := into(t, it, &corev1.Endpoints{}); e.Subsets[0].Addresses[0].Ip != "192.0.2.1" || e.Subsets[0].Ports[0].Port != 6443 {
		t.Fatalf("endpoints are %v", e)
	}
}
