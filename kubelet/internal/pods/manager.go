package pods

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"go.uber.org/zap"

	"github.com/keelson/keelson/kubelet/internal/quantity"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// Manager gives each pod of the node its actor, and removes what belongs to no pod.
type Manager struct {
	cfg    Config
	log    *zap.Logger
	ctx    context.Context
	cancel context.CancelFunc
	starts chan struct{}
	room   *room
	work   sync.WaitGroup

	mu      sync.Mutex
	running bool
	actors  map[string]*actor
	adopted map[string][]runtime.Container
	pending map[string]*corev1.Pod
	waits   []*orphanWait
}

// NewManager returns a manager that does nothing yet: pods that it is told are kept for Start.
func NewManager(cfg Config) *Manager {
	cfg.fill()
	m := &Manager{
		cfg: cfg, log: cfg.Logger, starts: make(chan struct{}, cfg.StartParallelism),
		room:   newRoom(quantity.Milli(cfg.Node.Allocatable["cpu"]), quantity.Value(cfg.Node.Allocatable["memory"])),
		actors: map[string]*actor{}, adopted: map[string][]runtime.Container{}, pending: map[string]*corev1.Pod{},
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Start takes up what the runtime has, begins to run the pods that were told so far, and removes what belongs to none
// of them. Call it when all pods of the node have been told.
func (m *Manager) Start(ctx context.Context) error {
	list, err := m.cfg.Runtime.List(ctx)
	if err != nil {
		return fmt.Errorf("listing containers: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = true
	var removals []string
	for _, c := range list {
		if c.State == runtime.Created {
			// An earlier kubelet was killed before it started it.
			removals = append(removals, c.ID)
			continue
		}
		m.adopted[c.Pod.UID] = append(m.adopted[c.Pod.UID], c)
	}
	m.work.Go(func() {
		for _, id := range removals {
			if err := m.cfg.Runtime.Remove(m.ctx, id); err != nil {
				m.log.Warn("a container that was never started can't be removed", zap.String("id", id), zap.Error(err))
			}
		}
	})
	for _, pod := range m.pending {
		m.create(pod)
	}
	clear(m.pending)
	orphans, err := m.orphans(ctx)
	if err != nil {
		return err
	}
	for uid, containers := range orphans {
		m.work.Go(func() { m.removeOrphan(uid, containers) })
	}
	return nil
}

// orphans are pods of which something is on the node, but which the API doesn't bind to it any more.
func (m *Manager) orphans(ctx context.Context) (map[string][]runtime.Container, error) {
	out := map[string][]runtime.Container{}
	for uid, c := range m.adopted {
		if m.actors[uid] == nil {
			out[uid] = c
		}
	}
	pods, err := m.cfg.Runtime.Pods(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing pods of the runtime: %w", err)
	}
	uids, err := m.cfg.Volumes.Pods()
	if err != nil {
		return nil, fmt.Errorf("listing pods with volumes: %w", err)
	}
	for _, p := range pods {
		uids = append(uids, p.UID)
	}
	for _, uid := range uids {
		if m.actors[uid] == nil && out[uid] == nil {
			out[uid] = nil
		}
	}
	return out, nil
}

// removeOrphan stops and removes a pod that the API doesn't know here: it was deleted, or moved, while this kubelet
// was away.
func (m *Manager) removeOrphan(uid string, containers []runtime.Container) {
	m.log.Info("removing a pod that is not bound to this node any more", zap.String("uid", uid), zap.Int("containers", len(containers)))
	var grace time.Duration
	for _, c := range containers {
		if c.State == runtime.Running {
			grace = max(grace, time.Duration(c.GraceSeconds)*time.Second)
		}
	}
	if grace > 0 && !m.exited(containers, grace) {
		m.log.Info("its containers outlived their grace period and are killed", zap.String("uid", uid))
	}
	for delay := time.Second; ; delay = min(2*delay, time.Minute) {
		ctx, cancel := context.WithTimeout(m.ctx, removeTime)
		err := removePod(ctx, &m.cfg, uid)
		cancel()
		if err == nil {
			m.removeLogs(uid)
			return
		}
		m.log.Warn("it can't be removed yet", zap.String("uid", uid), zap.Error(err))
		select {
		case <-m.ctx.Done():
			return
		case <-time.After(delay):
		}
	}
}

// exited waits until an orphan's containers have ended, for at most grace.
func (m *Manager) exited(containers []runtime.Container, grace time.Duration) bool {
	m.mu.Lock()
	done := make(chan struct{})
	left := map[string]bool{}
	var ids []string
	for _, c := range containers {
		if c.State == runtime.Running {
			left[c.ID] = true
			ids = append(ids, c.ID)
		}
	}
	w := &orphanWait{left: left, done: done}
	m.waitOrphan(w)
	m.mu.Unlock()
	for _, id := range ids {
		if err := m.cfg.Runtime.Signal(m.ctx, id, syscall.SIGTERM); err != nil {
			return false
		}
	}
	select {
	case <-done:
		return true
	case <-time.After(grace):
		return false
	case <-m.ctx.Done():
		return false
	}
}

func (m *Manager) removeLogs(uid string) {
	entries, err := os.ReadDir(m.cfg.LogDir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "_"+uid) {
			if err := os.RemoveAll(m.cfg.LogDir + "/" + e.Name()); err != nil {
				m.log.Warn("logs can't be removed", zap.String("uid", uid), zap.Error(err))
			}
		}
	}
}

// create gives a pod its actor; the lock is held.
func (m *Manager) create(pod *corev1.Pod) {
	uid := pod.Metadata.Uid
	a := newActor(&m.cfg, m.ctx, pod, m.adopted[uid], m.starts, m.room)
	m.actors[uid] = a
	runningPods.Set(float64(len(m.actors)))
	delete(m.adopted, uid)
	m.work.Go(func() {
		a.resume()
		a.run()
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.actors[uid] == a {
			delete(m.actors, uid)
			runningPods.Set(float64(len(m.actors)))
		}
	})
}

// Set tells the manager the newest state of a pod of the node.
func (m *Manager) Set(pod *corev1.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		return
	}
	if !m.running {
		m.pending[pod.Metadata.Uid] = pod
		return
	}
	if a := m.actors[pod.Metadata.Uid]; a != nil {
		a.tell(pod)
		return
	}
	m.create(pod)
}

// Remove tells the manager that the API has no such pod on this node any more; pod is its last known state.
func (m *Manager) Remove(pod *corev1.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pending, pod.Metadata.Uid)
	if a := m.actors[pod.Metadata.Uid]; a != nil {
		a.tell(pod)
		a.vanish()
	}
}

// Exited tells the manager that a container has ended.
func (m *Manager) Exited(c runtime.Container) {
	m.mu.Lock()
	a := m.actors[c.Pod.UID]
	for _, w := range m.waits {
		w.exit(c.ID)
	}
	if a == nil {
		for i := range m.adopted[c.Pod.UID] {
			if m.adopted[c.Pod.UID][i].ID == c.ID {
				m.adopted[c.Pod.UID][i] = c
			}
		}
	}
	m.mu.Unlock()
	if a != nil {
		a.post(func() { a.exit(&c) })
	}
}

// Find returns a pod by name, or, where uid isn't empty, by that.
func (m *Manager) Find(namespace, name, uid string) (*View, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if uid != "" {
		if a := m.actors[uid]; a != nil {
			return a.view.Load(), nil
		}
	}
	for _, a := range m.actors {
		if v := a.view.Load(); uid == "" && v.Namespace == namespace && v.Name == name {
			return v, nil
		}
	}
	return nil, fmt.Errorf("pod %q in namespace %q: %w", name, namespace, ErrNoPod)
}

// Pods returns the node's pods as the API last told them, with the status that this kubelet knows, by namespace and name.
func (m *Manager) Pods() []*corev1.Pod {
	m.mu.Lock()
	var out []*corev1.Pod
	for _, a := range m.actors {
		pod := a.latest.Load()
		shown := &corev1.Pod{Metadata: pod.Metadata, Spec: pod.Spec, Status: pod.Status}
		if s := a.status.latest(); s != nil {
			shown.Status = s
		}
		out = append(out, shown)
	}
	m.mu.Unlock()
	slices.SortFunc(out, func(a, b *corev1.Pod) int {
		return cmp.Or(strings.Compare(a.Metadata.Namespace, b.Metadata.Namespace), strings.Compare(a.Metadata.Name, b.Metadata.Name))
	})
	return out
}

// Len is how many pods have an actor.
func (m *Manager) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.actors)
}

// Stop ends all actors; the pods' containers go on.
func (m *Manager) Stop() {
	m.mu.Lock()
	// With the lock, so that no actor begins once they are waited for.
	m.cancel()
	m.mu.Unlock()
	m.work.Wait()
}
