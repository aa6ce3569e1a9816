package pods

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/keelson/keelson/kubelet/internal/probe"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// stepStop brings the pod to its end: containers, then sidecars in reverse order, then everything else, then the API
// object where it is being deleted.
func (a *actor) stepStop(now time.Time, next *time.Time) {
	deadline := now.Add(a.graceOf(nil))
	var drained <-chan struct{}
	if s := a.stopping; s != nil {
		deadline, drained = s.deadline, s.drained
	}
	busy := false
	var sidecars []*container
	for _, c := range a.containers {
		if c.busy {
			busy = true
			c.cancelStart()
			if !c.running() {
				continue
			}
		}
		if !c.running() {
			continue
		}
		busy = true
		if c.kind == sidecarContainer {
			sidecars = append(sidecars, c)
			continue
		}
		if c.stop == nil {
			a.stopContainer(c, max(deadline.Sub(now), time.Second), drained, "Stopping container "+c.spec.Name)
		}
	}
	if len(sidecars) > 0 && a.regularsEnded() {
		if last := sidecars[len(sidecars)-1]; last.stop == nil {
			a.stopContainer(last, max(deadline.Sub(now), time.Second), drained, "Stopping container "+last.spec.Name)
		}
	}
	if busy || a.prepare.running || a.refresh.running {
		return
	}
	if !a.terminal() {
		// The phase says how the containers ended.
		a.phase = a.endPhase()
	}
	a.stepRemove(now, next)
}

func (a *actor) regularsEnded() bool {
	for _, c := range a.containers {
		if c.kind != sidecarContainer && (c.running() || c.busy) {
			return false
		}
	}
	return true
}

// endPhase is the phase of a pod that was stopped.
func (a *actor) endPhase() string {
	phase := succeeded
	for _, c := range a.containers {
		if c.kind == regularContainer && (c.current == nil || c.current.ExitCode != 0) {
			phase = failed
		}
	}
	return phase
}

// stepRemove takes everything of the pod off the node, and then, where it is being deleted, out of the API.
func (a *actor) stepRemove(now time.Time, next *time.Time) {
	if a.removal.due(now, next) {
		a.start(&a.removal, a.doRemove, func(err error) {
			a.removed = err == nil
			if err != nil {
				a.log.Warn("the pod can't be removed from the node yet", zap.Error(err))
			} else {
				a.sandbox, a.assumed = false, false
			}
		})
	}
	if !a.removed || a.stopping == nil || !a.stopping.deleted || a.gone.Load() {
		return
	}
	if a.deletion.due(now, next) {
		status, pod := a.buildStatus(), a.pod
		a.start(&a.deletion, func(ctx context.Context) error {
			// What happened is told before the object that tells it is gone.
			a.status.offer(status)
			if err := a.status.flush(ctx); err != nil {
				return err
			}
			if err := a.API.Delete(ctx, pod); err != nil && !a.API.IsNotFound(err) && !a.API.IsConflict(err) {
				return err
			}
			return nil
		}, func(err error) {
			if err != nil {
				a.log.Warn("the pod can't be deleted from the API yet", zap.Error(err))
			}
		})
	}
}

// removeTime bounds one attempt to remove a pod from the node.
const removeTime = time.Minute

func (a *actor) doRemove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, removeTime)
	defer cancel()
	return removePod(ctx, a.Config, a.uid)
}

// removePod takes containers, namespaces, network, volumes and cgroups of a pod off the node.
func removePod(ctx context.Context, cfg *Config, uid string) error {
	if err := cfg.Runtime.RemovePod(ctx, uid); err != nil {
		return fmt.Errorf("removing containers and network: %w", err)
	}
	return errors.Join(cfg.Volumes.Teardown(uid), cfg.Cgroups.RemovePod(uid))
}

// stopOperation stops one container.
type stopOperation struct {
	mu       sync.Mutex
	deadline time.Time
	changed  chan struct{}
}

// hurry moves the deadline forward.
func (s *stopOperation) hurry(deadline time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if deadline.Before(s.deadline) {
		s.deadline = deadline
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

func (s *stopOperation) get() (time.Time, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deadline, s.changed
}

// Results of wait.
const (
	overdue = iota
	finished
	released
)

// wait returns at the deadline, when done is closed (also when ctx ends), or when release is closed.
func (s *stopOperation) wait(ctx context.Context, done, release <-chan struct{}) int {
	for {
		deadline, changed := s.get()
		timer := time.NewTimer(time.Until(deadline))
		select {
		case <-done:
			timer.Stop()
			return finished
		case <-release:
			timer.Stop()
			return released
		case <-ctx.Done():
			timer.Stop()
			return finished
		case <-timer.C:
			return overdue
		case <-changed:
			timer.Stop()
		}
	}
}

// stopContainer begins to stop a container: it holds back until drained is closed (nil: not at all), runs the preStop hook, sends the stop signal, and
// kills what is left when grace is over. The container's exit itself comes from the runtime.
func (a *actor) stopContainer(c *container, grace time.Duration, drained <-chan struct{}, message string) {
	a.Events.Record(a.pod, c.spec, "Normal", "Killing", "%s", message)
	s := &stopOperation{deadline: time.Now().Add(grace), changed: make(chan struct{})}
	c.stop = s
	spec, id, exited, target := c.spec, c.current.ID, c.exited, a.target(c)
	pod := a.pod
	a.ops.Go(func() {
		preStop := spec.Lifecycle.GetPreStop()
		if preStop.GetSleep() != nil && time.Duration(preStop.Sleep.Seconds)*time.Second >= a.DrainHold {
			// The hook does the same already.
			drained = nil
		}
		if drained != nil && s.wait(a.ctx, exited, drained) == finished {
			return
		}
		if preStop != nil {
			ctx, cancel := context.WithCancel(a.ctx)
			done := make(chan struct{})
			go func() {
				defer close(done)
				if _, err := probe.Hook(ctx, preStop, target); err != nil && a.ctx.Err() == nil {
					a.Events.Record(pod, spec, "Warning", "FailedPreStopHook", "PreStopHook failed: %v", err)
				}
			}()
			s.wait(a.ctx, done, nil)
			cancel()
			<-done
			// Even a hook that took everything leaves the signal two seconds.
			s.mu.Lock()
			if least := time.Now().Add(2 * time.Second); s.deadline.Before(least) && grace > 2*time.Second {
				s.deadline = least
			}
			s.mu.Unlock()
		}
		if a.ctx.Err() != nil {
			return
		}
		deadline, _ := s.get()
		if time.Until(deadline) > 0 {
			err := a.Runtime.Signal(a.ctx, id, stopSignal(spec.Lifecycle.GetStopSignal()))
			if errors.Is(err, runtime.ErrNotRunning) || s.wait(a.ctx, exited, nil) == finished {
				return
			}
		}
		for delay := 100 * time.Millisecond; ; delay = min(2*delay, 5*time.Second) {
			if err := a.Runtime.Signal(a.ctx, id, syscall.SIGKILL); errors.Is(err, runtime.ErrNotRunning) {
				return
			} else if err != nil {
				a.log.Warn("a container can't be killed yet", zap.String("container", spec.Name), zap.Error(err))
			}
			timer := time.NewTimer(delay)
			select {
			case <-exited:
				timer.Stop()
				return
			case <-a.ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
		}
	})
}

func stopSignal(name string) syscall.Signal {
	if s := unix.SignalNum(name); s != 0 {
		return s
	}
	return syscall.SIGTERM
}
