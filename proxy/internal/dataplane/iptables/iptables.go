// Package iptables brings the forwarding table about with iptables.
//
//	PREROUTING, OUTPUT ─▶ KEELSON-SERVICES ─▶ KEELSON-CLUSTERIPS ─▶ KLSVC-I… ─▶ KLSVC-E… (DNAT)
//	                                      └─▶ KEELSON-NODEPORTS  ─▶ KLSVC-X… ─▶ KLSVC-E…
//	POSTROUTING ─▶ KEELSON-POSTROUTING (masquerade what is marked)
//	INPUT, FORWARD, OUTPUT ─▶ KEELSON-REFUSE (Services without endpoints)
//
// Each Service has chains of its own, so that a change of one touches no line of another: what is sent to
// iptables-restore is as long as the change, whatever the number of Services.
package iptables

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	goiptables "github.com/coreos/go-iptables/iptables"

	"github.com/keelson/keelson/proxy/internal/table"
)

// Dataplane is the forwarding of one network namespace. It is used by one goroutine.
type Dataplane struct {
	clusterCIDR netip.Prefix
	ipt         *goiptables.IPTables
	// applied is what the kernel has, by Service.
	applied map[table.Key]rules
}

// New checks that iptables can be used here.
func New(clusterCIDR netip.Prefix) (*Dataplane, error) {
	ipt, err := goiptables.New(goiptables.IPFamily(goiptables.ProtocolIPv4), goiptables.Timeout(5))
	if err != nil {
		return nil, fmt.Errorf("iptables: %w", err)
	}
	return &Dataplane{clusterCIDR: clusterCIDR, ipt: ipt, applied: map[table.Key]rules{}}, nil
}

// jumps lead from the kernel's chains to ours, in front of what else is there.
var jumps = []struct{ table, chain, rule string }{
	{"nat", "PREROUTING", "-m comment --comment \"Keelson services\" -j " + root},
	{"nat", "OUTPUT", "-m comment --comment \"Keelson services\" -j " + root},
	{"nat", "POSTROUTING", "-m comment --comment \"Keelson masquerade\" -j " + postroute},
	{"filter", "INPUT", "-m conntrack --ctstate NEW -m comment --comment \"Keelson refused services\" -j " + refuse},
	{"filter", "FORWARD", "-m conntrack --ctstate NEW -m comment --comment \"Keelson refused services\" -j " + refuse},
	{"filter", "OUTPUT", "-m conntrack --ctstate NEW -m comment --comment \"Keelson refused services\" -j " + refuse},
	{"filter", "FORWARD", "-m comment --comment \"Keelson forwarding\" -j " + forwarding},
}

// Reset makes the kernel hold exactly the given Services, whatever it holds now: one transaction, so that packets find
// either the old state or the new. It is the first call, and the way out of every doubt.
func (d *Dataplane) Reset(ctx context.Context, services []*table.Service) error {
	var t transaction
	t.nat.chain(root, []string{"-j " + dispatch, "-m addrtype --dst-type LOCAL -j " + nodePorts})
	t.nat.chain(markMasq, []string{"-j MARK --set-xmark " + mark})
	t.nat.chain(postroute, []string{
		"-m mark ! --mark " + mark + " -j RETURN",
		"-j MARK --set-xmark 0x4000/0x0",
		"-j MASQUERADE --random-fully",
	})
	t.filter.chain(forwarding, []string{
		"-m conntrack --ctstate INVALID -j DROP",
		"-m mark --mark " + mark + " -j ACCEPT",
		"-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
	})
	applied := make(map[table.Key]rules, len(services))
	var toDispatch, toNodePorts, toRefuse []string
	wanted := map[string]bool{}
	for _, s := range services {
		r := render(s, d.clusterCIDR)
		applied[s.Key] = r
		for chain, lines := range r.chains {
			t.nat.chain(chain, lines)
			wanted[chain] = true
		}
		toDispatch, toNodePorts, toRefuse = append(toDispatch, r.dispatch...), append(toNodePorts, r.nodePorts...), append(toRefuse, r.refuse...)
	}
	t.nat.chain(dispatch, toDispatch)
	t.nat.chain(nodePorts, toNodePorts)
	t.filter.chain(refuse, toRefuse)
	existing, err := d.ipt.ListChains("nat")
	if err != nil {
		return fmt.Errorf("list chains: %w", err)
	}
	for _, chain := range existing {
		if strings.HasPrefix(chain, servicePrefix) && !wanted[chain] {
			t.nat.declare = append(t.nat.declare, chain)
			t.nat.remove = append(t.nat.remove, chain)
		}
	}
	if err := restore(ctx, t.bytes()); err != nil {
		return err
	}
	d.applied = applied
	return d.ensureJumps()
}

