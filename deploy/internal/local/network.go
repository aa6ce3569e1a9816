package local

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// ensureBridge makes the link that every node and the machine share. The API server listens there, so that pods reach
// it at the same address whatever the machine's own network is.
func ensureBridge() (netlink.Link, error) {
	link, err := netlink.LinkByName(bridgeName)
	if err != nil {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = bridgeName
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
			return nil, fmt.Errorf("add bridge %s: %w", bridgeName, err)
		}
		if link, err = netlink.LinkByName(bridgeName); err != nil {
			return nil, err
		}
	}
	if err := ensureAddress(link, hostAddress); err != nil {
		return nil, err
	}
	return link, netlink.LinkSetUp(link)
}

// ensureServiceRoute lets the machine itself send to Services where it has no default route: the packet must have some way to
// take before the rules translate it.
func ensureServiceRoute(bridge netlink.Link) error {
	p := netip.MustParsePrefix(serviceCIDR)
	err := netlink.RouteReplace(&netlink.Route{
		LinkIndex: bridge.Attrs().Index, Src: hostAddress.Addr().AsSlice(),
		Dst: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)},
	})
	if err != nil {
		return fmt.Errorf("route to the Services: %w", err)
	}
	return nil
}

func ensureAddress(link netlink.Link, p netip.Prefix) error {
	err := netlink.AddrReplace(link, &netlink.Addr{IPNet: &net.IPNet{
		IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
	}})
	if err != nil {
		return fmt.Errorf("give %s the address %s: %w", link.Attrs().Name, p, err)
	}
	return nil
}

// ensureNamespace makes a node's network namespace: loopback, eth0 on the bridge and a default route.
func ensureNamespace(n node, bridge netlink.Link) error {
	if n.Namespace == "" {
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	origin, err := netns.Get()
	if err != nil {
		return err
	}
	defer origin.Close()
	space, err := netns.GetFromName(n.Namespace)
	if errors.Is(err, os.ErrNotExist) {
		space, err = netns.NewNamed(n.Namespace)
		err = errors.Join(err, netns.Set(origin))
	}
	if err != nil {
		return fmt.Errorf("make network namespace %s: %w", n.Namespace, err)
	}
	defer space.Close()
	inside, err := netlink.NewHandleAt(space)
	if err != nil {
		return err
	}
	defer inside.Close()
	if lo, err := inside.LinkByName("lo"); err == nil {
		if err := inside.LinkSetUp(lo); err != nil {
			return err
		}
	}
	if _, err := inside.LinkByName("eth0"); err == nil {
		return nil
	}
	hostSide := "kl" + n.Name
	attrs := netlink.NewLinkAttrs()
	attrs.Name = hostSide
	attrs.MasterIndex = bridge.Attrs().Index
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(space)}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("join %s to %s: %w", n.Name, bridgeName, err)
	}
	outer, err := netlink.LinkByName(hostSide)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(outer); err != nil {
		return err
	}
	eth0, err := inside.LinkByName("eth0")
	if err != nil {
		return err
	}
	address := netlink.Addr{IPNet: &net.IPNet{IP: n.Address.AsSlice(), Mask: net.CIDRMask(hostAddress.Bits(), 32)}}
	if err := inside.AddrReplace(eth0, &address); err != nil {
		return err
	}
	if err := inside.LinkSetUp(eth0); err != nil {
		return err
	}
	return inside.RouteReplace(&netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: hostAddress.Addr().AsSlice()})
}

// removeLinks removes the links of the cluster from the machine's own network namespace; those in a node's namespace go
// with it. A veth's removal takes its peer along.
func removeLinks() error {
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	var failed []error
	for _, l := range links {
		name := l.Attrs().Name
		if strings.HasPrefix(name, "keelson") || strings.HasPrefix(name, "kl") {
			var gone netlink.LinkNotFoundError
			if err := netlink.LinkDel(l); err != nil && !errors.As(err, &gone) && !strings.Contains(err.Error(), "no such device") {
				failed = append(failed, fmt.Errorf("remove link %s: %w", name, err))
			}
		}
	}
	return errors.Join(failed...)
}

// removeNamespaces removes every network namespace of the cluster.
func removeNamespaces() error {
	entries, err := os.ReadDir("/run/netns")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "keelson-") {
			failed = append(failed, netns.DeleteNamed(e.Name()))
		}
	}
	return errors.Join(failed...)
}
