package core

import (
	"fmt"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema/format"
	"github.com/keelson/keelson/proto/schema/rule"
)

const maxAffinitySeconds = 86400

func service(svc, old *corev1.Service) rule.ErrorList {
	var errs rule.ErrorList
	at := field.NewPath("spec")
	s := svc.GetSpec()
	if s == nil {
		s = &corev1.ServiceSpec{}
	}
	headless := s.ClusterIP == "None" || len(s.ClusterIPs) > 0 && s.ClusterIPs[0] == "None"
	if len(s.Ports) == 0 && !headless && s.Type != "ExternalName" {
		errs = append(errs, field.Required(at.Child("ports"), ""))
	}
	switch s.Type {
	case "LoadBalancer", "NodePort":
		if headless {
			errs = append(errs, field.Invalid(at.Child("clusterIPs").Index(0), "None", fmt.Sprintf("may not be set to 'None' for %s services", s.Type)))
		}
	case "ExternalName":
		if s.ClusterIP != "" || len(s.ClusterIPs) > 0 {
			errs = append(errs, field.Forbidden(at.Child("clusterIPs"), "may not be set when `type` is 'ExternalName'"))
		}
		if s.ExternalName == "" {
			errs = append(errs, field.Required(at.Child("externalName"), ""))
		} else {
			for _, msg := range validation.IsDNS1123Subdomain(s.ExternalName) {
				errs = append(errs, field.Invalid(at.Child("externalName"), s.ExternalName, msg))
			}
		}
	}
	errs = append(errs, servicePorts(s, headless, at.Child("ports"))...)
	errs = append(errs, rule.Labels(s.Selector, at.Child("selector"))...)
	errs = append(errs, clusterIPs(s, at)...)
	if c := s.SessionAffinityConfig.GetClientIP(); s.SessionAffinity == "ClientIP" && c != nil && c.TimeoutSeconds != nil {
		if n := *c.TimeoutSeconds; n <= 0 || n > maxAffinitySeconds {
			errs = append(errs, field.Invalid(at.Child("sessionAffinityConfig", "clientIP", "timeoutSeconds"), n,
				fmt.Sprintf("must be greater than 0 and less than %d", maxAffinitySeconds)))
		}
	}
	for i, ip := range s.ExternalIPs {
		if a, err := netip.ParseAddr(ip); err == nil && (a.IsLoopback() || a.IsUnspecified() || a.IsLinkLocalUnicast() || a.IsMulticast()) {
			errs = append(errs, field.Invalid(at.Child("externalIPs").Index(i), ip, "may not be unspecified, loopback, link-local or multicast"))
		}
	}
	if s.ExternalTrafficPolicy != "" && !externallyAccessible(s) {
		errs = append(errs, field.Invalid(at.Child("externalTrafficPolicy"), s.ExternalTrafficPolicy, "may only be set for externally-accessible services"))
	}
	errs = append(errs, loadBalancer(s, at)...)
	if len(s.LoadBalancerSourceRanges) > 0 {
		if s.Type != "LoadBalancer" {
			errs = append(errs, field.Forbidden(at.Child("loadBalancerSourceRanges"), "may only be used when `type` is 'LoadBalancer'"))
		}
		for i, r := range s.LoadBalancerSourceRanges {
			for _, msg := range format.CIDR(r) {
				errs = append(errs, field.Invalid(at.Child("loadBalancerSourceRanges").Index(i), r, msg))
			}
		}
	}
	if old != nil {
		errs = append(errs, serviceUpdate(s, old.GetSpec(), at)...)
	}
	return errs
}

