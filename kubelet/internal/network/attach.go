package network

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// podLink is the name of the link inside a pod.
const podLink = "eth0"

// aliasPrefix begins the alias of the node's end of a pod's veth pair: "keelson <address> <uid>".
const aliasPrefix = "keelson "

// attachment is what a veth pair's alias tells.
type attachment struct {
	link    netlink.Link
	address netip.Addr
	uid     string
}

// linkName of the node's end for a pod: short, and the same for every kubelet that looks for it.
func linkName(uid string) string {
	sum := sha256.Sum256([]byte(uid))
	return "kl" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:8]))[:12]
}

// attached lists the pods that have a link on this network's bridge.
func (n *Network) attached() ([]attachment, error) {
	bridge, err := netlink.LinkByName(n.cfg.Bridge)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	var found []attachment
	for _, link := range links {
		if link.Attrs().MasterIndex != bridge.Attrs().Index {
			continue
		}
		if a, ok := parseAlias(link); ok {
			found = append(found, a)
		}
	}
	return found, nil
}

func parseAlias(link netlink.Link) (attachment, bool) {
	rest, ok := strings.CutPrefix(link.Attrs().Alias, aliasPrefix)
	if !ok {
		return attachment{}, false
	}
	ip, uid, ok := strings.Cut(rest, " ")
	if !ok {
		return attachment{}, false
	}
	address, err := netip.ParseAddr(ip)
	return attachment{link: link, address: address, uid: uid}, err == nil
}

// Addresses tells each attached pod's address, by UID.
func (n *Network) Addresses() (map[string]netip.Addr, error) {
	attached, err := n.attached()
	if err != nil {
		return nil, err
	}
	m := make(map[string]netip.Addr, len(attached))
	for _, a := range attached {
		m[a.uid] = a.address
	}
	return m, nil
}

// Attach connects the network namespace at path to the bridge and returns the pod's address. Idempotent. It waits for
// the node's pod CIDR as long as ctx allows.
func (n *Network) Attach(ctx context.Context, path string, pod *runtime.PodConfig) (netip.Addr, error) {
	if err := n.Wait(ctx); err != nil {
		return netip.Addr{}, err
	}
	if a, ok, err := n.existing(pod.UID); err != nil || ok {
		if err != nil {
			return netip.Addr{}, err
		}
		if up, err := configured(path); err == nil && up {
			return a.address, n.ensureHostPorts(pod, a.address)
		}
		// Half made by a kubelet that was killed: begin again.
		if err := netlink.LinkDel(a.link); err != nil {
			return netip.Addr{}, err
		}
		n.release(a.address)
	}
	address, err := n.allocate(pod.UID)
	if err != nil {
		return netip.Addr{}, err
	}
	if err := n.connect(path, pod.UID, address); err != nil {
		_ = n.deleteLink(pod.UID)
		n.release(address)
		return netip.Addr{}, err
	}
	if err := n.ensureHostPorts(pod, address); err != nil {
		return netip.Addr{}, err
	}
	return address, nil
}

// Detach removes the pod's link and whatever rules lead to it. Succeeds where there is none.
func (n *Network) Detach(_ context.Context, uid string) error {
	a, ok, err := n.existing(uid)
	if err != nil {
		return err
	}
	if err := n.removeHostPorts(uid); err != nil {
		return err
	}
	if err := n.deleteLink(uid); err != nil {
		return err
	}
	if ok {
		n.release(a.address)
	}
	return nil
}

func (n *Network) existing(uid string) (attachment, bool, error) {
	link, err := netlink.LinkByName(linkName(uid))
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return attachment{}, false, nil
	}
	if err != nil {
		return attachment{}, false, err
	}
	a, ok := parseAlias(link)
	if !ok {
		// Made, but not yet labelled when its kubelet was killed: it owns no address.
		return attachment{}, false, netlink.LinkDel(link)
	}
	return a, true, nil
}

func (n *Network) deleteLink(uid string) error {
	link, err := netlink.LinkByName(linkName(uid))
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return err
	}
	return netlink.LinkDel(link)
}

// allocate takes the next free address after the last one taken, so that an address rests as long as possible before
// it is used again.
func (n *Network) allocate(uid string) (netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	first := n.gateway().Next()
	candidate := n.last
	size := 1 << (32 - n.cidr.Bits())
	for range size {
		candidate = candidate.Next()
		// The last address is the subnet's broadcast address.
		if !n.cidr.Contains(candidate) || !n.cidr.Contains(candidate.Next()) || candidate.Less(first) {
			candidate = first
		}
		if _, taken := n.used[candidate]; !taken {
			n.used[candidate] = uid
			n.last = candidate
			return candidate, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("no free address in podCIDR %s", n.cidr)
}

func (n *Network) release(a netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.used, a)
}

// connect makes the veth pair, one end on the bridge, the other configured in the pod's namespace.
func (n *Network) connect(path, uid string, address netip.Addr) error {
	bridge, err := netlink.LinkByName(n.cfg.Bridge)
	if err != nil {
		return err
	}
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return fmt.Errorf("opening network namespace: %w", err)
	}
	defer ns.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = linkName(uid), bridge.Attrs().MTU
	attrs.MasterIndex = bridge.Attrs().Index
	veth := &netlink.Veth{
		LinkAttrs: attrs, PeerName: podLink, PeerNamespace: netlink.NsFd(ns),
		PeerHardwareAddr: hardwareAddr(address),
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("making veth pair: %w", err)
	}
	link, err := netlink.LinkByName(attrs.Name)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetAlias(link, aliasPrefix+address.String()+" "+uid); err != nil {
		return err
	}
	// A pod that reaches itself through a Service comes back on the port that it left by.
	if err := netlink.LinkSetHairpin(link, true); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	return n.configure(ns, address)
}

// configure sets up loopback, address and default route inside the pod.
func (n *Network) configure(ns netns.NsHandle, address netip.Addr) error {
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		return err
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := h.LinkSetUp(lo); err != nil {
		return err
	}
	eth, err := h.LinkByName(podLink)
	if err != nil {
		return err
	}
	if err := h.AddrReplace(eth, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(address, n.cidr.Bits()))}); err != nil {
		return err
	}
	if err := h.LinkSetUp(eth); err != nil {
		return err
	}
	return h.RouteReplace(&netlink.Route{LinkIndex: eth.Attrs().Index, Gw: n.gateway().AsSlice()})
}

// configured tells whether configure was completed in the namespace at path: the default route is its last step.
func configured(path string) (bool, error) {
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return false, err
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		return false, err
	}
	defer h.Close()
	routes, err := h.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return false, err
	}
	for _, r := range routes {
		if r.Gw != nil {
			return true, nil
		}
	}
	return false, nil
}

// hardwareAddr is made from the address, so that a neighbour's cached entry stays right when the address is used again.
func hardwareAddr(a netip.Addr) net.HardwareAddr {
	b := a.As4()
	return net.HardwareAddr{0x0a, 0x58, b[0], b[1], b[2], b[3]}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
