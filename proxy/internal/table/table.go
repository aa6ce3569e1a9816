// Package table computes from Services and EndpointSlices where packets are to go: a value with a text form, and no idea
// of the rules that bring it about.
package table

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Key names a Service.
type Key struct{ Namespace, Name string }

// String returns "namespace/name".
func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Service is the forwarding of one Service; a Service without any port to forward has none.
type Service struct {
	Key   Key
	Ports []Port
}

// Port is one port of a Service.
type Port struct {
	// Name is the port's name in the Service; may be empty.
	Name string
	// Protocol is "tcp", "udp" or "sctp", as iptables spells it.
	Protocol string
	// ClusterIP and Port are the virtual address.
	ClusterIP netip.Addr
	Port      uint16
	// NodePort is open on every address of the node; 0: none.
	NodePort uint16
	// External are addresses besides the cluster IP that reach the Service: external IPs and load balancers'.
	External []netip.Addr
	// SourceRanges restrict who may come by a load balancer's address; empty: anyone.
	SourceRanges []netip.Prefix
	// AffinitySeconds binds a client to the endpoint it came to first, for so long after its last packet; 0: not.
	AffinitySeconds int32
	// Internal are the endpoints for clients in the cluster, FromOutside for others; with a Local traffic policy only
	// those on this node.
	Internal, FromOutside []Endpoint
	// KeepSource: packets from outside keep their source address (externalTrafficPolicy: Local).
	KeepSource bool
	// HasAny is false where the Service has no endpoint on any node: then it refuses. Where only this node has none,
	// it drops.
	HasAny bool
}

// Endpoint is where a packet ends up.
type Endpoint struct {
	Addr netip.Addr
	Port uint16
}

// String returns "address:port".
func (e Endpoint) String() string { return netip.AddrPortFrom(e.Addr, e.Port).String() }

func compareEndpoints(a, b Endpoint) int {
	return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Port, b.Port))
}

// String is a text form for people and tests, a line a port.
func (s *Service) String() string {
	var b strings.Builder
	for _, p := range s.Ports {
		fmt.Fprintf(&b, "%s:%s %s %s:%d", s.Key, p.Name, p.Protocol, p.ClusterIP, p.Port)
		if p.NodePort != 0 {
			fmt.Fprintf(&b, " node:%d", p.NodePort)
		}
		for _, a := range p.External {
			fmt.Fprintf(&b, " external:%s", a)
		}
		if p.AffinitySeconds != 0 {
			fmt.Fprintf(&b, " affinity:%ds", p.AffinitySeconds)
		}
		fmt.Fprintf(&b, " -> %v", p.Internal)
		if !slices.Equal(p.Internal, p.FromOutside) {
			fmt.Fprintf(&b, " outside -> %v", p.FromOutside)
		}
		if p.KeepSource {
			b.WriteString(" keeps source")
		}
		if !p.HasAny {
			b.WriteString(" refuses")
		}
		b.WriteByte('\n')
	}
	return b.String()
}
