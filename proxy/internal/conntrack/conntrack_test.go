package conntrack

import (
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/keelson/keelson/proxy/internal/table"
)

func flow(protocol uint8, to string, toPort uint16, from string, fromPort uint16) *netlink.ConntrackFlow {
	return &netlink.ConntrackFlow{
		Forward: netlink.IPTuple{Protocol: protocol, DstIP: net.ParseIP(to), DstPort: toPort},
		Reverse: netlink.IPTuple{Protocol: protocol, SrcIP: net.ParseIP(from), SrcPort: fromPort},
	}
}

func TestStale(t *testing.T) {
	endpoints := []table.Endpoint{{Addr: netip.MustParseAddr("10.244.0.2"), Port: 53}}
	b := Of([]*table.Service{{Ports: []table.Port{
		{Protocol: "udp", ClusterIP: netip.MustParseAddr("10.96.0.9"), Port: 53, NodePort: 30053, Internal: endpoints, FromOutside: endpoints},
		{Protocol: "tcp", ClusterIP: netip.MustParseAddr("10.96.0.9"), Port: 80},
	}}, nil})
	const udp, tcp = syscall.IPPROTO_UDP, syscall.IPPROTO_TCP
	tests := []struct {
		name string
		flow *netlink.ConntrackFlow
		want bool
	}{
		{"to a backend that is there", flow(udp, "10.96.0.9", 53, "10.244.0.2", 53), false},
		{"to one that is gone", flow(udp, "10.96.0.9", 53, "10.244.0.7", 53), true},
		{"sent to the address itself before there was a backend", flow(udp, "10.96.0.9", 53, "10.96.0.9", 53), true},
		{"TCP ends by itself", flow(tcp, "10.96.0.9", 53, "10.244.0.7", 53), false},
		{"to nobody's address", flow(udp, "192.0.2.1", 53, "192.0.2.1", 53), false},
		{"node port, backend gone", flow(udp, "172.30.0.1", 30053, "10.244.0.7", 53), true},
		{"the same port of another machine", flow(udp, "192.0.2.1", 30053, "192.0.2.1", 30053), false},
	}
	for _, tt := range tests {
		if got := b.stale(tt.flow); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
