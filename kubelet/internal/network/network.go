// Package network is the built-in pod network: a bridge on the node, a veth pair a pod, addresses from the node's pod
// CIDR, routes to the other nodes' pods through their addresses, and masquerade for what leaves the cluster.
//
// It works in whatever network namespace the process is in and keeps no file: which address belongs to which pod is
// written on the node's end of each pod's veth pair (as the link's alias), so that what exists is what is known.
package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"

	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/vishvananda/netlink"
	"go.uber.org/zap"
)

// Config of a node's pod network.
type Config struct {
	// Bridge is the name of the node's bridge, at most 15 characters.
	Bridge string
	// ClusterCIDR holds all pods of the cluster: traffic within it is never masqueraded. The zero value masquerades
	// whatever leaves the node's own pods.
	ClusterCIDR netip.Prefix
	// MTU of bridge and pods; 0 takes that of the link with the default route.
	MTU int
}

// ErrNotReady tells that the node has no pod CIDR yet.
var ErrNotReady = errors.New("the node has no podCIDR yet")

// Network is the pod network of one node. Its methods may be called concurrently.
type Network struct {
	cfg Config
	log *zap.Logger

	mu      sync.Mutex
	cidr    netip.Prefix
	last    netip.Addr
	used    map[netip.Addr]string
	ready   chan struct{}
	isReady bool
}

// New prepares a network; nothing is changed on the node until SetPodCIDR.
func New(cfg Config, log *zap.Logger) (*Network, error) {
	if len(cfg.Bridge) == 0 || len(cfg.Bridge) > 15 {
		return nil, fmt.Errorf("bridge name %q must have 1 to 15 characters", cfg.Bridge)
	}
	return &Network{cfg: cfg, log: log, ready: make(chan struct{}), used: map[netip.Addr]string{}}, nil
}

// SetPodCIDR makes the bridge with the first address of the node's pod CIDR, and the node's rules. Idempotent; pods can
// be attached from then on.
func (n *Network) SetPodCIDR(cidr netip.Prefix) error {
	if !cidr.Addr().Is4() {
		return fmt.Errorf("podCIDR %s: only IPv4 pod networks are supported", cidr)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isReady {
		if n.cidr != cidr.Masked() {
			return fmt.Errorf("the node's podCIDR changed from %s to %s", n.cidr, cidr)
		}
		return nil
	}
	n.cidr = cidr.Masked()
	if err := n.ensureBridge(); err != nil {
		return fmt.Errorf("making bridge %s: %w", n.cfg.Bridge, err)
	}
	if err := n.ensureRules(); err != nil {
		return fmt.Errorf("making iptables rules: %w", err)
	}
	attached, err := n.attached()
	if err != nil {
		return err
	}
	for _, a := range attached {
		n.used[a.address] = a.uid
		if n.last.Less(a.address) {
			n.last = a.address
		}
	}
	n.isReady = true
	close(n.ready)
	return nil
}

// Ready tells whether pods can be attached.
func (n *Network) Ready() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.isReady
}

// gateway is the bridge's address: the first of the pod CIDR.
func (n *Network) gateway() netip.Addr { return n.cidr.Addr().Next() }

func (n *Network) ensureBridge() error {
	mtu := n.cfg.MTU
	if mtu == 0 {
		mtu = defaultMTU()
	}
	link, err := netlink.LinkByName(n.cfg.Bridge)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = n.cfg.Bridge, mtu
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		link, err = netlink.LinkByName(n.cfg.Bridge)
	}
	if err != nil {
		return err
	}
	// A bridge whose address no port changes: the lowest port's is taken otherwise.
	if err := netlink.LinkSetHardwareAddr(link, hardwareAddr(n.gateway())); err != nil {
		return err
	}
	address := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(n.gateway(), n.cidr.Bits()))}
	present, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	for _, a := range present {
		if !a.Equal(*address) {
			if err := netlink.AddrDel(link, &a); err != nil {
				return err
			}
		}
	}
	if err := netlink.AddrReplace(link, address); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	return setSysctls(n.cfg.Bridge)
}

// maxMTU is the most that a bridge takes; loopback has one more.
const maxMTU = 65535

// defaultMTU is that of the link with the default route, else Ethernet's.
func defaultMTU() int {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return 1500
	}
	for _, r := range routes {
		if r.Dst == nil || r.Dst.IP.IsUnspecified() {
			if link, err := netlink.LinkByIndex(r.LinkIndex); err == nil && link.Attrs().MTU > 0 {
				return min(link.Attrs().MTU, maxMTU)
			}
		}
	}
	return 1500
}

// setSysctls makes the node forward, and bridged traffic pass iptables (without it, a Service's answer that goes from
// pod to pod over the bridge is not translated back).
func setSysctls(bridge string) error {
	if err := writeSysctl("net/ipv4/ip_forward", "1"); err != nil {
		return err
	}
	if err := writeSysctl("net/ipv4/conf/"+bridge+"/route_localnet", "1"); err != nil {
		return err
	}
	if err := writeSysctl("net/bridge/bridge-nf-call-iptables", "1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func writeSysctl(name, value string) error {
	path := "/proc/sys/" + name
	if now, err := os.ReadFile(path); err == nil && len(now) > 0 && string(now[:len(now)-1]) == value {
		return nil
	}
	return os.WriteFile(path, []byte(value), 0o644)
}

// Wait returns when pods can be attached.
func (n *Network) Wait(ctx context.Context) error {
	select {
	case <-n.ready:
		return nil
	case <-ctx.Done():
		return ErrNotReady
	}
}

var _ interface {
	Attach(context.Context, string, *runtime.PodConfig) (netip.Addr, error)
	Detach(context.Context, string) error
} = (*Network)(nil)
