package iptables

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/netip"
	"strings"

	"github.com/keelson/keelson/proxy/internal/table"
)

// Chains. All that the proxy makes starts with one of the two prefixes.
const (
	prefix        = "KEELSON-"
	servicePrefix = "KLSVC-"

	// root is jumped to by PREROUTING and OUTPUT: first virtual addresses, then, for the node's own addresses, ports.
	root       = prefix + "SERVICES"
	dispatch   = prefix + "CLUSTERIPS"
	nodePorts  = prefix + "NODEPORTS"
	markMasq   = prefix + "MARK-MASQ"
	postroute  = prefix + "POSTROUTING"
	refuse     = prefix + "REFUSE"
	forwarding = prefix + "FORWARD"

	// mark is the bit that says "masquerade this"; the bit that Kubernetes' proxy uses, so that a CNI plugin that looks
	// at it works.
	mark = "0x4000/0x4000"
)

// rules are what one Service needs: whole chains, and lines in the chains that all Services share.
type rules struct {
	// chains of the nat table that are the Service's own, with their lines.
	chains map[string][]string
	// shared are lines of dispatch and nodePorts (nat), and of refuse (filter).
	dispatch, nodePorts, refuse []string
}

// name makes a chain name, which may have 28 characters, from what identifies it.
func name(kind string, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "/")))
	return servicePrefix + kind + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])[:14]
}

// render writes the rules of a Service. clusterCIDR is where pods live: who comes from elsewhere is masqueraded.
func render(s *table.Service, clusterCIDR netip.Prefix) rules {
	r := rules{chains: map[string][]string{}}
	if s == nil {
		return r
	}
	for _, p := range s.Ports {
		r.port(s.Key, p, clusterCIDR)
	}
	return r
}

func (r *rules) port(key table.Key, p table.Port, clusterCIDR netip.Prefix) {
	comment := fmt.Sprintf("-m comment --comment %q", key.String()+":"+p.Name)
	match := fmt.Sprintf("-p %s -m %s", p.Protocol, p.Protocol)
	internal := name("I", key.String(), p.Name, p.Protocol)
	outside := name("X", key.String(), p.Name, p.Protocol)

	to := func(addr netip.Addr) string {
		return fmt.Sprintf("-d %s/32 %s --dport %d %s", addr, match, p.Port, comment)
	}
	if len(p.Internal) > 0 {
		r.dispatch = append(r.dispatch, to(p.ClusterIP)+" -j "+internal)
		lines := []string{fmt.Sprintf("! -s %s %s --dport %d -d %s/32 -j %s", clusterCIDR, match, p.Port, p.ClusterIP, markMasq)}
		r.chains[internal] = append(lines, r.balance(key, p, p.Internal)...)
	} else {
		r.refuse = append(r.refuse, to(p.ClusterIP)+refusal(p))
	}
	if p.NodePort == 0 && len(p.External) == 0 {
		return
	}
	node := fmt.Sprintf("%s --dport %d %s", match, p.NodePort, comment)
	if len(p.FromOutside) == 0 {
		if p.NodePort != 0 {
			r.refuse = append(r.refuse, "-m addrtype --dst-type LOCAL "+node+refusal(p))
		}
		for _, a := range p.External {
			r.refuse = append(r.refuse, to(a)+refusal(p))
		}
		return
	}
	var lines []string
	if !p.KeepSource {
		lines = append(lines, "-j "+markMasq)
	} else {
		// The node's own packets must come back through it.
		lines = append(lines, "-m addrtype --src-type LOCAL -j "+markMasq)
	}
	r.chains[outside] = append(lines, r.balance(key, p, p.FromOutside)...)
	if p.NodePort != 0 {
		r.nodePorts = append(r.nodePorts, node+" -j "+outside)
	}
	for _, a := range p.External {
		if len(p.SourceRanges) == 0 {
			r.dispatch = append(r.dispatch, to(a)+" -j "+outside)
		}
		// Only these addresses are restricted; a node port is the node's firewall's business.
		for _, source := range p.SourceRanges {
			r.dispatch = append(r.dispatch, "-s "+source.String()+" "+to(a)+" -j "+outside)
		}
	}
}

// refusal is what happens where there is no endpoint: a clear no where none exists anywhere, silence where another node
// has some, because the packet came to the wrong node.
func refusal(p table.Port) string {
	if !p.HasAny {
		return " -j REJECT"
	}
	return " -j DROP"
}

// balance sends to one of the endpoints, each with the same chance; with affinity, to where the client was before.
func (r *rules) balance(key table.Key, p table.Port, endpoints []table.Endpoint) []string {
	var sticky, random []string
	for i, e := range endpoints {
		chain := name("E", key.String(), p.Name, p.Protocol, e.String())
		lines := []string{fmt.Sprintf("-s %s/32 -j %s", e.Addr, markMasq)}
		set := ""
		if p.AffinitySeconds > 0 {
			set = "-m recent --name " + chain + " --set --rsource "
			sticky = append(sticky, fmt.Sprintf("-m recent --name %s --rcheck --seconds %d --reap --rsource -j %s", chain, p.AffinitySeconds, chain))
		}
		r.chains[chain] = append(lines, fmt.Sprintf("%s-p %s -m %s -j DNAT --to-destination %s", set, p.Protocol, p.Protocol, e))
		pick := "-j " + chain
		if left := len(endpoints) - i; left > 1 {
			pick = fmt.Sprintf("-m statistic --mode random --probability %.10f -j %s", 1/float64(left), chain)
		}
		random = append(random, pick)
	}
	return append(sticky, random...)
}
