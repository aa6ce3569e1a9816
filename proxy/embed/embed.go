// Package embed is the proxy's only door: what its binary runs and what a test of a whole cluster runs in process.
package embed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"

	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/health"
	"github.com/keelson/keelson/proto/sdk/informer"
	"github.com/keelson/keelson/proxy/internal/dataplane/iptables"
	"github.com/keelson/keelson/proxy/internal/dns"
	"github.com/keelson/keelson/proxy/internal/syncer"
)

// Config of a proxy.
type Config struct {
	// Client says how to reach the API server. Unused where Conn is set.
	Client client.Config
	// Conn is an open connection to use instead.
	Conn *client.Conn
	// NodeName is the node's name. Required.
	NodeName string
	// Mode of the dataplane; only "iptables" is there.
	Mode string
	// ClusterCIDR is where pods live; clients from elsewhere are masqueraded.
	ClusterCIDR string
	// DNSAddress is where the node's pods ask for names; empty: no DNS.
	DNSAddress string
	// Domain of the cluster.
	Domain string
	// ResolvConf names the servers for names outside the cluster.
	ResolvConf string
	// Logger; default: none.
	Logger *zap.Logger
	// Health gets the proxy's checks; may be nil.
	Health *health.Checks
	// Registerer gets its metrics. Default: prometheus.DefaultRegisterer.
	Registerer prometheus.Registerer
}

// Defaults of Config.
const (
	DefaultMode        = "iptables"
	DefaultClusterCIDR = "10.244.0.0/16"
	DefaultDNSAddress  = "10.96.0.10"
	DefaultDomain      = "cluster.local"
	DefaultResolvConf  = "/etc/resolv.conf"
)

// valid is a checked Config.
type valid struct {
	clusterCIDR netip.Prefix
	dnsAddress  netip.Addr
}

func (c *Config) complete() (valid, error) {
	var v valid
	var err error
	if c.NodeName == "" {
		return v, errors.New("--node-name: required")
	}
	if c.Mode != DefaultMode {
		return v, fmt.Errorf("--mode: %q is not supported; supported values: %q", c.Mode, DefaultMode)
	}
	if v.clusterCIDR, err = netip.ParsePrefix(c.ClusterCIDR); err != nil || !v.clusterCIDR.Addr().Is4() {
		return v, fmt.Errorf("--cluster-cidr: %q: must be an IPv4 prefix such as %s", c.ClusterCIDR, DefaultClusterCIDR)
	}
	if c.DNSAddress != "" {
		if v.dnsAddress, err = netip.ParseAddr(c.DNSAddress); err != nil || !v.dnsAddress.Is4() {
			return v, fmt.Errorf("--dns-address: %q: must be an IPv4 address such as %s", c.DNSAddress, DefaultDNSAddress)
		}
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Health == nil {
		c.Health = &health.Checks{}
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.DefaultRegisterer
	}
	return v, nil
}

// Start forwards and answers until the context ends. Rules stay when it returns: connections go on while the proxy is
// replaced. Cleanup removes them.
func Start(ctx context.Context, c Config) error {
	v, err := c.complete()
	if err != nil {
		return err
	}
	if c.Conn == nil {
		if c.Conn, err = client.Dial(c.Client); err != nil {
			return err
		}
		defer c.Conn.Close()
	}
	if err := allowForwarding(); err != nil {
		return err
	}
	plane, err := iptables.New(v.clusterCIDR)
	if err != nil {
		return err
	}
	services := informer.New(c.Conn, informer.Options[*corev1.Service]{Trim: true, Indexers: dns.ServiceIndexers()})
	indexers := syncer.SliceIndexers()
	maps.Copy(indexers, dns.SliceIndexers())
	slices := informer.New(c.Conn, informer.Options[*discoveryv1.EndpointSlice]{
		Trim: true, Indexers: indexers, Acknowledger: "proxy/" + c.NodeName,
	})
	sync := syncer.New(c.NodeName, plane, services, slices, syncer.NewMetrics(c.Registerer), c.Logger)
	c.Health.Ready("rules", health.Closed(sync.Synced()))

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return services.Run(ctx) })
	group.Go(func() error { return slices.Run(ctx) })
	group.Go(func() error { return sync.Run(ctx) })
	if v.dnsAddress.IsValid() {
		server, err := newDNS(&c, v, services, slices)
		if err != nil {
			return err
		}
		group.Go(func() error { return server.Run(ctx) })
	}
	err = group.Wait()
	if errors.Is(err, context.Canceled) || errors.Is(err, informer.ErrStopped) {
		return nil
	}
	return err
}

func newDNS(c *Config, v valid, services *informer.Informer[*corev1.Service], slices *informer.Informer[*discoveryv1.EndpointSlice]) (*dns.Server, error) {
	if err := dns.EnsureLink(v.dnsAddress); err != nil {
		return nil, err
	}
	upstream, err := dns.Upstream(c.ResolvConf, c.DNSAddress)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("--resolv-conf: %w", err)
	}
	return dns.New(dns.Config{
		Address: v.dnsAddress, Domain: c.Domain, Upstream: upstream, Logger: c.Logger.Named("dns"),
		Metrics: dns.NewMetrics(c.Registerer),
		Source:  &dns.Cache{Services: services, Endpoint: slices, SliceIndex: syncer.SliceIndex},
	}), nil
}

// Cleanup removes every rule and link that a proxy made in this network namespace.
func Cleanup() error { return errors.Join(iptables.Cleanup(), dns.RemoveLink()) }

// allowForwarding lets packets pass from pods to elsewhere, and node ports answer on loopback addresses.
func allowForwarding() error {
	for _, path := range []string{"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/conf/all/route_localnet"} {
		if current, err := os.ReadFile(path); err == nil && len(current) > 0 && current[0] == '1' {
			continue
		}
		if err := os.WriteFile(path, []byte("1"), 0o644); err != nil {
			return fmt.Errorf("allow forwarding: %w", err)
		}
	}
	return nil
}
