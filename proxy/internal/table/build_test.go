package table

import (
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

func ptr[T any](v T) *T { return &v }

func service(change func(*corev1.ServiceSpec)) *corev1.Service {
	s := &corev1.Service{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec: &corev1.ServiceSpec{ClusterIP: "10.96.0.5", Type: "ClusterIP", Ports: []*corev1.ServicePort{
			{Name: "http", Port: 80, Protocol: "TCP"},
		}},
	}
	if change != nil {
		change(s.Spec)
	}
	return s
}

type ep struct {
	addr, node                  string
	ready, serving, terminating bool
}

func slice(endpoints ...ep) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		AddressType: "IPv4",
		Ports:       []*discoveryv1.EndpointPort{{Name: ptr("http"), Port: ptr[int32](8080), Protocol: ptr("TCP")}},
	}
	for _, e := range endpoints {
		s.Endpoints = append(s.Endpoints, &discoveryv1.Endpoint{
			Addresses: []string{e.addr}, NodeName: ptr(e.node),
			Conditions: &discoveryv1.EndpointConditions{Ready: ptr(e.ready), Serving: ptr(e.serving), Terminating: ptr(e.terminating)},
		})
	}
	return s
}

func ready(addr, node string) ep { return ep{addr, node, true, true, false} }

func TestBuild(t *testing.T) {
	both := slice(ready("10.244.1.2", "n1"), ready("10.244.0.2", "n2"))
	tests := []struct {
		name   string
		svc    *corev1.Service
		slices []*discoveryv1.EndpointSlice
		want   string
	}{
		{"sorted, whichever slice they are in", service(nil), []*discoveryv1.EndpointSlice{both},
			"default/web:http tcp 10.96.0.5:80 -> [10.244.0.2:8080 10.244.1.2:8080]\n"},
		{"no endpoint refuses", service(nil), nil, "default/web:http tcp 10.96.0.5:80 -> [] refuses\n"},
		{"headless", service(func(s *corev1.ServiceSpec) { s.ClusterIP = "None" }), []*discoveryv1.EndpointSlice{both}, ""},
		{"external name", service(func(s *corev1.ServiceSpec) { s.Type, s.ClusterIP = "ExternalName", "" }), nil, ""},
		{"node port, affinity and external addresses",
			service(func(s *corev1.ServiceSpec) {
				s.Type, s.SessionAffinity, s.ExternalIPs = "NodePort", "ClientIP", []string{"192.0.2.9"}
				s.Ports[0].NodePort = 30080
			}), []*discoveryv1.EndpointSlice{both},
			"default/web:http tcp 10.96.0.5:80 node:30080 external:192.0.2.9 affinity:10800s -> [10.244.0.2:8080 10.244.1.2:8080]\n"},
		{"local policies",
			service(func(s *corev1.ServiceSpec) {
				s.InternalTrafficPolicy, s.ExternalTrafficPolicy = ptr("Local"), "Local"
			}),
			[]*discoveryv1.EndpointSlice{both}, "default/web:http tcp 10.96.0.5:80 -> [10.244.1.2:8080] keeps source\n"},
		{"what terminates serves while nothing is ready", service(nil),
			[]*discoveryv1.EndpointSlice{slice(ep{"10.244.0.9", "n1", false, true, true}, ep{"10.244.0.8", "n1", false, false, true})},
			"default/web:http tcp 10.96.0.5:80 -> [10.244.0.9:8080]\n"},
		{"what terminates gets nothing once something is ready", service(nil),
			[]*discoveryv1.EndpointSlice{slice(ep{"10.244.0.9", "n1", false, true, true}, ready("10.244.0.7", "n2"))},
			"default/web:http tcp 10.96.0.5:80 -> [10.244.0.7:8080]\n"},
		{"another port's name", service(func(s *corev1.ServiceSpec) { s.Ports[0].Name = "admin" }), []*discoveryv1.EndpointSlice{both},
			"default/web:admin tcp 10.96.0.5:80 -> [] refuses\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if s := Build(tt.svc, tt.slices, "n1"); s != nil {
				got = s.String()
			}
			if got != tt.want {
				t.Errorf("got  %swant %s", got, tt.want)
			}
		})
	}
}
