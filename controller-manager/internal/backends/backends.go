// Package backends answers what EndpointSlices and Endpoints have in common: which ports a Service reaches on a pod, and
// which pods can be reached at all. It is pure.
package backends

import (
	"net/netip"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

// Address families as EndpointSlices and Services name them.
const (
	IPv4 = "IPv4"
	IPv6 = "IPv6"

	// Headless is the clusterIP of a Service without one.
	Headless = "None"
	// LabelHeadless marks the objects made for headless Services.
	LabelHeadless = "service.kubernetes.io/headless"

	typeExternalName  = "ExternalName"
	intOrStringString = 1
	restartAlways     = "Always"
)

// Port is one port of a Service as one pod serves it.
type Port struct {
	Name        string
	Protocol    string
	Number      int32
	AppProtocol *string
}

// Selects reports whether endpoints are made for the Service: it has a selector and is no alias.
func Selects(svc *corev1.Service) bool {
	return len(svc.GetSpec().GetSelector()) > 0 && svc.GetSpec().GetType() != typeExternalName
}

// Ports resolves the Service's ports on a pod. A named port that the pod does not have is left out.
func Ports(svc *corev1.Service, pod *corev1.Pod) []Port {
	out := make([]Port, 0, len(svc.GetSpec().GetPorts()))
	for _, sp := range svc.GetSpec().GetPorts() {
		number, ok := resolve(sp, pod)
		if !ok {
			continue
		}
		out = append(out, Port{Name: sp.GetName(), Protocol: protocol(sp.GetProtocol()), Number: number, AppProtocol: sp.AppProtocol})
	}
	return out
}

func resolve(sp *corev1.ServicePort, pod *corev1.Pod) (int32, bool) {
	target := sp.GetTargetPort()
	if target.GetType() != intOrStringString {
		if target.GetIntVal() == 0 {
			return sp.GetPort(), true
		}
		return target.GetIntVal(), true
	}
	for _, c := range pod.GetSpec().GetContainers() {
		if n, ok := named(c, target.GetStrVal(), sp.GetProtocol()); ok {
			return n, true
		}
	}
	for _, c := range pod.GetSpec().GetInitContainers() {
		// Init containers that keep running beside the others may serve as well.
		if c.GetRestartPolicy() != restartAlways {
			continue
		}
		if n, ok := named(c, target.GetStrVal(), sp.GetProtocol()); ok {
			return n, true
		}
	}
	return 0, false
}

func named(c *corev1.Container, name, proto string) (int32, bool) {
	for _, p := range c.GetPorts() {
		if p.GetName() == name && protocol(p.GetProtocol()) == protocol(proto) {
			return p.GetContainerPort(), true
		}
	}
	return 0, false
}

func protocol(p string) string {
	if p == "" {
		return "TCP"
	}
	return p
}

// Included reports whether a pod has a place among the endpoints: it has an address and has not finished. Terminating
// pods are included, because they may still serve.
func Included(pod *corev1.Pod) bool {
	return pod.GetStatus().GetPodIP() != "" && !podstate.Terminal(pod)
}

// Address is the pod's address of a family, empty where it has none.
func Address(pod *corev1.Pod, family string) string {
	for _, ip := range pod.GetStatus().GetPodIPs() {
		if familyOf(ip.GetIp()) == family {
			return ip.GetIp()
		}
	}
	if ip := pod.GetStatus().GetPodIP(); familyOf(ip) == family {
		return ip
	}
	return ""
}

func familyOf(ip string) string {
	a, err := netip.ParseAddr(ip)
	switch {
	case err != nil:
		return ""
	case a.Is4() || a.Is4In6():
		return IPv4
	default:
		return IPv6
	}
}

// Families are the address families of the Service; IPv4 where nothing says otherwise.
func Families(svc *corev1.Service) []string {
	if f := svc.GetSpec().GetIpFamilies(); len(f) > 0 {
		return f
	}
	if f := familyOf(svc.GetSpec().GetClusterIP()); f != "" {
		return []string{f}
	}
	return []string{IPv4}
}

// Hostname is the name of the pod below the Service's, empty where it has none.
func Hostname(svc *corev1.Service, pod *corev1.Pod) string {
	if pod.GetSpec().GetSubdomain() == svc.GetMetadata().GetName() {
		return pod.GetSpec().GetHostname()
	}
	return ""
}
