package nodeipam

import (
	"fmt"
	"math/big"
	"net/netip"
)

// Pool is a range that is cut into equal parts.
type Pool struct {
	cluster netip.Prefix
	bits    int
}

// NewPool cuts the cluster's range into parts of the given prefix length. The error says why that is impossible.
func NewPool(cluster string, bits int) (Pool, error) {
	p, err := netip.ParsePrefix(cluster)
	if err != nil {
		return Pool{}, fmt.Errorf("cluster CIDR: %w", err)
	}
	if bits < p.Bits() || bits > p.Addr().BitLen() {
		return Pool{}, fmt.Errorf("node ranges of /%d do not fit into the cluster CIDR %s", bits, p)
	}
	return Pool{cluster: p.Masked(), bits: bits}, nil
}

// Next returns the lowest part that overlaps none of those taken; false where the pool is used up.
func (p Pool) Next(taken []netip.Prefix) (netip.Prefix, bool) {
	exact := make(map[netip.Prefix]bool, len(taken))
	var odd []netip.Prefix
	for _, t := range taken {
		if t.Bits() == p.bits {
			exact[t.Masked()] = true
		} else {
			odd = append(odd, t)
		}
	}
	for part := netip.PrefixFrom(p.cluster.Addr(), p.bits); p.cluster.Contains(part.Addr()); {
		if !exact[part] && !overlaps(part, odd) {
			return part, true
		}
		next, ok := p.after(part)
		if !ok {
			break
		}
		part = next
	}
	return netip.Prefix{}, false
}

func overlaps(part netip.Prefix, others []netip.Prefix) bool {
	for _, o := range others {
		if o.Overlaps(part) {
			return true
		}
	}
	return false
}

// after is the part that follows; false at the end of the address space.
func (p Pool) after(part netip.Prefix) (netip.Prefix, bool) {
	raw := part.Addr().AsSlice()
	n := new(big.Int).SetBytes(raw)
	n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(part.Addr().BitLen()-p.bits)))
	if n.BitLen() > len(raw)*8 {
		return netip.Prefix{}, false
	}
	addr, _ := netip.AddrFromSlice(n.FillBytes(make([]byte, len(raw))))
	return netip.PrefixFrom(addr, p.bits), true
}
