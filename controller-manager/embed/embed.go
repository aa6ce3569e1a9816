// Package embed starts a controller manager inside a process: the binary's main and tests of whole clusters go through
// it, and it is the module's only importable package.
package embed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/health"
	"github.com/keelson/keelson/proto/sdk/leaderelection"
	"go.uber.org/zap"

	"github.com/keelson/keelson/controller-manager/internal/controllers/nodeipam"
	"github.com/keelson/keelson/controller-manager/internal/controllers/nodelifecycle"
	"github.com/keelson/keelson/controller-manager/internal/manager"
)

// Config of a controller manager. Default makes one; zero values are not defaults.
type Config struct {
	// Client says how to reach the API servers. Not used where Conn is set.
	Client client.Config
	// Conn is an open connection to use instead; it stays open.
	Conn *client.Conn
	// Logger may not be nil.
	Logger *zap.Logger
	// Health takes the readiness check; may be nil.
	Health *health.Checks

	// ClusterCIDR is the range of all pods' addresses; each node gets a part with the prefix length NodeCIDRMaskSize.
	ClusterCIDR      string
	NodeCIDRMaskSize int
	// NodeMonitorGracePeriod is how long nothing may be heard of a kubelet before its node counts as not ready. It
	// should be several times the kubelet's lease renewal (10 s).
	NodeMonitorGracePeriod time.Duration
	// NodeEvictionRate is how many nodes of a zone may be emptied each second when they fall silent. Where
	// UnhealthyZoneThreshold of a zone is not ready it is SecondaryNodeEvictionRate in clusters of more than
	// LargeClusterSizeThreshold nodes, and 0 in smaller ones.
	NodeEvictionRate          float64
	SecondaryNodeEvictionRate float64
	UnhealthyZoneThreshold    float64
	LargeClusterSizeThreshold int
	// LeaderElect lets only one of several controller managers work.
	LeaderElect bool
	// Controllers to run: names, "*" for all, "-name" for all but.
	Controllers []string
	// TerminatedPodGCThreshold is how many finished pods are kept; 0 is all.
	TerminatedPodGCThreshold int
	// RootCAFile holds the authority that is published to pods; empty is the client's.
	RootCAFile string
}

// Default is what a binary without flags runs with.
func Default() Config {
	pace := nodelifecycle.DefaultPace()
	return Config{
		ClusterCIDR:               "10.244.0.0/16",
		NodeCIDRMaskSize:          24,
		NodeMonitorGracePeriod:    40 * time.Second,
		NodeEvictionRate:          pace.Rate,
		SecondaryNodeEvictionRate: pace.UnhealthyRate,
		UnhealthyZoneThreshold:    pace.UnhealthyShare,
		LargeClusterSizeThreshold: pace.LargeCluster,
		LeaderElect:               true,
		Controllers:               []string{"*"},
		TerminatedPodGCThreshold:  12500,
	}
}

// ControllerNames lists what Config.Controllers may name.
func ControllerNames() []string { return manager.Names() }

// Start runs a controller manager until ctx ends, then returns nil; or until it fails.
func Start(ctx context.Context, cfg Config) error {
	inner, err := cfg.complete()
	if err != nil {
		return err
	}
	if cfg.Conn == nil {
		conn, err := client.Dial(cfg.Client)
		if err != nil {
			return fmt.Errorf("connecting to the API server: %w", err)
		}
		defer func() { _ = conn.Close() }()
		inner.Conn = conn
	}
	return run(ctx, inner, cfg.Health)
}

// run has one manager after the other, each from the win of an election to its loss: nothing of an earlier reign is
// left when the next one begins.
func run(ctx context.Context, cfg manager.Config, checks *health.Checks) error {
	var current atomic.Pointer[manager.Manager]
	for first := true; ; first = false {
		m := manager.New(cfg)
		current.Store(m)
		if first && checks != nil {
			checks.Ready("caches", func(ctx context.Context) error { return health.Closed(current.Load().Synced())(ctx) })
		}
		err := m.Run(ctx)
		if !errors.Is(err, leaderelection.ErrLost) || ctx.Err() != nil {
			return err
		}
		cfg.Logger.Warn("lost the lead, standing by again", zap.Error(err))
	}
}

// complete validates the configuration; all that is wrong is said at once.
func (c Config) complete() (manager.Config, error) {
	var bad []error
	pool, err := nodeipam.NewPool(c.ClusterCIDR, c.NodeCIDRMaskSize)
	if err != nil {
		bad = append(bad, fmt.Errorf("--cluster-cidr, --node-cidr-mask-size: %w", err))
	}
	if c.NodeMonitorGracePeriod <= 0 {
		bad = append(bad, errors.New("--node-monitor-grace-period must be positive"))
	}
	if c.NodeEvictionRate < 0 || c.SecondaryNodeEvictionRate < 0 {
		bad = append(bad, errors.New("--node-eviction-rate and --secondary-node-eviction-rate must not be negative"))
	}
	if c.UnhealthyZoneThreshold < 0 || c.UnhealthyZoneThreshold > 1 {
		bad = append(bad, errors.New("--unhealthy-zone-threshold must be between 0 and 1"))
	}
	if c.TerminatedPodGCThreshold < 0 {
		bad = append(bad, errors.New("--terminated-pod-gc-threshold must not be negative"))
	}
	controllers, err := selected(c.Controllers)
	if err != nil {
		bad = append(bad, err)
	}
	ca, err := c.rootCA()
	if err != nil {
		bad = append(bad, err)
	}
	if len(ca) == 0 {
		controllers = slices.DeleteFunc(controllers, func(name string) bool { return name == "rootca" })
	}
	return manager.Config{
		Conn:                   c.Conn,
		Logger:                 c.Logger,
		Identity:               identity(),
		LeaderElect:            c.LeaderElect,
		Controllers:            controllers,
		NodeMonitorGracePeriod: c.NodeMonitorGracePeriod,
		Pace: nodelifecycle.Pace{
			Rate: c.NodeEvictionRate, UnhealthyRate: c.SecondaryNodeEvictionRate,
			UnhealthyShare: c.UnhealthyZoneThreshold, LargeCluster: c.LargeClusterSizeThreshold,
		},
		NodeRanges:     pool,
		TerminatedPods: c.TerminatedPodGCThreshold,
		RootCA:         ca,
		Now:            time.Now,
	}, errors.Join(bad...)
}

func (c Config) rootCA() ([]byte, error) {
	file := c.RootCAFile
	if file == "" {
		file = c.Client.CAFile
	}
	if file == "" {
		return nil, nil
	}
	ca, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--root-ca-file: %w", err)
	}
	return ca, nil
}

// selected resolves names, "*" and "-name".
func selected(names []string) ([]string, error) {
	all := manager.Names()
	on := map[string]bool{}
	for _, name := range names {
		bare := strings.TrimPrefix(name, "-")
		switch {
		case name == "*":
			for _, n := range all {
				if _, set := on[n]; !set {
					on[n] = true
				}
			}
		case !slices.Contains(all, bare):
			return nil, fmt.Errorf("--controllers: %q is not one of %s", bare, strings.Join(all, ", "))
		default:
			on[bare] = name == bare
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(n string) bool { return !on[n] }), nil
}

// identity is unlike that of any other process.
func identity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "_" + uuid.NewString()
}
