package pods

import (
	"context"
	"sync"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
)

// statusWriter writes one pod's status: the newest one only, one write at a time, again until it works. Each write is
// made from the newest known state of the pod and refused by the server if that is not the newest there is, so that
// nothing that others have written is lost.
type statusWriter struct {
	actor *actor
	wake  chan struct{}
	end   context.CancelFunc
	done  chan struct{}

	mu      sync.Mutex
	wanted  *corev1.PodStatus
	base    *corev1.Pod
	offered int64
	written int64
	waiters []chan struct{}
	lost    bool
}

func newStatusWriter(a *actor, pod *corev1.Pod) *statusWriter {
	w := &statusWriter{actor: a, wake: make(chan struct{}, 1), done: make(chan struct{}), base: pod}
	ctx, cancel := context.WithCancel(a.ctx)
	w.end = cancel
	go w.run(ctx)
	return w
}

// observe takes a newer state of the pod.
func (w *statusWriter) observe(pod *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if client.Revision(pod) > client.Revision(w.base) {
		w.base = pod
	}
}

// latest is the pod's status as it was last written.
func (w *statusWriter) latest() *corev1.PodStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.base.GetStatus()
}

// offer makes s the status to write.
func (w *statusWriter) offer(s *corev1.PodStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wanted != nil && proto.Equal(w.wanted, s) {
		return
	}
	w.wanted = proto.Clone(s).(*corev1.PodStatus)
	w.offered++
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// flush waits until what was offered is written, or can't be because the pod is gone.
func (w *statusWriter) flush(ctx context.Context) error {
	w.mu.Lock()
	if w.written == w.offered || w.lost {
		w.mu.Unlock()
		return nil
	}
	ready := make(chan struct{})
	w.waiters = append(w.waiters, ready)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	w.mu.Unlock()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.done:
		return nil
	}
}

func (w *statusWriter) stop() {
	w.end()
	<-w.done
}

// writeTime bounds one write.
const writeTime = 30 * time.Second

func (w *statusWriter) run(ctx context.Context) {
	defer close(w.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		if !w.settleDown(ctx) {
			return
		}
		for failures := 0; ; {
			err := w.write(ctx)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return
			}
			failures++
			w.actor.log.Warn("the pod's status can't be written yet", zap.Error(err))
			timer := time.NewTimer(retryDelay(failures))
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
		}
	}
}

// calm is how long the small steps of a pod that is being started may wait to be written together: most pods run by
// then, and one write tells it all.
const calm = 250 * time.Millisecond

// settleDown waits while all there is to tell is that the pod is on its way. It returns false when ctx ends.
func (w *statusWriter) settleDown(ctx context.Context) bool {
	timer := time.NewTimer(calm)
	defer timer.Stop()
	for w.onItsWay() {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-w.wake:
		}
	}
	return true
}

// onItsWay tells whether the wanted status is that of a pod that simply hasn't started yet.
func (w *statusWriter) onItsWay() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wanted == nil || len(w.waiters) > 0 || w.wanted.Phase != pending || w.base.Metadata.DeletionTimestamp != nil {
		return false
	}
	for _, list := range [][]*corev1.ContainerStatus{w.wanted.InitContainerStatuses, w.wanted.ContainerStatuses} {
		for _, c := range list {
			waiting := c.State.GetWaiting()
			if waiting == nil || waiting.Reason != containerCreating && waiting.Reason != podInitializing {
				return false
			}
		}
	}
	return true
}

// write writes the newest status until it is what the server has.
func (w *statusWriter) write(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	for {
		w.mu.Lock()
		base, wanted, offer := w.base, w.wanted, w.offered
		w.mu.Unlock()
		pod := merged(base, wanted)
		if proto.Equal(pod.Status, base.Status) {
			if w.settle(offer, nil) {
				return nil
			}
			continue
		}
		updated, err := w.actor.API.UpdateStatus(ctx, pod)
		switch {
		case err == nil:
			if w.settle(offer, updated) {
				return nil
			}
		case w.actor.API.IsNotFound(err):
			w.lose()
			return nil
		case w.actor.API.IsConflict(err):
			fresh, err := w.actor.API.Get(ctx, base.Metadata.Namespace, base.Metadata.Name)
			if w.actor.API.IsNotFound(err) || err == nil && fresh.Metadata.Uid != base.Metadata.Uid {
				w.lose()
				return nil
			}
			if err != nil {
				return err
			}
			w.observe(fresh)
		default:
			return err
		}
	}
}

// merged is the pod with the wanted status, and what others have written into it.
func merged(base *corev1.Pod, wanted *corev1.PodStatus) *corev1.Pod {
	status := proto.Clone(wanted).(*corev1.PodStatus)
	old := base.Status
	status.Conditions = mergeConditions(old.GetConditions(), status.Conditions, time.Now())
	status.NominatedNodeName = old.GetNominatedNodeName()
	status.ResourceClaimStatuses = old.GetResourceClaimStatuses()
	if status.Reason == "" && status.Message == "" && status.Phase == old.GetPhase() && (status.Phase == failed || status.Phase == succeeded) {
		status.Reason, status.Message = old.GetReason(), old.GetMessage()
	}
	return &corev1.Pod{Metadata: base.Metadata, Spec: base.Spec, Status: status}
}

// settle notes that an offer is written; false where there is a newer one.
func (w *statusWriter) settle(offer int64, updated *corev1.Pod) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if updated != nil && client.Revision(updated) > client.Revision(w.base) {
		w.base = updated
	}
	w.written = offer
	if offer != w.offered {
		return false
	}
	w.release()
	return true
}

// lose notes that there is no such pod any more.
func (w *statusWriter) lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = true
	w.release()
}

func (w *statusWriter) release() {
	for _, r := range w.waiters {
		close(r)
	}
	w.waiters = nil
}
