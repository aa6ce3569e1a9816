// Package fake is a runtime whose containers only pretend to run: for hollow nodes, which try the API server and the
// scheduler with more nodes than there are machines, and for component tests, which decide what each container does.
package fake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// Behaviour is what a container does. The zero value runs until it is told to stop, and then ends with code 0.
type Behaviour struct {
	// StartError, where set, is why it can't be started.
	StartError error
	// Exits ends it with Code as soon as it has started.
	Exits bool
	Code  int32
	// Reason of the end; empty follows from the code.
	Reason string
	// Stubborn ignores SIGTERM.
	Stubborn bool
}

// Options of a fake.
type Options struct {
	// Behave decides what a container does; nil is the zero Behaviour for all.
	Behave func(*runtime.ContainerConfig) Behaviour
	// Exec answers commands; nil is exit code 0.
	Exec func(id string, command []string) (int, error)
	// Missing tells which images are not on the node and can't be pulled.
	Missing func(image string) bool
	// CIDR gives pods their addresses.
	CIDR netip.Prefix
}

// Runtime implements runtime.Runtime.
type Runtime struct {
	options Options

	mu         sync.Mutex
	next       int
	address    netip.Addr
	pods       map[string]runtime.Pod
	containers map[string]*container
	pulled     map[string]bool
	handler    func(runtime.Container)
	signals    []Signal
}

type container struct {
	runtime.Container
	behaviour Behaviour
	config    runtime.ContainerConfig
}

// Signal is a signal that a container got.
type Signal struct {
	ID     string
	Name   string
	Signal syscall.Signal
	At     time.Time
}

var _ runtime.Runtime = (*Runtime)(nil)

// New returns a fake without pods.
func New(o Options) *Runtime {
	if !o.CIDR.IsValid() {
		o.CIDR = netip.MustParsePrefix("10.244.0.0/16")
	}
	return &Runtime{options: o, address: o.CIDR.Addr().Next(), pods: map[string]runtime.Pod{}, containers: map[string]*container{}, pulled: map[string]bool{}}
}

// Info implements runtime.Runtime.
func (r *Runtime) Info(context.Context) (runtime.Info, error) {
	return runtime.Info{Name: "fake", Version: "1.0.0"}, nil
}

// Image implements runtime.Runtime.
func (r *Runtime) Image(_ context.Context, ref string) (runtime.Image, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.Contains(ref, " ") {
		return runtime.Image{}, runtime.ErrInvalidImageName
	}
	if !r.pulled[ref] {
		return runtime.Image{}, fmt.Errorf("image %q: %w", ref, runtime.ErrNotFound)
	}
	return image(ref), nil
}

func image(ref string) runtime.Image {
	return runtime.Image{Name: ref, ID: ref + "@sha256:0", Names: []string{ref}, Size: 1 << 20}
}

// PullImage implements runtime.Runtime.
func (r *Runtime) PullImage(_ context.Context, ref string, _ []runtime.Credential) (runtime.Image, error) {
	if r.options.Missing != nil && r.options.Missing(ref) {
		return runtime.Image{}, fmt.Errorf("failed to pull and unpack image %q: not found", ref)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pulled[ref] = true
	return image(ref), nil
}

// Images implements runtime.Runtime.
func (r *Runtime) Images(context.Context) ([]runtime.Image, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]runtime.Image, 0, len(r.pulled))
	for ref := range r.pulled {
		out = append(out, image(ref))
	}
	return out, nil
}

// EnsurePod implements runtime.Runtime.
func (r *Runtime) EnsurePod(_ context.Context, pod *runtime.PodConfig) (runtime.Pod, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := r.pods[pod.UID]; ok {
		return p, nil
	}
	p := runtime.Pod{PodRef: pod.PodRef}
	if !pod.HostNetwork {
		r.address = r.address.Next()
		p.Addresses = []netip.Addr{r.address}
	}
	r.pods[pod.UID] = p
	return p, nil
}

// RemovePod implements runtime.Runtime.
func (r *Runtime) RemovePod(_ context.Context, uid string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, c := range r.containers {
		if c.Pod.UID == uid {
			delete(r.containers, id)
		}
	}
	delete(r.pods, uid)
	return nil
}

// Pods implements runtime.Runtime.
func (r *Runtime) Pods(context.Context) ([]runtime.Pod, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]runtime.Pod, 0, len(r.pods))
	for _, p := range r.pods {
		out = append(out, p)
	}
	return out, nil
}

