package library

import (
	"fmt"
	"net/netip"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// Types of addresses and of blocks of addresses.
var (
	IPType   = celgo.OpaqueType("net.IP")
	CIDRType = celgo.OpaqueType("net.CIDR")
)

var ips = &class[netip.Addr]{
	typ: IPType, castable: true,
	equal: func(a, b netip.Addr) bool { return a == b },
	text:  netip.Addr.String,
	size:  func(a netip.Addr) int { return (a.BitLen() + 7) / 8 },
}

var cidrs = &class[netip.Prefix]{
	typ: CIDRType, castable: true,
	equal: func(a, b netip.Prefix) bool { return a == b },
	text:  netip.Prefix.String,
	size:  func(p netip.Prefix) int { return (p.Bits() + 7) / 8 },
}

func ipFunctions() functions {
	is := func(id string, f func(netip.Addr) bool) []celgo.FunctionOpt {
		return []celgo.FunctionOpt{member(id, args(IPType), celgo.BoolType, unary(func(a netip.Addr) ref.Val { return types.Bool(f(a)) }))}
	}
	str := celgo.StringType
	return functions{
		"ip":   {global("string_to_ip", args(str), IPType, unary(toIP))},
		"isIP": {global("is_ip", args(str), celgo.BoolType, unary(func(s string) ref.Val { _, err := parseIP(s); return types.Bool(err == nil) }))},
		"ip.isCanonical": {global("ip_is_canonical", args(str), celgo.BoolType, unary(func(s string) ref.Val {
			a, err := parseIP(s)
			if err != nil {
				return types.WrapErr(err)
			}
			return types.Bool(a.String() == s)
		}))},
		"string": {global("ip_to_string", args(IPType), str, unary(func(a netip.Addr) ref.Val { return types.String(a.String()) }))},
		"family": {member("ip_family", args(IPType), celgo.IntType, unary(func(a netip.Addr) ref.Val {
			if a.Is4() {
				return types.Int(4)
			}
			return types.Int(6)
		}))},
		"isUnspecified":        is("ip_is_unspecified", netip.Addr.IsUnspecified),
		"isLoopback":           is("ip_is_loopback", netip.Addr.IsLoopback),
		"isLinkLocalMulticast": is("ip_is_link_local_multicast", netip.Addr.IsLinkLocalMulticast),
		"isLinkLocalUnicast":   is("ip_is_link_local_unicast", netip.Addr.IsLinkLocalUnicast),
		"isGlobalUnicast":      is("ip_is_global_unicast", netip.Addr.IsGlobalUnicast),
	}
}

func cidrFunctions() functions {
	str := celgo.StringType
	return functions{
		"cidr":   {global("string_to_cidr", args(str), CIDRType, unary(toCIDR))},
		"isCIDR": {global("is_cidr", args(str), celgo.BoolType, unary(func(s string) ref.Val { _, err := parseCIDR(s); return types.Bool(err == nil) }))},
		"containsIP": {
			member("cidr_contains_ip_string", args(CIDRType, str), celgo.BoolType, binary(func(p netip.Prefix, s string) ref.Val {
				a, err := parseIP(s)
				if err != nil {
					return types.WrapErr(err)
				}
				return types.Bool(p.Contains(a))
			})),
			member("cidr_contains_ip_ip", args(CIDRType, IPType), celgo.BoolType, binary(func(p netip.Prefix, a netip.Addr) ref.Val {
				return types.Bool(p.Contains(a))
			})),
		},
		"containsCIDR": {
			member("cidr_contains_cidr_string", args(CIDRType, str), celgo.BoolType, binary(func(p netip.Prefix, s string) ref.Val {
				q, err := parseCIDR(s)
				if err != nil {
					return cidrError(err)
				}
				return types.Bool(within(p, q))
			})),
			member("cidr_contains_cidr", args(CIDRType, CIDRType), celgo.BoolType, binary(func(p, q netip.Prefix) ref.Val {
				return types.Bool(within(p, q))
			})),
		},
		"ip":           {member("cidr_ip", args(CIDRType), IPType, unary(func(p netip.Prefix) ref.Val { return ips.wrap(p.Addr()) }))},
		"prefixLength": {member("cidr_prefix_length", args(CIDRType), celgo.IntType, unary(func(p netip.Prefix) ref.Val { return types.Int(p.Bits()) }))},
		"masked":       {member("cidr_masked", args(CIDRType), CIDRType, unary(func(p netip.Prefix) ref.Val { return cidrs.wrap(p.Masked()) }))},
		"string":       {global("cidr_to_string", args(CIDRType), str, unary(func(p netip.Prefix) ref.Val { return types.String(p.String()) }))},
	}
}

// within tells whether all of q lies in p.
func within(p, q netip.Prefix) bool { return p.Overlaps(q) && p.Bits() <= q.Bits() }

func toIP(s string) ref.Val {
	a, err := parseIP(s)
	if err != nil {
		return types.WrapErr(err)
	}
	return ips.wrap(a)
}

func toCIDR(s string) ref.Val {
	p, err := parseCIDR(s)
	if err != nil {
		return cidrError(err)
	}
	return cidrs.wrap(p)
}

func cidrError(err error) ref.Val {
	return types.NewErr("network address parse error during conversion from string: %v", err)
}

// parseIP takes addresses as the API does: no zones, no IPv4 in IPv6.
func parseIP(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return a, fmt.Errorf("IP Address %q parse error during conversion from string: %v", s, err)
	case a.Zone() != "":
		return a, fmt.Errorf("IP address %q with zone value is not allowed", s)
	case a.Is4In6():
		return a, mapped(s)
	}
	return a, nil
}

func parseCIDR(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return p, fmt.Errorf("network address parse error during conversion from string: %v", err)
	case p.Addr().Is4In6():
		return p, mapped(s)
	}
	return p, nil
}

func mapped(s string) error {
	return fmt.Errorf("IPv4-mapped IPv6 address %q is not allowed", s)
}
