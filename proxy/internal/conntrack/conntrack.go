// Package conntrack removes the kernel's memory of UDP flows that lead nowhere any more: without a connection's end to
// see, the kernel would go on sending a client's packets to a backend that is gone.
package conntrack

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"

	"github.com/keelson/keelson/proxy/internal/table"
)

// Frontend is a virtual address that UDP clients send to.
type Frontend struct {
	Addr netip.Addr // invalid: any address of the node
	Port uint16
}

// Backends maps each frontend to where its packets may go. Flows of frontends that are not in it are left alone.
type Backends map[Frontend]map[netip.AddrPort]bool

// Of collects the UDP frontends of Services.
func Of(services []*table.Service) Backends {
	out := Backends{}
	for _, s := range services {
		if s == nil {
			continue
		}
		for _, p := range s.Ports {
			if p.Protocol != "udp" {
				continue
			}
			out.add(Frontend{p.ClusterIP, p.Port}, p.Internal)
			for _, a := range p.External {
				out.add(Frontend{a, p.Port}, p.FromOutside)
			}
			if p.NodePort != 0 {
				out.add(Frontend{Port: p.NodePort}, p.FromOutside)
			}
		}
	}
	return out
}

func (b Backends) add(f Frontend, endpoints []table.Endpoint) {
	set := map[netip.AddrPort]bool{}
	for _, e := range endpoints {
		set[netip.AddrPortFrom(e.Addr, e.Port)] = true
	}
	b[f] = set
}

// stale tells whether a flow goes to a frontend of ours and not to one of its backends.
func (b Backends) stale(flow *netlink.ConntrackFlow) bool {
	if flow.Forward.Protocol != syscall.IPPROTO_UDP {
		return false
	}
	to, ok := addrPort(flow.Forward.DstIP, flow.Forward.DstPort)
	if !ok {
		return false
	}
	// The reply comes from where the packets really went.
	from, ok := addrPort(flow.Reverse.SrcIP, flow.Reverse.SrcPort)
	if !ok {
		return false
	}
	backends, known := b[Frontend{to.Addr(), to.Port()}]
	if !known {
		backends, known = b[Frontend{Port: to.Port()}]
		// A flow to some other machine's port of that number was not translated.
		if known && from == to {
			return false
		}
	}
	return known && !backends[from]
}

func addrPort(ip net.IP, port uint16) (netip.AddrPort, bool) {
	a, ok := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(a.Unmap(), port), ok
}

// Reconcile deletes the stale flows of the network namespace: the whole table against the whole set of frontends, so
// that nothing depends on having seen the change that made them stale. It returns how many there were.
func Reconcile(b Backends) (uint, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, netlink.InetFamily(netlink.FAMILY_V4), filter{b})
	if errors.Is(err, syscall.ENOENT) {
		err = nil // A flow ended by itself in between.
	}
	return n, err
}

// filter is netlink's way to ask about a flow.
type filter struct{ backends Backends }

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (f filter) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool { return f.backends.stale(flow) }
