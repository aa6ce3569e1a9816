package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-iptables/iptables"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// The network's own iptables chains. They are jumped to from the built-in ones and hold every rule it makes.
const (
	chainMasquerade = "KL-POD-MASQ"
	chainForward    = "KL-POD-FORWARD"
	chainHostPort   = "KL-HOSTPORT"
	chainHairpin    = "KL-HOSTPORT-MASQ"
)

// jump leads from a built-in chain to one of the network's.
type jump struct {
	table, from, to string
	match           []string
	// first puts the jump before others' rules.
	first bool
}

var jumps = []jump{
	{table: "nat", from: "POSTROUTING", to: chainMasquerade},
	// After others' rules, so that policies that drop come first.
	{table: "filter", from: "FORWARD", to: chainForward},
	{table: "nat", from: "PREROUTING", to: chainHostPort, match: []string{"-m", "addrtype", "--dst-type", "LOCAL"}, first: true},
	{table: "nat", from: "OUTPUT", to: chainHostPort, match: []string{"-m", "addrtype", "--dst-type", "LOCAL"}, first: true},
	{table: "nat", from: "POSTROUTING", to: chainHairpin, first: true},
}

func (n *Network) ensureRules() error {
	ipt, err := iptables.New()
	if err != nil {
		return err
	}
	for _, j := range jumps {
		if ok, err := ipt.ChainExists(j.table, j.to); err != nil {
			return err
		} else if !ok {
			if err := ipt.NewChain(j.table, j.to); err != nil && !exists(err) {
				return err
			}
		}
		rule := append(slices.Clone(j.match), "-j", j.to)
		if j.first {
			err = ipt.InsertUnique(j.table, j.from, 1, rule...)
		} else {
			err = ipt.AppendUnique(j.table, j.from, rule...)
		}
		if err != nil {
			return err
		}
	}
	cluster := n.cfg.ClusterCIDR
	if !cluster.IsValid() {
		cluster = n.cidr
	}
	rules := [][]string{
		{"nat", chainMasquerade, "!", "-s", n.cidr.String(), "-j", "RETURN"},
		{"nat", chainMasquerade, "-d", cluster.String(), "-j", "RETURN"},
		{"nat", chainMasquerade, "-d", "224.0.0.0/4", "-j", "RETURN"},
		{"nat", chainMasquerade, "-j", "MASQUERADE"},
		{"filter", chainForward, "-i", n.cfg.Bridge, "-j", "ACCEPT"},
		{"filter", chainForward, "-o", n.cfg.Bridge, "-j", "ACCEPT"},
	}
	for _, r := range rules {
		if err := ipt.AppendUnique(r[0], r[1], r[2:]...); err != nil {
			return err
		}
	}
	return nil
}

func exists(err error) bool {
	var e *iptables.Error
	return errors.As(err, &e) && strings.Contains(e.Error(), "exists")
}

// comment marks the rules of a pod.
func comment(uid string) []string {
	return []string{"-m", "comment", "--comment", "keelson pod " + uid}
}

// ensureHostPorts leads the pod's host ports to it.
func (n *Network) ensureHostPorts(pod *runtime.PodConfig, address netip.Addr) error {
	if len(pod.Ports) == 0 {
		return nil
	}
	ipt, err := iptables.New()
	if err != nil {
		return err
	}
	for _, p := range pod.Ports {
		proto := strings.ToLower(p.Protocol)
		to := netip.AddrPortFrom(address, uint16(p.ContainerPort)).String()
		rule := []string{"-p", proto}
		if p.HostIP.IsValid() && !p.HostIP.IsUnspecified() {
			rule = append(rule, "-d", p.HostIP.String()+"/32")
		}
		rule = append(rule, "-m", proto, "--dport", strconv.Itoa(p.HostPort))
		rule = append(rule, comment(pod.UID)...)
		rule = append(rule, "-j", "DNAT", "--to-destination", to)
		if err := ipt.AppendUnique("nat", chainHostPort, rule...); err != nil {
			return fmt.Errorf("leading host port %d to the pod: %w", p.HostPort, err)
		}
		// The pod itself, and the node through its loopback address, need their answers to come back through the node.
		for _, source := range []string{address.String() + "/32", "127.0.0.0/8"} {
			rule := []string{"-s", source, "-d", address.String() + "/32", "-p", proto, "-m", proto, "--dport", strconv.Itoa(p.ContainerPort)}
			rule = append(append(rule, comment(pod.UID)...), "-j", "MASQUERADE")
			if err := ipt.AppendUnique("nat", chainHairpin, rule...); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeHostPorts deletes every rule with the pod's mark.
func (n *Network) removeHostPorts(uid string) error {
	n.mu.Lock()
	ready := n.isReady
	n.mu.Unlock()
	if !ready {
		return nil
	}
	ipt, err := iptables.New()
	if err != nil {
		return err
	}
	for _, chain := range []string{chainHostPort, chainHairpin} {
		rules, err := ipt.List("nat", chain)
		if err != nil {
			return err
		}
		for _, rule := range rules {
			spec, ok := strings.CutPrefix(rule, "-A "+chain+" ")
			if !ok || !strings.Contains(spec, `"keelson pod `+uid+`"`) {
				continue
			}
			args := strings.Fields(strings.ReplaceAll(spec, `"keelson pod `+uid+`"`, "\x00"))
			for i := range args {
				if args[i] == "\x00" {
					args[i] = "keelson pod " + uid
				}
			}
			if err := ipt.DeleteIfExists("nat", chain, args...); err != nil {
				return err
			}
		}
	}
	return nil
}
