package embed

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/events"
	"github.com/keelson/keelson/proto/sdk/health"
	"github.com/keelson/keelson/proto/sdk/informer"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/keelson/keelson/kubelet/internal/api"
	"github.com/keelson/keelson/kubelet/internal/cgroups"
	"github.com/keelson/keelson/kubelet/internal/logs"
	"github.com/keelson/keelson/kubelet/internal/network"
	"github.com/keelson/keelson/kubelet/internal/node"
	"github.com/keelson/keelson/kubelet/internal/nodeapi"
	"github.com/keelson/keelson/kubelet/internal/pods"
	"github.com/keelson/keelson/kubelet/internal/podspec"
	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/keelson/keelson/kubelet/internal/runtime/containerd"
	"github.com/keelson/keelson/kubelet/internal/runtime/fake"
	"github.com/keelson/keelson/kubelet/internal/stats"
	"github.com/keelson/keelson/kubelet/internal/tunnel"
	"github.com/keelson/keelson/kubelet/internal/volumes"
)

// Start runs a kubelet until ctx ends. The pods' containers go on without it.
func Start(ctx context.Context, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if cfg.NodeIP == "" {
		ip, err := node.DefaultAddress()
		if err != nil {
			return err
		}
		cfg.NodeIP = ip
	}
	if err := os.MkdirAll(cfg.RootDir, 0o755); err != nil {
		return err
	}
	conn, err := client.Dial(cfg.API)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	k, err := assemble(cfg, conn)
	if err != nil {
		return err
	}
	return k.run(ctx)
}

// kubelet is the assembled parts.
type kubelet struct {
	cfg      Config
	log      *zap.Logger
	conn     *client.Conn
	runtime  runtime.Runtime
	objects  *api.Objects
	node     *node.Node
	pods     *pods.Manager
	informer *informer.Informer[*corev1.Pod]
	recorder *events.Recorder
	handlers *nodeapi.Handler
}

func assemble(cfg Config, conn *client.Conn) (*kubelet, error) {
	log := cfg.Logger
	machine, err := node.Inspect(cfg.RootDir)
	if err != nil {
		return nil, fmt.Errorf("inspecting the machine: %w", err)
	}
	groups, err := cgroups.New(cfg.CgroupRoot)
	if err != nil {
		return nil, err
	}
	var cluster netip.Prefix
	if cfg.ClusterCIDR != "" {
		cluster = netip.MustParsePrefix(cfg.ClusterCIDR)
	}
	net, err := network.New(network.Config{Bridge: cfg.Bridge, ClusterCIDR: cluster}, log.Named("network"))
	if err != nil {
		return nil, err
	}
	k := &kubelet{cfg: cfg, log: log, conn: conn}
	if k.runtime, err = newRuntime(cfg, net); err != nil {
		return nil, err
	}
	capacity := machine.Capacity(cfg.MaxPods)
	k.objects = api.NewObjects(conn, log.Named("objects"))
	k.recorder = events.NewRecorder(conn, "kubelet", cfg.NodeName)
	volumeManager := volumes.NewManager(filepath.Join(cfg.RootDir, "pods"), k.objects, api.NewTokens(conn), allocatable(capacity))
	var taints []*corev1.Taint
	for _, t := range cfg.Taints {
		taint, err := parseTaint(t)
		if err != nil {
			return nil, err
		}
		taints = append(taints, taint)
	}
	k.node = node.New(node.Config{
		Name: cfg.NodeName, Address: cfg.NodeIP, Version: cfg.Version, Dir: cfg.RootDir, MaxPods: cfg.MaxPods, Labels: cfg.Labels,
		Taints: taints, Machine: machine, Runtime: k.runtime, Network: net, Conn: conn, Logger: log.Named("node"),
	})
	k.pods = pods.NewManager(pods.Config{
		Node:   pods.Node{Name: cfg.NodeName, Addresses: []string{cfg.NodeIP}, Memory: machine.Memory, Allocatable: capacity},
		DNS:    podspec.DNS{Servers: cfg.ClusterDNS, Domain: cfg.ClusterDomain, HostFile: cfg.ResolvConf},
		LogDir: cfg.PodLogDir, SeccompDir: filepath.Join(cfg.RootDir, "seccomp"), DrainHold: cfg.DrainHold,
		Runtime: k.runtime, Volumes: volumeManager, Cgroups: groups, Objects: k.objects, API: api.NewPods(conn),
		Events: api.Events{Recorder: k.recorder}, Logger: log.Named("pods"),
	})
	k.informer = informer.New(conn, informer.Options[*corev1.Pod]{FieldSelector: "spec.nodeName=" + cfg.NodeName, Trim: true})
	k.informer.OnEvent(func(e informer.Event[*corev1.Pod]) {
		switch e.Type {
		case informer.Deleted:
			k.pods.Remove(e.Old)
		default:
			if e.Type == informer.Updated && e.Old.Metadata.Uid != e.New.Metadata.Uid {
				k.pods.Remove(e.Old)
			}
			k.pods.Set(e.New)
		}
	})
	k.handlers = nodeapi.New(nodeapi.Config{Node: cfg.NodeName, Pods: k.pods, Metrics: promhttp.Handler(), Health: healthHandler(cfg),
		Stats: stats.New(stats.Config{Node: cfg.NodeName, Dir: cfg.RootDir, Cgroups: groups})})
	if cfg.Health != nil {
		cfg.Health.Ready("pods-synced", health.Closed(k.informer.Synced()))
		cfg.Health.Ready("container-runtime", func(ctx context.Context) error {
			_, err := k.runtime.Info(ctx)
			return err
		})
	}
	return k, nil
}

