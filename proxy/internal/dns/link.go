package dns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Link is the name of the link that holds the DNS address.
const Link = "keelson-dns"

// EnsureLink gives the node the DNS address, on a link of its own that goes nowhere: a bridge without ports, because every
// node has bridges (its pods need one) and not every kernel has dummy links.
func EnsureLink(addr netip.Addr) error {
	link, err := netlink.LinkByName(Link)
	if err != nil {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = Link
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
			return fmt.Errorf("add link %s: %w", Link, err)
		}
		if link, err = netlink.LinkByName(Link); err != nil {
			return err
		}
	}
	err = netlink.AddrReplace(link, &netlink.Addr{IPNet: &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(32, 32)}})
	if err != nil {
		return fmt.Errorf("give %s the address %s: %w", Link, addr, err)
	}
	return netlink.LinkSetUp(link)
}

// RemoveLink takes the address away again.
func RemoveLink() error {
	link, err := netlink.LinkByName(Link)
	if err != nil {
		var missing netlink.LinkNotFoundError
		if errors.As(err, &missing) {
			return nil
		}
		return err
	}
	return netlink.LinkDel(link)
}