// loadBalancer checks what only Services with a load balancer have.
func loadBalancer(s *corev1.ServiceSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if s.Type == "LoadBalancer" {
		if s.LoadBalancerClass != nil {
			for _, msg := range format.QualifiedName(s.GetLoadBalancerClass()) {
				errs = append(errs, field.Invalid(at.Child("loadBalancerClass"), s.GetLoadBalancerClass(), msg))
			}
		}
	} else {
		if s.AllocateLoadBalancerNodePorts != nil {
			errs = append(errs, field.Forbidden(at.Child("allocateLoadBalancerNodePorts"), "may only be used when `type` is 'LoadBalancer'"))
		}
		if s.LoadBalancerClass != nil {
			errs = append(errs, field.Forbidden(at.Child("loadBalancerClass"), "may only be used when `type` is 'LoadBalancer'"))
		}
	}
	if s.HealthCheckNodePort != 0 && !NeedsHealthPort(s) {
		errs = append(errs, field.Invalid(at.Child("healthCheckNodePort"), s.HealthCheckNodePort,
			"may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"))
	}
	return errs
}

// NeedsHealthPort tells whether a Service has a port on each node that says whether the node has backends.
func NeedsHealthPort(s *corev1.ServiceSpec) bool {
	return s.GetType() == "LoadBalancer" && s.GetExternalTrafficPolicy() == "Local"
}

func serviceStatus(svc, old *corev1.Service) rule.ErrorList {
	var errs rule.ErrorList
	at := field.NewPath("status", "loadBalancer", "ingress")
	ingress := svc.GetStatus().GetLoadBalancer().GetIngress()
	if svc.GetSpec().GetType() != "LoadBalancer" && len(ingress) > 0 {
		return rule.ErrorList{field.Forbidden(at, "may only be used when `spec.type` is 'LoadBalancer'")}
	}
	had := map[string]bool{}
	for _, i := range old.GetStatus().GetLoadBalancer().GetIngress() {
		had[i.GetIp()] = true
	}
	for n, i := range ingress {
		at := at.Index(n)
		if i.Ip != "" {
			errs = append(errs, newAddress(i.Ip, had, at.Child("ip"))...)
		}
		switch mode := i.IpMode; {
		case mode != nil && i.Ip == "":
			errs = append(errs, field.Forbidden(at.Child("ipMode"), "may not be specified when `ip` is not set"))
		case mode != nil && *mode != "VIP" && *mode != "Proxy":
			errs = append(errs, field.NotSupported(at.Child("ipMode"), *mode, []string{"Proxy", "VIP"}))
		}
		if i.Hostname != "" {
			for _, msg := range validation.IsDNS1123Subdomain(i.Hostname) {
				errs = append(errs, field.Invalid(at.Child("hostname"), i.Hostname, msg))
			}
			if len(format.IP(i.Hostname)) == 0 {
				errs = append(errs, field.Invalid(at.Child("hostname"), i.Hostname, "must be a DNS name, not an IP address"))
			}
		}
	}
	return errs
}

func servicePorts(s *corev1.ServiceSpec, headless bool, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	names, ports, nodePorts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, p := range s.Ports {
		at := at.Index(i)
		switch {
		case p.Name == "" && len(s.Ports) > 1:
			errs = append(errs, field.Required(at.Child("name"), ""))
		case p.Name != "":
			for _, msg := range validation.IsDNS1123Label(p.Name) {
				errs = append(errs, field.Invalid(at.Child("name"), p.Name, msg))
			}
			if names[p.Name] {
				errs = append(errs, field.Duplicate(at.Child("name"), p.Name))
			}
			names[p.Name] = true
		}
		if t := p.TargetPort; !headless || t.GetType() == 1 || t.GetIntVal() != 0 {
			errs = append(errs, portOrName(t, at.Child("targetPort"))...)
		}
		id := fmt.Sprintf("%s/%d", p.Protocol, p.Port)
		if ports[id] {
			errs = append(errs, field.Duplicate(at, rule.Value(&corev1.ServicePort{Protocol: p.Protocol, Port: p.Port})))
		}
		ports[id] = true
		if p.NodePort != 0 {
			if s.Type == "ClusterIP" {
				errs = append(errs, field.Forbidden(at.Child("nodePort"), "may not be used when `type` is 'ClusterIP'"))
			}
			id := fmt.Sprintf("%s/%d", p.Protocol, p.NodePort)
			if nodePorts[id] {
				errs = append(errs, field.Duplicate(at.Child("nodePort"), p.NodePort))
			}
			nodePorts[id] = true
		}
	}
	return errs
}

