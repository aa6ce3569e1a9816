package table

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
)

// HeadlessIP is spec.clusterIP of a Service without a virtual address.
const HeadlessIP = "None"

// defaultAffinitySeconds is Kubernetes' DefaultClientIPServiceAffinitySeconds.
const defaultAffinitySeconds = 10800

// Build computes the forwarding of a Service on the named node. It returns nil where nothing is to be forwarded: for
// headless and external-name Services.
func Build(svc *corev1.Service, endpointSlices []*discoveryv1.EndpointSlice, node string) *Service {
	spec := svc.GetSpec()
	if spec.GetType() == "ExternalName" || spec.GetClusterIP() == "" || spec.GetClusterIP() == HeadlessIP {
		return nil
	}
	clusterIP, err := netip.ParseAddr(spec.GetClusterIP())
	if err != nil || !clusterIP.Is4() {
		return nil
	}
	out := &Service{Key: Key{svc.GetMetadata().GetNamespace(), svc.GetMetadata().GetName()}}
	external, ranges := externalAddresses(svc)
	for _, sp := range spec.GetPorts() {
		p := Port{
			Name: sp.GetName(), Protocol: strings.ToLower(sp.GetProtocol()), ClusterIP: clusterIP, Port: uint16(sp.GetPort()),
			NodePort: uint16(sp.GetNodePort()), External: external, SourceRanges: ranges,
		}
		if p.Protocol == "" {
			p.Protocol = "tcp"
		}
		if spec.GetSessionAffinity() == "ClientIP" {
			p.AffinitySeconds = defaultAffinitySeconds
			if c := spec.GetSessionAffinityConfig().GetClientIP(); c != nil && c.TimeoutSeconds != nil {
				p.AffinitySeconds = c.GetTimeoutSeconds()
			}
		}
		all, local := endpoints(sp, endpointSlices, node)
		p.HasAny = len(all) > 0
		p.Internal, p.FromOutside = all, all
		if spec.GetInternalTrafficPolicy() == "Local" {
			p.Internal = local
		}
		if spec.GetExternalTrafficPolicy() == "Local" {
			p.FromOutside, p.KeepSource = local, true
		}
		out.Ports = append(out.Ports, p)
	}
	if len(out.Ports) == 0 {
		return nil
	}
	return out
}

func externalAddresses(svc *corev1.Service) (addrs []netip.Addr, ranges []netip.Prefix) {
	add := func(s string) {
		if a, err := netip.ParseAddr(s); err == nil && a.Is4() && !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	for _, s := range svc.GetSpec().GetExternalIPs() {
		add(s)
	}
	for _, ingress := range svc.GetStatus().GetLoadBalancer().GetIngress() {
		add(ingress.GetIp())
	}
	for _, s := range svc.GetSpec().GetLoadBalancerSourceRanges() {
		if p, err := netip.ParsePrefix(strings.TrimSpace(s)); err == nil {
			ranges = append(ranges, p.Masked())
		}
	}
	return addrs, ranges
}

// endpoints are those of one port: the ready ones; where none is ready, those that terminate but still serve. local are
// the ones on the node. Both are sorted, so that equal sets are equal values.
func endpoints(sp *corev1.ServicePort, endpointSlices []*discoveryv1.EndpointSlice, node string) (all, local []Endpoint) {
	type candidate struct {
		Endpoint
		local bool
	}
	var ready, serving []candidate
	for _, slice := range endpointSlices {
		if slice.GetAddressType() != "IPv4" {
			continue
		}
		port, ok := portOf(slice, sp)
		if !ok {
			continue
		}
		for _, ep := range slice.GetEndpoints() {
			if len(ep.GetAddresses()) == 0 {
				continue
			}
			addr, err := netip.ParseAddr(ep.GetAddresses()[0])
			if err != nil {
				continue
			}
			c := candidate{Endpoint{addr, port}, ep.GetNodeName() == node}
			conditions := ep.GetConditions()
			switch {
			case conditions.GetReady() || conditions == nil || conditions.Ready == nil:
				ready = append(ready, c)
			case conditions.GetServing() && conditions.GetTerminating():
				serving = append(serving, c)
			}
		}
	}
	pick := func(keep func(candidate) bool) []Endpoint {
		for _, from := range [][]candidate{ready, serving} {
			var out []Endpoint
			for _, c := range from {
				if keep(c) {
					out = append(out, c.Endpoint)
				}
			}
			if len(out) > 0 {
				slices.SortFunc(out, compareEndpoints)
				return slices.Compact(out)
			}
		}
		return nil
	}
	return pick(func(candidate) bool { return true }), pick(func(c candidate) bool { return c.local })
}

// portOf finds the slice's port for a Service's port: by name.
func portOf(slice *discoveryv1.EndpointSlice, sp *corev1.ServicePort) (uint16, bool) {
	for _, p := range slice.GetPorts() {
		protocol := p.GetProtocol()
		if protocol == "" {
			protocol = "TCP"
		}
		want := sp.GetProtocol()
		if want == "" {
			want = "TCP"
		}
		if p.GetName() == sp.GetName() && protocol == want && p.GetPort() != 0 {
			return uint16(p.GetPort()), true
		}
	}
	return 0, false
}