// Apply makes the kernel hold the given Services; nil removes one. Others stay as they are.
func (d *Dataplane) Apply(ctx context.Context, services map[table.Key]*table.Service) error {
	var t transaction
	next := make(map[table.Key]rules, len(services))
	for key, s := range services {
		have, want := d.applied[key], render(s, d.clusterCIDR)
		next[key] = want
		for chain, lines := range want.chains {
			if old, ok := have.chains[chain]; !ok || !slices.Equal(old, lines) {
				t.nat.chain(chain, lines)
			}
		}
		t.nat.replace(dispatch, have.dispatch, want.dispatch)
		t.nat.replace(nodePorts, have.nodePorts, want.nodePorts)
		t.filter.replace(refuse, have.refuse, want.refuse)
		for chain := range have.chains {
			if _, ok := want.chains[chain]; !ok {
				t.nat.declare = append(t.nat.declare, chain)
				t.nat.remove = append(t.nat.remove, chain)
			}
		}
	}
	if input := t.bytes(); len(input) > 0 {
		if err := restore(ctx, input); err != nil {
			return err
		}
	}
	for key, r := range next {
		if services[key] == nil {
			delete(d.applied, key)
		} else {
			d.applied[key] = r
		}
	}
	return nil
}

// Intact tells whether the way into our chains is still there: other programs flush tables.
func (d *Dataplane) Intact() (bool, error) {
	for _, j := range jumps {
		exists, err := d.ipt.ChainExists(j.table, chainOf(j.rule))
		if err != nil || !exists {
			return false, err
		}
		if exists, err = d.ipt.Exists(j.table, j.chain, words(j.rule)...); err != nil || !exists {
			return false, err
		}
	}
	return true, nil
}

func chainOf(rule string) string { return rule[strings.LastIndexByte(rule, ' ')+1:] }

func (d *Dataplane) ensureJumps() error {
	for _, j := range jumps {
		if err := d.ipt.InsertUnique(j.table, j.chain, 1, words(j.rule)...); err != nil {
			return fmt.Errorf("jump from %s: %w", j.chain, err)
		}
	}
	return nil
}

// Cleanup removes everything that a proxy made.
func Cleanup() error {
	d, err := New(netip.Prefix{})
	if err != nil {
		return err
	}
	var failed []error
	for _, j := range jumps {
		if ok, err := d.ipt.ChainExists(j.table, chainOf(j.rule)); err != nil || !ok {
			failed = append(failed, err)
			continue
		}
		failed = append(failed, d.ipt.DeleteIfExists(j.table, j.chain, words(j.rule)...))
	}
	for _, tableName := range []string{"nat", "filter"} {
		chains, err := d.ipt.ListChains(tableName)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		var own []string
		for _, c := range chains {
			if slices.Contains(ownChains, c) || strings.HasPrefix(c, servicePrefix) {
				own = append(own, c)
			}
		}
		// Emptied first: chains refer to each other.
		for _, c := range own {
			failed = append(failed, d.ipt.ClearChain(tableName, c))
		}
		for _, c := range own {
			failed = append(failed, d.ipt.DeleteChain(tableName, c))
		}
	}
	return errors.Join(failed...)
}

// ownChains are the shared chains; the kubelet has chains of the same prefix, which are its own business.
var ownChains = []string{root, dispatch, nodePorts, markMasq, postroute, refuse, forwarding}

// quoted splits a rule into words, keeping "..." together.
var quoted = regexp.MustCompile(`"([^"]*)"|(\S+)`)

func words(rule string) []string {
	var out []string
	for _, m := range quoted.FindAllStringSubmatch(rule, -1) {
		out = append(out, m[1]+m[2])
	}
	return out
}

// restore runs iptables-restore; on failure the error shows what it said of which line.
func restore(ctx context.Context, input []byte) error {
	cmd := exec.CommandContext(ctx, "iptables-restore", "--noflush", "--wait", "10")
	cmd.Stdin = bytes.NewReader(input)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	detail := strings.TrimSpace(string(out))
	if m := failedLine.FindStringSubmatch(detail); m != nil {
		lines := bytes.Split(input, []byte("\n"))
		var n int
		if _, scanErr := fmt.Sscan(m[1], &n); scanErr == nil && n >= 1 && n <= len(lines) {
			detail += fmt.Sprintf(" (line %d: %s)", n, lines[n-1])
		}
	}
	return fmt.Errorf("iptables-restore: %w: %s", err, detail)
}

var failedLine = regexp.MustCompile(`line:? (\d+)`)
