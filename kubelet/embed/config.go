// Package embed runs a kubelet inside another program; the kubelet's own command is a thin shell around it.
package embed

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/health"
	"go.uber.org/zap"
)

// Config of a kubelet. Zero values take the default that Default gives.
type Config struct {
	// NodeName is the Node's name; it must be the one in the client certificate.
	NodeName string
	// NodeIP is the node's address; empty is that of the default route.
	NodeIP string
	// Runtime is "containerd" or "fake" (pods that only pretend to run, for tests of scale).
	Runtime string
	// Containerd is the daemon's socket.
	Containerd string
	// RegistryConfigDir holds containerd's hosts.toml files by registry; empty is none.
	RegistryConfigDir string
	// RootDir holds volumes, pinned namespaces and FIFOs of pods.
	RootDir string
	// PodLogDir holds the logs of containers.
	PodLogDir string
	// ClusterDNS answers the cluster's names; ClusterDomain is their end.
	ClusterDNS    []string
	ClusterDomain string
	// ResolvConf is the node's own.
	ResolvConf string
	// CgroupRoot is an absolute path within each cgroup hierarchy.
	CgroupRoot string
	// Bridge of the pod network.
	Bridge string
	// ClusterCIDR is not masqueraded within; empty masquerades whatever leaves the node's pods.
	ClusterCIDR string
	// MaxPods is told as the node's capacity.
	MaxPods int
	// Labels and Taints of the Node when it is registered.
	Labels map[string]string
	Taints []string
	// DrainHold is how long SIGTERM is held back from pods behind Services.
	DrainHold time.Duration
	// Holder is the command that becomes process 1 of a shared PID namespace.
	Holder []string
	// Version is told as the kubelet's.
	Version string
	// API says how to reach the API servers.
	API    client.Config
	Health *health.Checks
	Logger *zap.Logger
}

// Default is the configuration of a kubelet that has a machine to itself.
func Default() Config {
	return Config{
		Runtime: "containerd", Containerd: "/run/containerd/containerd.sock", RegistryConfigDir: "/etc/containerd/certs.d",
		RootDir: "/var/lib/keelson/kubelet", PodLogDir: "/var/log/pods", ClusterDNS: []string{"10.96.0.10"},
		ClusterDomain: "cluster.local", ResolvConf: "/etc/resolv.conf", CgroupRoot: "/keelson", Bridge: "keelson-br0",
		ClusterCIDR: "10.244.0.0/16", MaxPods: 500, DrainHold: 2 * time.Second,
	}
}

// Validate tells what is wrong with the configuration, all at once.
func (c *Config) Validate() error {
	var errs []error
	if c.NodeName == "" {
		errs = append(errs, errors.New("--node-name must be given"))
	}
	if c.NodeIP != "" {
		if _, err := netip.ParseAddr(c.NodeIP); err != nil {
			errs = append(errs, fmt.Errorf("--node-ip: %w", err))
		}
	}
	switch c.Runtime {
	case "containerd", "fake":
	case "cri":
		errs = append(errs, errors.New("--container-runtime=cri is not supported yet; use containerd"))
	default:
		errs = append(errs, fmt.Errorf("--container-runtime=%s: must be containerd or fake", c.Runtime))
	}
	for _, p := range []struct{ flag, path string }{{"root-dir", c.RootDir}, {"pod-log-dir", c.PodLogDir}, {"cgroup-root", c.CgroupRoot}} {
		if !filepath.IsAbs(p.path) {
			errs = append(errs, fmt.Errorf("--%s=%q must be an absolute path", p.flag, p.path))
		}
	}
	if len(c.Bridge) == 0 || len(c.Bridge) > 15 {
		errs = append(errs, fmt.Errorf("--bridge=%q must have 1 to 15 characters", c.Bridge))
	}
	if c.ClusterCIDR != "" {
		if _, err := netip.ParsePrefix(c.ClusterCIDR); err != nil {
			errs = append(errs, fmt.Errorf("--cluster-cidr: %w", err))
		}
	}
	if c.MaxPods < 1 {
		errs = append(errs, errors.New("--max-pods must be at least 1"))
	}
	for _, t := range c.Taints {
		if _, err := parseTaint(t); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// parseTaint reads key=value:Effect or key:Effect.
func parseTaint(s string) (*corev1.Taint, error) {
	rest, effect, ok := strings.Cut(s, ":")
	key, value, _ := strings.Cut(rest, "=")
	if !ok || key == "" {
		return nil, fmt.Errorf("--register-with-taints: %q must be key=value:Effect", s)
	}
	switch effect {
	case "NoSchedule", "PreferNoSchedule", "NoExecute":
		return &corev1.Taint{Key: key, Value: value, Effect: effect}, nil
	}
	return nil, fmt.Errorf("--register-with-taints: %q: effect must be NoSchedule, PreferNoSchedule or NoExecute", s)
}

// allocatable is what pods may use of the node: all of it.
func allocatable(capacity map[string]*metav1.Quantity) func() map[string]*metav1.Quantity {
	return func() map[string]*metav1.Quantity { return capacity }
}
