// Package containerd runs containers with containerd's own API: images, snapshots, containers, tasks, events. It works
// with daemons of the 1.6 line and of the 2.x lines.
//
// Everything that must be known later is in containerd's records (labels) or in kernel objects, so that any number of
// kubelet restarts find it. A container that has exited keeps its record, with how it ended, until Remove; its task,
// shim and mounts go at once.
package containerd

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	containerdlog "github.com/containerd/log"
	"github.com/keelson/keelson/kubelet/internal/logs"
	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/keelson/keelson/kubelet/internal/sandbox"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// Namespace is containerd's namespace of everything that belongs to pods; `ctr -n k8s.io images import` loads images
// for them.
const Namespace = "k8s.io"

const (
	snapshotter = "overlayfs"
	shim        = "io.containerd.runc.v2"
)

// Network connects pods; see package network for the built-in one.
type Network interface {
	// Attach connects the network namespace at path; idempotent.
	Attach(ctx context.Context, path string, pod *runtime.PodConfig) (netip.Addr, error)
	// Detach undoes Attach; it succeeds where there is nothing.
	Detach(ctx context.Context, uid string) error
	// Addresses of the pods that are attached, by UID.
	Addresses() (map[string]netip.Addr, error)
}

// Config of the driver.
type Config struct {
	// Address of containerd's socket.
	Address string
	// Node tells this node's containers from those of others on the same containerd.
	Node string
	// StateDir holds pinned namespaces and the FIFOs of containers' streams.
	StateDir string
	// Holder is the command that becomes process 1 of a shared PID namespace.
	Holder []string
	// RegistryConfigDir holds hosts.toml files by registry as containerd's hosts directory; "" is none.
	RegistryConfigDir string
	// LogLimits bound each container's log.
	LogLimits logs.Limits
	Network   Network
	Logger    *zap.Logger
}

// Driver implements runtime.Runtime.
type Driver struct {
	cfg    Config
	log    *zap.Logger
	client *client.Client
	boxes  *sandbox.Manager
	users  userCache
	pulls  keyedLock
	images imageCache

	// life ends with Close; it bounds the goroutines that pump streams.
	life  context.Context
	end   context.CancelFunc
	pumps sync.WaitGroup

	mu      sync.Mutex
	streams map[string]*streams
}

var _ runtime.Runtime = (*Driver)(nil)

// New connects to containerd. It does not wait for the daemon: calls fail while it is away.
func New(cfg Config) (*Driver, error) {
	// The client library's own log repeats what errors tell.
	if err := containerdlog.SetLevel("error"); err != nil {
		return nil, err
	}
	c, err := client.New(cfg.Address, client.WithDefaultNamespace(Namespace),
		// A containerd that is being restarted is waited for, within each call's own deadline.
		client.WithExtraDialOpts([]grpc.DialOption{grpc.WithDefaultCallOptions(grpc.WaitForReady(true))}))
	if err != nil {
		return nil, fmt.Errorf("connecting to containerd at %s: %w", cfg.Address, err)
	}
	boxes, err := sandbox.NewManager(filepath.Join(cfg.StateDir, "pods"), cfg.Holder)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(cfg.StateDir, "io"), 0o700); err != nil {
		return nil, err
	}
	d := &Driver{cfg: cfg, log: cfg.Logger, client: c, boxes: boxes, streams: map[string]*streams{}}
	d.life, d.end = context.WithCancel(context.Background())
	return d, nil
}

// scope adds containerd's namespace to a context.
func scope(ctx context.Context) context.Context { return namespaces.WithNamespace(ctx, Namespace) }

// Info implements runtime.Runtime.
func (d *Driver) Info(ctx context.Context) (runtime.Info, error) {
	v, err := d.client.Version(scope(ctx))
	if err != nil {
		return runtime.Info{}, translate(err)
	}
	return runtime.Info{Name: "containerd", Version: trimVersion(v.Version)}, nil
}

// trimVersion drops a leading v and a distribution's suffix: 1.6.20~ds1 is 1.6.20.
func trimVersion(v string) string {
	if len(v) > 0 && v[0] == 'v' {
		v = v[1:]
	}
	for i, r := range v {
		if r == '~' || r == '+' || r == ' ' {
			return v[:i]
		}
	}
	return v
}

// Close implements runtime.Runtime.
func (d *Driver) Close() error {
	d.end()
	d.mu.Lock()
	for _, s := range d.streams {
		s.close()
	}
	d.mu.Unlock()
	d.pumps.Wait()
	return d.client.Close()
}

// imageStore is containerd's store of image names.
func (d *Driver) imageStore() images.Store { return d.client.ImageService() }
