package network

import (
	"errors"
	"slices"

	"github.com/coreos/go-iptables/iptables"
	"github.com/vishvananda/netlink"
)

// Cleanup removes bridge, pod links, routes and rules of the network with this bridge's name. It goes on after errors
// and tells all of them; sysctls stay as they are.
func Cleanup(bridge string) error {
	n := &Network{cfg: Config{Bridge: bridge}}
	var errs []error
	attached, err := n.attached()
	errs = append(errs, err)
	for _, a := range attached {
		errs = append(errs, netlink.LinkDel(a.link))
	}
	errs = append(errs, n.SyncRoutes(nil))
	if link, err := netlink.LinkByName(bridge); err == nil {
		errs = append(errs, netlink.LinkDel(link))
	} else if !errors.As(err, &netlink.LinkNotFoundError{}) {
		errs = append(errs, err)
	}
	ipt, err := iptables.New()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, j := range jumps {
		if ok, err := ipt.ChainExists(j.table, j.to); err != nil || !ok {
			errs = append(errs, err)
			continue
		}
		rule := append(slices.Clone(j.match), "-j", j.to)
		errs = append(errs, ipt.DeleteIfExists(j.table, j.from, rule...))
	}
	for _, j := range jumps {
		if ok, err := ipt.ChainExists(j.table, j.to); err == nil && ok {
			errs = append(errs, ipt.ClearAndDeleteChain(j.table, j.to))
		}
	}
	return errors.Join(errs...)
}
