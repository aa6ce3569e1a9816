// Package pods runs the pods of a node: one actor (goroutine) a pod, which is told what the API wants, what the
// runtime's containers do and what probes find, decides, and starts operations that tell it their results.
//
// A pod's life as its actor sees it:
//
//	          prepare              run                    stop                    remove
//	new ──► volumes, network ──► init, containers ──► hooks, signals ──► containers, network, volumes ──► API delete
//	                                    │                                         ▲
//	                                    └── all containers done (Succeeded/Failed)┘
//
// Nothing is remembered in files: after a restart of the kubelet an actor takes up the containers that the runtime
// lists, with the counts in their labels and in the pod's status.
package pods

import (
	"context"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"go.uber.org/zap"

	"github.com/keelson/keelson/kubelet/internal/cgroups"
	"github.com/keelson/keelson/kubelet/internal/podspec"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// API is what actors need of the API server.
type API interface {
	// Get reads a pod.
	Get(ctx context.Context, namespace, name string) (*corev1.Pod, error)
	// UpdateStatus writes a pod's status; Conflict where the pod is not the current one.
	UpdateStatus(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error)
	// Delete ends the graceful deletion of the pod with this UID.
	Delete(ctx context.Context, pod *corev1.Pod) error
	// IsConflict and IsNotFound classify the errors of the others.
	IsConflict(error) bool
	IsNotFound(error) bool
}

// Objects are what pods refer to, kept up to date as long as a pod that refers to them is here.
type Objects interface {
	podspec.Objects
	// Follow watches everything that the pod refers to; changed is called after each change. release ends it.
	Follow(pod *corev1.Pod, changed func()) (release func())
	// Unlisted returns once no EndpointSlice of the named Services lists the pod as ready any more. known is closed as
	// soon as it is known what they list; that never happens where the slices can't be read.
	Unlisted(ctx context.Context, pod *corev1.Pod, services []string, known chan<- struct{}) error
	// Wait returns when everything that the pod refers to is known (also: known not to exist).
	Wait(ctx context.Context, pod *corev1.Pod) error
}

// Volumes of pods; see package volumes.
type Volumes interface {
	Setup(ctx context.Context, pod *corev1.Pod) (renew time.Time, err error)
	Mounts(pod *corev1.Pod, c *corev1.Container, env func(string) (string, bool)) ([]runtime.Mount, error)
	Teardown(uid string) error
	PodDir(uid string) string
	Pods() ([]string, error)
}

// Cgroups of pods; see package cgroups.
type Cgroups interface {
	PodPath(uid, qos string) string
	EnsurePod(uid, qos string, limits runtime.Resources) error
	// Usage of the cgroup at a path.
	Usage(path string) (cgroups.Usage, error)
	RemovePod(uid string) error
}

// Events records what happened to a pod, or, where container isn't nil, to one of its containers.
type Events interface {
	Record(pod *corev1.Pod, container *corev1.Container, kind, reason, format string, args ...any)
}

// Node is what pods see of the node.
type Node struct {
	Name string
	// Addresses of the node, the first being the main one.
	Addresses []string
	// Memory of the machine in bytes.
	Memory int64
	// Allocatable is what pods may use.
	Allocatable map[string]*metav1.Quantity
}

// Config of the pods of a node.
type Config struct {
	Node Node
	DNS  podspec.DNS
	// LogDir holds <namespace>_<name>_<uid>/<container>/<attempt>.log.
	LogDir string
	// SeccompDir holds Localhost seccomp profiles.
	SeccompDir string
	// RestartDelay is how long the second restart in a row of a container waits; the wait doubles up to
	// RestartDelayMax and is forgotten after a run of RestartReset.
	RestartDelay, RestartDelayMax, RestartReset time.Duration
	// DrainHold is how long SIGTERM is held back from the containers of a pod that Services lead to, so that proxies
	// stop sending before it stops listening, where nothing is known of EndpointSlices. Otherwise it is held until no
	// slice lists the pod as ready, and half as long as DrainHold for proxies to follow; at most maxDrain times
	// DrainHold. In any case at most a quarter of the grace period.
	DrainHold time.Duration
	// StartParallelism bounds how many containers of the node are created at the same time.
	StartParallelism int

	Runtime runtime.Runtime
	Volumes Volumes
	Cgroups Cgroups
	Objects Objects
	API     API
	Events  Events
	Logger  *zap.Logger
}

// Defaults of Config.
const (
	DefaultRestartDelay    = time.Second
	DefaultRestartDelayMax = 5 * time.Minute
	DefaultRestartReset    = 10 * time.Minute
	DefaultDrainHold       = 2 * time.Second
)

func (c *Config) fill() {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&c.RestartDelay, DefaultRestartDelay)
	set(&c.RestartDelayMax, DefaultRestartDelayMax)
	set(&c.RestartReset, DefaultRestartReset)
	set(&c.DrainHold, DefaultDrainHold)
	if c.StartParallelism == 0 {
		c.StartParallelism = 8
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
}