// healthHandler is the process's own, where it has checks.
func healthHandler(cfg Config) http.Handler {
	checks := cfg.Health
	if checks == nil {
		checks = &health.Checks{}
	}
	return checks.Handler("/healthz")
}

func newRuntime(cfg Config, net *network.Network) (runtime.Runtime, error) {
	if cfg.Runtime == "fake" {
		return fake.New(fake.Options{}), nil
	}
	return containerd.New(containerd.Config{
		Address: cfg.Containerd, Node: cfg.NodeName, StateDir: filepath.Join(cfg.RootDir, "run"), Holder: cfg.Holder,
		RegistryConfigDir: cfg.RegistryConfigDir, LogLimits: logs.DefaultLimits, Network: net, Logger: cfg.Logger.Named("containerd"),
	})
}

// stopTime bounds what is still written after the end.
const stopTime = 5 * time.Second

func (k *kubelet) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return quiet(ctx, k.objects.Run(ctx)) })
	group.Go(func() error { return quiet(ctx, k.informer.Run(ctx)) })
	group.Go(func() error { return quiet(ctx, k.node.Watch(ctx)) })
	group.Go(func() error { return k.node.Run(ctx) })
	group.Go(func() error { return k.node.Lease(ctx) })
	group.Go(func() error { return k.runtime.Run(ctx, k.pods.Exited) })
	group.Go(func() error {
		return tunnel.Run(ctx, tunnel.Config{
			Node: k.cfg.NodeName, API: k.cfg.API, Pods: k.pods, Runtime: k.runtime, Address: k.cfg.NodeIP,
			NodeAPI: k.handlers.ServeConn, Logger: k.log.Named("tunnel"),
		})
	})
	group.Go(func() error { return k.takeUp(ctx) })
	err := group.Wait()
	k.pods.Stop()
	last, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	k.recorder.Close(last)
	if closing := k.runtime.Close(); err == nil {
		err = closing
	}
	return err
}

// takeUp begins to run pods once the API has told all that are bound to this node: nothing is removed before.
func (k *kubelet) takeUp(ctx context.Context) error {
	if err := k.informer.WaitForSync(ctx); err != nil {
		return quiet(ctx, err)
	}
	for backoff := new(client.Backoff); ; {
		err := k.pods.Start(ctx)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		k.log.Warn("the node's containers can't be taken up yet", zap.Error(err))
		if !client.Sleep(ctx, backoff.Next()) {
			return nil
		}
	}
}

// quiet drops the error of something that ended because it was told to.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
