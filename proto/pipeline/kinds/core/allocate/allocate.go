package allocate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// maxAddresses bounds how much of a range is used; larger ones (IPv6) have more than anybody needs.
const maxAddresses = 1 << 16

// randomTries is how many free-looking values are tried before the claims are read to find one that is free.
const randomTries = 32

// Config is what an Allocator needs.
type Config struct {
	Store          store.Store
	Access         strategy.Access
	ClusterIPRange netip.Prefix
	// NodePortRange has both ends inclusive.
	NodePortRange [2]int
	Logger        *zap.Logger
}

// Allocator hands out cluster IPs and node ports.
type Allocator struct {
	cfg   Config
	hosts int // usable addresses: offsets 1 to hosts
}

// New returns an allocator.
func New(cfg Config) *Allocator {
	bits := cfg.ClusterIPRange.Addr().BitLen() - cfg.ClusterIPRange.Bits()
	size := maxAddresses
	if bits < 16 {
		size = 1 << bits
	}
	hosts := size - 1
	if cfg.ClusterIPRange.Addr().Is4() {
		hosts-- // the broadcast address
	}
	return &Allocator{cfg: cfg, hosts: max(hosts, 1)}
}

// Family is the IP family of the range, as Services name it.
func (a *Allocator) Family() string {
	if a.cfg.ClusterIPRange.Addr().Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// First is the range's first address: that of the Service default/kubernetes.
func (a *Allocator) First() netip.Addr { return a.address(1) }

// reserved is how many values at the start of a range of a size are given out last, for they are the ones that people
// choose by hand; Kubernetes keeps as many.
func reserved(size int) int {
	if size <= 32 {
		return 1
	}
	return min(max(16, size/16), 256)
}

// address returns the range's address at an offset.
func (a *Allocator) address(offset int) netip.Addr {
	b := a.cfg.ClusterIPRange.Masked().Addr().AsSlice()
	for i := len(b) - 1; i >= 0 && offset > 0; i-- {
		offset += int(b[i])
		b[i] = byte(offset)
		offset >>= 8
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}

// AnyIP takes a free address. In a dry run it only names one that looks free.
func (a *Allocator) AnyIP(ctx context.Context, o Owner, dryRun bool) (string, error) {
	first := reserved(a.hosts)
	ip, err := a.any(ctx, ipKeys, o, dryRun, a.hosts, first, func(i int) string { return a.address(i + 1).String() })
	if errors.Is(err, errFull) {
		err = fmt.Errorf("failed to allocate a serviceIP: range is full")
	}
	return ip, err
}

// AnyPort takes a free node port.
func (a *Allocator) AnyPort(ctx context.Context, o Owner, dryRun bool) (int32, error) {
	low, size := a.cfg.NodePortRange[0], a.cfg.NodePortRange[1]-a.cfg.NodePortRange[0]+1
	s, err := a.any(ctx, portKeys, o, dryRun, size, reserved(size), func(i int) string { return strconv.Itoa(low + i) })
	if err != nil {
		if errors.Is(err, errFull) {
			err = fmt.Errorf("failed to allocate a nodePort: range is full")
		}
		return 0, err
	}
	n, err := strconv.Atoi(s)
	return int32(n), err
}

var errFull = errors.New("range is full")

// any takes one of size values, those from skip on first.
func (a *Allocator) any(ctx context.Context, keys string, o Owner, dryRun bool, size, skip int, name func(int) string) (string, error) {
	if !dryRun {
		for range randomTries {
			v := name(skip + rand.IntN(size-skip))
			err := a.take(ctx, keys+v, o)
			if err == nil || !errors.Is(err, errTaken) {
				return v, err
			}
		}
	}
	taken, err := a.taken(ctx, keys)
	if err != nil {
		return "", err
	}
	for i := range size {
		v := name((skip + i) % size)
		if _, is := taken[v]; is {
			continue
		}
		if dryRun {
			return v, nil
		}
		if err := a.take(ctx, keys+v, o); !errors.Is(err, errTaken) {
			return v, err
		}
	}
	return "", errFull
}

// taken reads all claims under a prefix, by value.
func (a *Allocator) taken(ctx context.Context, keys string) (map[string]store.KV, error) {
	res, err := a.cfg.Store.List(ctx, store.Range{Prefix: keys})
	if err != nil {
		return nil, err
	}
	out := make(map[string]store.KV, len(res.KVs))
	for _, kv := range res.KVs {
		out[strings.TrimPrefix(kv.Key, keys)] = kv
	}
	return out, nil
}

// IP takes a certain address.
func (a *Allocator) IP(ctx context.Context, o Owner, ip string, dryRun bool) error {
	addr, err := netip.ParseAddr(ip)
	if err != nil || !a.cfg.ClusterIPRange.Contains(addr) {
		return fmt.Errorf("failed to allocate IP %s: the provided IP (%s) is not in the valid range. The range of valid IPs is %s", ip, ip, a.cfg.ClusterIPRange)
	}
	err = a.certain(ctx, ipKeys+addr.String(), o, dryRun)
	if errors.Is(err, errTaken) {
		return fmt.Errorf("failed to allocate IP %s: provided IP is already allocated", ip)
	}
	return err
}

// Port takes a certain node port.
func (a *Allocator) Port(ctx context.Context, o Owner, port int32, dryRun bool) error {
	if r := a.cfg.NodePortRange; int(port) < r[0] || int(port) > r[1] {
		return fmt.Errorf("provided port is not in the valid range. The range of valid ports is %d-%d", r[0], r[1])
	}
	err := a.certain(ctx, portKeys+strconv.Itoa(int(port)), o, dryRun)
	if errors.Is(err, errTaken) {
		return fmt.Errorf("provided port is already allocated")
	}
	return err
}

func (a *Allocator) certain(ctx context.Context, key string, o Owner, dryRun bool) error {
	if !dryRun {
		return a.take(ctx, key, o)
	}
	kv, err := a.cfg.Store.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if have, ok := parse(kv); ok && have.UID == o.UID {
		return nil
	}
	return errTaken
}

// ReleaseIP gives an address up. Failures are logged and left to Repair.
func (a *Allocator) ReleaseIP(ctx context.Context, o Owner, ip string) {
	a.releaseOrLog(ctx, ipKeys+ip, o)
}

// ReleasePort gives a node port up. Failures are logged and left to Repair.
func (a *Allocator) ReleasePort(ctx context.Context, o Owner, port int32) {
	a.releaseOrLog(ctx, portKeys+strconv.Itoa(int(port)), o)
}

func (a *Allocator) releaseOrLog(ctx context.Context, key string, o Owner) {
	// The request that gives it up may be over; the claim is to go all the same.
	if err := a.release(context.WithoutCancel(ctx), key, o); err != nil {
		a.cfg.Logger.Warn("claim is left for repair", zap.String("key", key), zap.Error(err))
	}
}
