package endpointslice

import (
	"fmt"
	"math/rand"
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"google.golang.org/protobuf/proto"
)

func service() *corev1.Service {
	return &corev1.Service{
		Metadata: &metav1.ObjectMeta{Name: "web", Namespace: "default", Uid: "s1", Labels: map[string]string{"app": "web"}},
		Spec: &corev1.ServiceSpec{
			ClusterIP: "10.96.0.9",
			Selector:  map[string]string{"app": "web"},
			Ports:     []*corev1.ServicePort{{Name: "http", Port: 80, Protocol: "TCP", TargetPort: &metav1.IntOrString{IntVal: 8080}}},
		},
	}
}

func pod(i int, ready bool) *corev1.Pod {
	status := "False"
	if ready {
		status = "True"
	}
	ip := fmt.Sprintf("10.244.%d.%d", i/250, i%250+1)
	return &corev1.Pod{
		Metadata: &metav1.ObjectMeta{Name: fmt.Sprintf("web-%d", i), Namespace: "default", Uid: fmt.Sprintf("p%d", i), Labels: map[string]string{"app": "web"}},
		Spec:     &corev1.PodSpec{NodeName: "n1", Containers: []*corev1.Container{{Name: "c", Ports: []*corev1.ContainerPort{{Name: "web", ContainerPort: 9000}}}}},
		Status: &corev1.PodStatus{
			Phase: "Running", PodIP: ip, PodIPs: []*corev1.PodIP{{Ip: ip}},
			Conditions: []*corev1.PodCondition{{Type: "Ready", Status: status}},
		},
	}
}

func zone(string) string { return "z1" }

// store applies decisions.
type store struct {
	next   int
	slices map[string]*discoveryv1.EndpointSlice
}

func (s *store) list() []*discoveryv1.EndpointSlice {
	var out []*discoveryv1.EndpointSlice
	for _, v := range s.slices {
		out = append(out, v)
	}
	return out
}

func (s *store) apply(d decision) int {
	for _, v := range d.create {
		s.next++
		v.Metadata.Name = fmt.Sprintf("%s%05d", v.Metadata.GenerateName, s.next)
		s.slices[v.Metadata.Name] = v
	}
	for _, v := range d.update {
		s.slices[v.Metadata.Name] = v
	}
	for _, v := range d.remove {
		delete(s.slices, v.Metadata.Name)
	}
	return len(d.create) + len(d.update) + len(d.remove)
}