func clusterIPs(s *corev1.ServiceSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if len(s.ClusterIPs) > 0 && s.ClusterIP != "" && s.ClusterIPs[0] != s.ClusterIP {
		errs = append(errs, field.Invalid(at.Child("clusterIPs"), s.ClusterIPs, "first value must match `clusterIP`"))
	}
	if len(s.ClusterIPs) > 0 && s.ClusterIP == "" {
		errs = append(errs, field.Invalid(at.Child("clusterIPs"), s.ClusterIPs, "must be empty when `clusterIP` is not specified"))
	}
	families := map[string]bool{}
	for i, f := range s.IpFamilies {
		if families[f] {
			errs = append(errs, field.Duplicate(at.Child("ipFamilies").Index(i), f))
		}
		families[f] = true
	}
	for i, ip := range s.ClusterIPs {
		at := at.Child("clusterIPs").Index(i)
		if ip == "None" {
			if len(s.ClusterIPs) > 1 {
				errs = append(errs, field.Invalid(at, s.ClusterIPs, "'None' must be the first and only value"))
			}
			continue
		}
		for _, msg := range format.IP(ip) {
			errs = append(errs, field.Invalid(at, ip, msg))
		}
	}
	if len(s.ClusterIPs) == 0 && s.ClusterIP != "" && s.ClusterIP != "None" && len(format.IP(s.ClusterIP)) > 0 {
		errs = append(errs, field.Invalid(at.Child("clusterIPs").Index(0), s.ClusterIP, "must be empty, 'None', or a valid IP address"))
	}
	return errs
}

func serviceUpdate(s, old *corev1.ServiceSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if s.Type == "LoadBalancer" && old.GetType() == "LoadBalancer" && (s.GetLoadBalancerClass() != old.GetLoadBalancerClass() ||
		(s.LoadBalancerClass == nil) != (old.LoadBalancerClass == nil)) {
		errs = append(errs, field.Invalid(at.Child("loadBalancerClass"), s.LoadBalancerClass, "may not change once set"))
	}
	if NeedsHealthPort(s) && NeedsHealthPort(old) && s.HealthCheckNodePort != old.GetHealthCheckNodePort() {
		errs = append(errs, field.Forbidden(at.Child("healthCheckNodePort"), "field is immutable"))
	}
	return append(errs, clusterIPUpdate(s, old, at)...)
}

func clusterIPUpdate(s, old *corev1.ServiceSpec, at *rule.Path) rule.ErrorList {
	if s.Type == "ExternalName" || old.GetType() == "ExternalName" || old.GetClusterIP() == "" {
		return nil
	}
	if s.ClusterIP != "" && s.ClusterIP != old.ClusterIP {
		ips := s.ClusterIPs
		if !slices.Contains(ips, s.ClusterIP) {
			ips = []string{s.ClusterIP}
		}
		return rule.ErrorList{field.Invalid(at.Child("clusterIPs").Index(0), ips, "may not change once set")}
	}
	return nil
}

func endpoints(e, _ *corev1.Endpoints) rule.ErrorList {
	var errs rule.ErrorList
	for i, s := range e.Subsets {
		at := field.NewPath("subsets").Index(i)
		if len(s.Addresses) == 0 && len(s.NotReadyAddresses) == 0 {
			errs = append(errs, field.Required(at, "must specify `addresses` or `notReadyAddresses`"))
		}
		for _, list := range []struct {
			name string
			all  []*corev1.EndpointAddress
		}{{"addresses", s.Addresses}, {"notReadyAddresses", s.NotReadyAddresses}} {
			for j, a := range list.all {
				for _, msg := range format.IP(a.Ip) {
					errs = append(errs, field.Invalid(at.Child(list.name).Index(j).Child("ip"), a.Ip, msg))
				}
			}
		}
		for j, p := range s.Ports {
			at := at.Child("ports").Index(j)
			if len(s.Ports) > 1 && p.Name == "" {
				errs = append(errs, field.Required(at.Child("name"), ""))
			}
			errs = append(errs, port(p.Port, at.Child("port"))...)
		}
	}
	return errs
}
