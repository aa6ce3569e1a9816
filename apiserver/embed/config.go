// Package embed is the API server as a library: a Config, and Start. The command goes through it, and so do tests that
// want a whole server in their own process.
//
//	keys and certificates ─ store (etcd) ─ authorizer ─ pipeline ─ authenticator ─ tunnel ─┬─ gRPC door :6444
//	                                                                                       └─ REST door :6443
package embed

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/sdk/health"
)

// Config is everything that an API server needs to know.
type Config struct {
	// DataDir holds keys, certificates and, without EtcdEndpoints, the database; required.
	DataDir string
	// RESTAddress and GRPCAddress are where the doors listen: host:port.
	RESTAddress, GRPCAddress string
	// AdvertiseAddress is the IP address under which nodes and pods reach this server. Empty: that of the default
	// route, else 127.0.0.1.
	AdvertiseAddress string
	// TLSNames are further DNS names and addresses of the serving certificate.
	TLSNames []string
	// EtcdEndpoints are the URLs of an external etcd cluster; without them etcd runs in this process, in DataDir.
	EtcdEndpoints []string
	// EtcdCA, EtcdCert and EtcdKey are PEM files for https endpoints.
	EtcdCA, EtcdCert, EtcdKey string
	// ServiceRange is where Services get their addresses from; its first address is this server's.
	ServiceRange string
	// NodePortRange is where Services get their node ports from: "30000-32767".
	NodePortRange string
	// ClusterDomain is the DNS suffix of services: "cluster.local".
	ClusterDomain string
	// EventTTL is how long Events are kept.
	EventTTL time.Duration
	// MaxRequests is how many requests are served at a time, watches and streams aside; FlowSchemas and
	// PriorityLevelConfigurations share it out. 0: 600.
	MaxRequests int
	// RequestTimeout bounds REST requests other than watches and streams.
	RequestTimeout time.Duration
	// ShutdownTimeout bounds how long requests being served may hold up the stop.
	ShutdownTimeout time.Duration
	// Logger is told what happens; nil keeps silent.
	Logger *zap.Logger
	// Health takes the server's checks for the process' own endpoint; may be nil.
	Health *health.Checks
	// Registerer and Gatherer hold the metrics; nil is Prometheus' default registry.
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer
	// Ready, where set, is called once both doors are open.
	Ready func(Addresses)
}

// Addresses are where the doors really listen: port 0 in the Config is chosen by the system.
type Addresses struct {
	REST, GRPC net.Addr
}

// Default returns a Config with every default; DataDir remains to be set.
func Default() Config {
	return Config{
		RESTAddress: "0.0.0.0:6443", GRPCAddress: "0.0.0.0:6444",
		ServiceRange: "10.96.0.0/16", NodePortRange: "30000-32767", ClusterDomain: "cluster.local",
		EventTTL: time.Hour, RequestTimeout: time.Minute, ShutdownTimeout: 10 * time.Second,
	}
}

// settings are the parsed values of a Config.
type settings struct {
	services  netip.Prefix
	nodePorts [2]int
	advertise netip.Addr
	restPort  uint16
}

// parse checks a Config; every mistake is told at once.
func (c *Config) parse() (settings, error) {
	var s settings
	var errs []error
	fail := func(flag string, err error) { errs = append(errs, fmt.Errorf("--%s: %w", flag, err)) }
	if c.DataDir == "" {
		fail("data-dir", errors.New("is required"))
	}
	var err error
	if s.services, err = netip.ParsePrefix(c.ServiceRange); err != nil {
		fail("service-cluster-ip-range", err)
	} else if s.services = s.services.Masked(); s.services.Addr().BitLen()-s.services.Bits() < 4 {
		fail("service-cluster-ip-range", fmt.Errorf("%s holds too few addresses", s.services))
	}
	if s.nodePorts, err = portRange(c.NodePortRange); err != nil {
		fail("service-node-port-range", err)
	}
	if c.AdvertiseAddress == "" {
		s.advertise = defaultAddress()
	} else if s.advertise, err = netip.ParseAddr(c.AdvertiseAddress); err != nil {
		fail("advertise-address", err)
	}
	for _, a := range []struct{ flag, value string }{{"rest-bind-address", c.RESTAddress}, {"grpc-bind-address", c.GRPCAddress}} {
		if _, _, err := net.SplitHostPort(a.value); err != nil {
			fail(a.flag, err)
		}
	}
	if c.EventTTL <= 0 {
		fail("event-ttl", errors.New("must be positive"))
	}
	if (c.EtcdCert == "") != (c.EtcdKey == "") {
		fail("etcd-cert", errors.New("--etcd-cert and --etcd-key go together"))
	}
	if len(c.EtcdEndpoints) == 0 && (c.EtcdCA != "" || c.EtcdCert != "") {
		fail("etcd-endpoints", errors.New("is required with --etcd-ca, --etcd-cert and --etcd-key"))
	}
	return s, errors.Join(errs...)
}

func portRange(s string) ([2]int, error) {
	low, high, ok := strings.Cut(s, "-")
	l, err1 := strconv.ParseUint(low, 10, 16)
	h, err2 := strconv.ParseUint(high, 10, 16)
	if !ok || err1 != nil || err2 != nil || l == 0 || l > h {
		return [2]int{}, fmt.Errorf("%q is not a range of ports such as 30000-32767", s)
	}
	return [2]int{int(l), int(h)}, nil
}

// defaultAddress is the machine's address on its default route. No packet is sent: connecting a UDP socket only asks
// the routing table.
func defaultAddress() netip.Addr {
	if c, err := net.Dial("udp4", "192.0.2.1:9"); err == nil {
		defer c.Close()
		if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
			return a.AddrPort().Addr()
		}
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}
