package network

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
)

// routeProtocol marks the routes that this package makes, in the kernel's table of routing protocols.
const routeProtocol = 107

// Route leads to the pods of another node.
type Route struct {
	// CIDR of the node's pods, Via its address: directly reachable, on a link that it shares with this node.
	CIDR netip.Prefix
	Via  netip.Addr
}

// SyncRoutes makes the routes to other nodes' pods exactly the given ones. Each route that can't be made is part of the
// error; the others are in place.
func (n *Network) SyncRoutes(routes []Route) error {
	present, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Protocol: routeProtocol}, netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return err
	}
	var errs []error
	wanted := map[netip.Prefix]bool{}
	for _, r := range routes {
		cidr := r.CIDR.Masked()
		wanted[cidr] = true
		if hasRoute(present, cidr, r.Via) {
			continue
		}
		route := &netlink.Route{Dst: ipNet(cidr), Gw: r.Via.AsSlice(), Protocol: routeProtocol}
		if err := netlink.RouteReplace(route); err != nil {
			errs = append(errs, fmt.Errorf("routing %s via %s: %w", cidr, r.Via, err))
		}
	}
	for _, r := range present {
		if cidr, ok := prefix(r); ok && !wanted[cidr] {
			if err := netlink.RouteDel(&r); err != nil && !errors.Is(err, syscall.ESRCH) {
				errs = append(errs, fmt.Errorf("removing the route to %s: %w", cidr, err))
			}
		}
	}
	return errors.Join(errs...)
}

func hasRoute(routes []netlink.Route, cidr netip.Prefix, via netip.Addr) bool {
	for _, r := range routes {
		if p, ok := prefix(r); ok && p == cidr {
			gw, _ := netip.AddrFromSlice(r.Gw)
			return gw.Unmap() == via
		}
	}
	return false
}

func prefix(r netlink.Route) (netip.Prefix, bool) {
	if r.Dst == nil {
		return netip.Prefix{}, false
	}
	ip, ok := netip.AddrFromSlice(r.Dst.IP)
	bits, _ := r.Dst.Mask.Size()
	return netip.PrefixFrom(ip.Unmap(), bits), ok
}