func TestEndpointConditions(t *testing.T) {
	terminating := pod(2, true)
	terminating.Metadata.DeletionTimestamp = &metav1.Time{Seconds: proto.Int64(1)}
	finished := pod(3, false)
	finished.Status.Phase = "Succeeded"
	noAddress := pod(4, true)
	noAddress.Status.PodIP, noAddress.Status.PodIPs = "", nil
	for _, tc := range []struct {
		name                        string
		pod                         *corev1.Pod
		publish                     bool
		want                        bool
		ready, serving, terminating bool
	}{
		{"ready", pod(1, true), false, true, true, true, false},
		{"not ready", pod(1, false), false, true, false, false, false},
		{"not ready, published", pod(1, false), true, true, true, false, false},
		{"terminating", terminating, false, true, false, true, true},
		{"terminating, published", terminating, true, true, true, true, true},
		{"finished", finished, false, false, false, false, false},
		{"no address", noAddress, false, false, false, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			svc := service()
			svc.Spec.PublishNotReadyAddresses = tc.publish
			d := plan(svc, []*corev1.Pod{tc.pod}, nil, zone)
			if len(d.create) != 1 {
				t.Fatalf("created %d slices", len(d.create))
			}
			slice := d.create[0]
			if got := len(slice.Endpoints) == 1; got != tc.want {
				t.Fatalf("endpoints: %v", slice.Endpoints)
			}
			if !tc.want {
				return
			}
			ep := slice.Endpoints[0]
			if c := ep.Conditions; c.GetReady() != tc.ready || c.GetServing() != tc.serving || c.GetTerminating() != tc.terminating {
				t.Errorf("conditions: %v", c)
			}
			if ep.GetNodeName() != "n1" || ep.GetZone() != "z1" || ep.GetTargetRef().GetName() != tc.pod.Metadata.Name {
				t.Errorf("endpoint: %v", ep)
			}
			if p := slice.Ports[0]; p.GetName() != "http" || p.GetPort() != 8080 || p.GetProtocol() != "TCP" {
				t.Errorf("port: %v", p)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	svc := service()
	svc.Spec.ClusterIP = "None"
	slice := plan(svc, nil, nil, zone).create[0]
	for k, v := range map[string]string{"app": "web", labelService: "web", labelManager: manager, "service.kubernetes.io/headless": ""} {
		if got, ok := slice.Metadata.Labels[k]; !ok || got != v {
			t.Errorf("label %s = %q", k, got)
		}
	}
	if slice.AddressType != "IPv4" || slice.Metadata.OwnerReferences[0].Uid != "s1" {
		t.Errorf("slice: %v", slice)
	}
}

func TestNamedPortsSplitSlices(t *testing.T) {
	svc := service()
	svc.Spec.Ports[0].TargetPort = &metav1.IntOrString{Type: 1, StrVal: "web"}
	a, b, c := pod(1, true), pod(2, true), pod(3, true)
	b.Spec.Containers[0].Ports[0].ContainerPort = 9001
	c.Spec.Containers[0].Ports = nil
	d := plan(svc, []*corev1.Pod{a, b, c}, nil, zone)
	ports := map[int32]int{}
	for _, s := range d.create {
		if len(s.Ports) == 1 {
			ports[s.Ports[0].GetPort()] += len(s.Endpoints)
		} else {
			ports[0] += len(s.Endpoints)
		}
	}
	if len(d.create) != 3 || ports[9000] != 1 || ports[9001] != 1 || ports[0] != 1 {
		t.Errorf("ports: %v", ports)
	}
}

func TestFewWrites(t *testing.T) {
	svc := service()
	s := &store{slices: map[string]*discoveryv1.EndpointSlice{}}
	var pods []*corev1.Pod
	for i := range 250 {
		pods = append(pods, pod(i, true))
	}
	if n := s.apply(plan(svc, pods, s.list(), zone)); n != 3 {
		t.Fatalf("250 endpoints took %d writes", n)
	}
	if n := s.apply(plan(svc, pods, s.list(), zone)); n != 0 {
		t.Errorf("no change took %d writes", n)
	}
	pods[7] = pod(7, false)
	if n := s.apply(plan(svc, pods, s.list(), zone)); n != 1 {
		t.Errorf("one change took %d writes", n)
	}
	pods[7] = pod(900, true)
	if n := s.apply(plan(svc, pods, s.list(), zone)); n != 1 {
		t.Errorf("one replaced endpoint took %d writes", n)
	}
	if s.apply(plan(svc, nil, s.list(), zone)); len(s.slices) != 1 || len(s.list()[0].Endpoints) != 0 {
		t.Errorf("without endpoints: %v", s.slices)
	}
}

// TestAlwaysExact compares the slices with the pods after each of many random changes.
func TestAlwaysExact(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	svc := service()
	s := &store{slices: map[string]*discoveryv1.EndpointSlice{}}
	live := map[int]*corev1.Pod{}
	for round := range 300 {
		for range rnd.Intn(60) {
			i := rnd.Intn(400)
			if _, ok := live[i]; ok && rnd.Intn(2) == 0 {
				delete(live, i)
			} else {
				live[i] = pod(i, rnd.Intn(2) == 0)
			}
		}
		var pods []*corev1.Pod
		for _, p := range live {
			pods = append(pods, p)
		}
		s.apply(plan(svc, pods, s.list(), zone))
		seen := map[string]bool{}
		for _, slice := range s.slices {
			if len(slice.Endpoints) > capacity {
				t.Fatalf("round %d: a slice of %d", round, len(slice.Endpoints))
			}
			if len(slice.Endpoints) == 0 && len(s.slices) > 1 {
				t.Fatalf("round %d: an empty slice beside others", round)
			}
			for _, ep := range slice.Endpoints {
				if seen[ep.Addresses[0]] {
					t.Fatalf("round %d: %s twice", round, ep.Addresses[0])
				}
				seen[ep.Addresses[0]] = true
			}
		}
		if len(seen) != len(pods) {
			t.Fatalf("round %d: %d endpoints for %d pods", round, len(seen), len(pods))
		}
		if n := s.apply(plan(svc, pods, s.list(), zone)); n != 0 {
			t.Fatalf("round %d: the second pass wrote %d", round, n)
		}
	}
}