// Create implements runtime.Runtime.
func (r *Runtime) Create(_ context.Context, c *runtime.ContainerConfig) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.pods[c.Pod.UID]; !ok {
		return "", fmt.Errorf("pod %s: %w", c.Pod.UID, runtime.ErrNotFound)
	}
	r.next++
	id := fmt.Sprintf("fake%060d", r.next)
	made := &container{Container: runtime.Container{
		ID: id, Pod: c.Pod.PodRef, Name: c.Name, Attempt: c.Attempt, SpecHash: c.SpecHash, Image: c.Image, ImageName: c.Image,
		ImageID: image(c.Image).ID, LogPath: c.LogPath, GraceSeconds: c.GraceSeconds, State: runtime.Created, CreatedAt: time.Now(),
	}}
	made.config = *c
	if r.options.Behave != nil {
		made.behaviour = r.options.Behave(c)
	}
	r.containers[id] = made
	return id, nil
}

// Start implements runtime.Runtime.
func (r *Runtime) Start(_ context.Context, id string) error {
	r.mu.Lock()
	c, ok := r.containers[id]
	if !ok {
		r.mu.Unlock()
		return runtime.ErrNotFound
	}
	b := c.behaviour
	if b.StartError != nil {
		c.State, c.ExitCode, c.Reason, c.FinishedAt = runtime.Exited, 128, runtime.ReasonStartError, time.Now()
		r.mu.Unlock()
		return b.StartError
	}
	c.State, c.StartedAt = runtime.Running, time.Now()
	r.mu.Unlock()
	if b.Exits {
		r.Exit(id, b.Code)
	}
	return nil
}

// Exit ends a running container.
func (r *Runtime) Exit(id string, code int32) {
	r.mu.Lock()
	c, ok := r.containers[id]
	if !ok || c.State != runtime.Running {
		r.mu.Unlock()
		return
	}
	c.State, c.ExitCode, c.FinishedAt, c.Reason = runtime.Exited, code, time.Now(), c.behaviour.Reason
	if c.Reason == "" {
		c.Reason = runtime.ReasonCompleted
		if code != 0 {
			c.Reason = runtime.ReasonError
		}
	}
	ended, handler := c.Container, r.handler
	r.mu.Unlock()
	if handler != nil {
		handler(ended)
	}
}

// Signal implements runtime.Runtime.
func (r *Runtime) Signal(_ context.Context, id string, signal syscall.Signal) error {
	r.mu.Lock()
	c, ok := r.containers[id]
	if !ok || c.State != runtime.Running {
		r.mu.Unlock()
		return runtime.ErrNotRunning
	}
	r.signals = append(r.signals, Signal{id, c.Name, signal, time.Now()})
	stubborn := c.behaviour.Stubborn
	r.mu.Unlock()
	switch {
	case signal == syscall.SIGKILL:
		r.Exit(id, 137)
	case !stubborn:
		r.Exit(id, 0)
	}
	return nil
}

// Signals are those that containers got so far.
func (r *Runtime) Signals() []Signal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Signal(nil), r.signals...)
}

// Update implements runtime.Runtime.
func (r *Runtime) Update(_ context.Context, id string, to runtime.Resources) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.containers[id]
	if !ok || c.State != runtime.Running {
		return runtime.ErrNotRunning
	}
	c.config.Resources = to
	return nil
}

// Config is what a container was made of, with the resources that it has now; the zero value where there is none.
func (r *Runtime) Config(id string) runtime.ContainerConfig {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c, ok := r.containers[id]; ok {
		return c.config
	}
	return runtime.ContainerConfig{}
}

// Remove implements runtime.Runtime.
func (r *Runtime) Remove(_ context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.containers, id)
	return nil
}

// List implements runtime.Runtime.
func (r *Runtime) List(context.Context) ([]runtime.Container, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]runtime.Container, 0, len(r.containers))
	for _, c := range r.containers {
		out = append(out, c.Container)
	}
	return out, nil
}

// Exec implements runtime.Runtime.
func (r *Runtime) Exec(_ context.Context, id string, e runtime.ExecConfig) (int, error) {
	r.mu.Lock()
	c, ok := r.containers[id]
	runs := ok && c.State == runtime.Running
	r.mu.Unlock()
	if !runs {
		return 0, runtime.ErrNotRunning
	}
	if r.options.Exec == nil {
		return 0, nil
	}
	return r.options.Exec(id, e.Command)
}

// Attach implements runtime.Runtime: there is nothing to see.
func (r *Runtime) Attach(ctx context.Context, _ string, _ runtime.Streams) error {
	<-ctx.Done()
	return nil
}

// Dial implements runtime.Runtime.
func (r *Runtime) Dial(context.Context, string, int) (io.ReadWriteCloser, error) {
	return nil, errors.New("a pod that only pretends to run listens nowhere")
}

// Run implements runtime.Runtime.
func (r *Runtime) Run(ctx context.Context, handler func(runtime.Container)) error {
	r.mu.Lock()
	r.handler = handler
	r.mu.Unlock()
	<-ctx.Done()
	r.mu.Lock()
	r.handler = nil
	r.mu.Unlock()
	return nil
}

// Close implements runtime.Runtime.
func (r *Runtime) Close() error { return nil }
