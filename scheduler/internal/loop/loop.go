// Package loop is the scheduler's shell: it watches pods and nodes, asks for decisions and sends bindings. It is the only
// package of the scheduler that does input and output.
//
// A decision takes effect in the state at once (the pod is assumed) and its binding leaves on a pipelined stream; a
// binding that is refused gives the room back.
package loop

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/events"
	"github.com/keelson/keelson/proto/sdk/informer"
	"github.com/keelson/keelson/scheduler/internal/decide"
	"github.com/keelson/keelson/scheduler/internal/framework"
	"github.com/keelson/keelson/scheduler/internal/queue"
	"github.com/keelson/keelson/scheduler/internal/state"
)

// Config of a loop.
type Config struct {
	Conn *client.Conn
	// SchedulerName selects the pods: those whose spec.schedulerName it is.
	SchedulerName string
	Recorder      *events.Recorder
	Logger        *zap.Logger
	Metrics       *Metrics
}

// Loop schedules until its context ends.
type Loop struct {
	Config
	pods       *informer.Informer[*corev1.Pod]
	nodes      *informer.Informer[*corev1.Node]
	namespaces *informer.Informer[*corev1.Namespace]
	queue      *queue.Queue
	podClient  *client.Client[*corev1.Pod]

	mu      sync.Mutex // guards what follows
	state   *state.State
	classes state.Classes
	decider *decide.Decider
}

// New returns a loop.
func New(c Config) *Loop {
	s := state.New()
	l := &Loop{
		Config:     c,
		pods:       informer.New(c.Conn, informer.Options[*corev1.Pod]{Trim: true, FieldSelector: "status.phase!=Succeeded,status.phase!=Failed"}),
		nodes:      informer.New(c.Conn, informer.Options[*corev1.Node]{Trim: true}),
		namespaces: informer.New(c.Conn, informer.Options[*corev1.Namespace]{Trim: true}),
		queue:      queue.New(),
		podClient:  client.For[*corev1.Pod](c.Conn),
		state:      s,
		decider:    decide.New(s),
	}
	l.pods.OnEvent(l.onPod)
	l.nodes.OnEvent(l.onNode)
	l.namespaces.OnEvent(l.onNamespace)
	c.Metrics.observe(l.queue)
	return l
}

// Run schedules until the context ends.
func (l *Loop) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.nodes.Run(ctx) })
	group.Go(func() error { return l.namespaces.Run(ctx) })
	group.Go(func() error {
		// Pods after nodes: a bound pod finds its node.
		if err := l.nodes.WaitForSync(ctx); err != nil {
			return err
		}
		return l.pods.Run(ctx)
	})
	group.Go(func() error {
		for _, wait := range []func(context.Context) error{l.nodes.WaitForSync, l.namespaces.WaitForSync, l.pods.WaitForSync} {
			if err := wait(ctx); err != nil {
				return err
			}
		}
		l.Logger.Info("scheduling", zap.Int("nodes", l.nodes.Len()), zap.Int("pods", l.pods.Len()))
		return l.schedule(ctx)
	})
	err := group.Wait()
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, informer.ErrStopped)) {
		return nil
	}
	return err
}

// schedule decides about one pod after the other.
func (l *Loop) schedule(ctx context.Context) error {
	batch := l.podClient.Batch(ctx)
	defer batch.Close()
	for {
		it, err := l.queue.Pop(ctx)
		if err != nil {
			return err
		}
		begin := time.Now()
		node, refusal := l.decide(it.Pod)
		l.Metrics.decision(begin, refusal == nil)
		if refusal != nil {
			l.refuse(ctx, it, refusal)
			continue
		}
		pod := it.Pod
		binding := &corev1.Binding{
			Metadata: &metav1.ObjectMeta{Name: pod.GetMetadata().GetName(), Namespace: pod.GetMetadata().GetNamespace(), Uid: pod.GetMetadata().GetUid()},
			Target:   &corev1.ObjectReference{Kind: "Node", Name: node},
		}
		err = batch.Sub(pod.GetMetadata().GetNamespace(), pod.GetMetadata().GetName(), "binding", binding, func(err error) { l.bound(ctx, it, node, err) })
		if err != nil {
			l.bound(ctx, it, node, err)
		}
	}
}

// decide chooses a node and assumes the pod there.
func (l *Loop) decide(pod *corev1.Pod) (string, *decide.Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	class := l.classes.Of(pod)
	slot, refusal := l.decider.Place(class)
	if refusal != nil {
		return "", refusal
	}
	l.state.Assume(l.entry(pod, class), slot)
	l.queue.Happened(framework.PodPlaced)
	return l.state.Node(slot).Name, nil
}

func (l *Loop) entry(pod *corev1.Pod, class *state.Class) *state.Pod {
	m := pod.GetMetadata()
	return &state.Pod{
		UID: m.GetUid(), Namespace: m.GetNamespace(), Name: m.GetName(), Labels: m.GetLabels(),
		Class: class, Terminating: m.GetDeletionTimestamp() != nil,
	}
}

// bound takes the result of a binding.
func (l *Loop) bound(ctx context.Context, it *queue.Item, node string, err error) {
	pod := it.Pod
	uid := pod.GetMetadata().GetUid()
	log := l.Logger.With(zap.String("pod", client.KeyOf(pod).String()), zap.String("node", node))
	if err == nil {
		l.queue.Remove(uid)
		l.Metrics.bound(pod)
		log.Debug("bound")
		l.Recorder.Event(pod, "Normal", "Scheduled", "Successfully assigned %s/%s to %s",
			pod.GetMetadata().GetNamespace(), pod.GetMetadata().GetName(), node)
		return
	}
	l.mu.Lock()
	l.state.Forget(uid)
	l.mu.Unlock()
	l.queue.Happened(framework.PodGone)
	switch {
	case ctx.Err() != nil:
	case apierrors.IsNotFound(err):
		l.queue.Remove(uid) // Deleted in the meantime.
	case apierrors.IsConflict(err):
		// Bound by someone else, or another pod of the same name: the watch tells. Until then it is tried again.
		log.Info("binding refused", zap.Error(err))
		l.queue.Requeue(it)
	default:
		log.Warn("binding failed", zap.Error(err))
		l.queue.Requeue(it)
	}
}

// refuse parks a pod and says why where users look: in its PodScheduled condition and in an event.
func (l *Loop) refuse(ctx context.Context, it *queue.Item, r *decide.Refusal) {
	pod := it.Pod
	l.queue.Park(it, r.Helps)
	if !l.sayWhy(ctx, pod, r.Message) {
		return
	}
	l.Logger.Info("no node fits", zap.String("pod", client.KeyOf(pod).String()), zap.String("reason", r.Message))
	l.Recorder.Event(pod, "Warning", "FailedScheduling", "%s", r.Message)
}

// sayWhy writes the PodScheduled condition unless it says so already.
func (l *Loop) sayWhy(ctx context.Context, pod *corev1.Pod, message string) bool {
	// The newest state that is known here: another try may have written the condition since the pod was queued.
	if current, ok := l.pods.Get(pod.GetMetadata().GetNamespace(), pod.GetMetadata().GetName()); ok {
		pod = current
	}
	for _, c := range pod.GetStatus().GetConditions() {
		if c.GetType() == "PodScheduled" && c.GetStatus() == "False" && c.GetMessage() == message {
			return false
		}
	}
	patch, err := conditionPatch(pod, message, time.Now())
	if err == nil {
		_, err = l.podClient.Patch(ctx, pod.GetMetadata().GetNamespace(), pod.GetMetadata().GetName(), client.StrategicMergePatch, patch,
			client.PatchOptions{Subresource: "status"})
	}
	if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
		l.Logger.Warn("cannot write the PodScheduled condition", zap.String("pod", client.KeyOf(pod).String()), zap.Error(err))
	}
	return true
}

func (l *Loop) onNamespace(e informer.Event[*corev1.Namespace]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	labels := e.Object().GetMetadata().GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	if e.Type == informer.Deleted {
		labels = nil
	}
	l.state.SetNamespace(e.Object().GetMetadata().GetName(), labels)
}

func (l *Loop) onNode(e informer.Event[*corev1.Node]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Type == informer.Deleted {
		l.state.RemoveNode(e.Old.GetMetadata().GetName())
		return
	}
	if !l.state.SetNode(e.New) {
		return
	}
	if e.Type == informer.Added {
		// Pods that were bound to it before it was known.
		for _, p := range l.pods.List() {
			if p.GetSpec().GetNodeName() == e.New.GetMetadata().GetName() {
				l.confirm(p)
			}
		}
	}
	l.queue.Happened(framework.NodeChanged)
}

func (l *Loop) onPod(e informer.Event[*corev1.Pod]) {
	pod := e.Object()
	uid := pod.GetMetadata().GetUid()
	if e.Type == informer.Updated && e.Old.GetMetadata().GetUid() != uid {
		l.release(e.Old.GetMetadata().GetUid())
	}
	switch {
	case e.Type == informer.Deleted:
		l.release(uid)
	case pod.GetSpec().GetNodeName() != "":
		l.queue.Remove(uid)
		l.mu.Lock()
		l.confirm(pod)
		l.mu.Unlock()
	case l.wanted(pod):
		// A status write of our own is no news for the decision.
		if e.Type == informer.Updated && proto.Equal(e.Old.GetSpec(), pod.GetSpec()) && equalLabels(e.Old, pod) {
			return
		}
		l.queue.Add(pod)
	default:
		l.release(uid)
	}
}

// wanted tells whether an unbound pod is for this scheduler, now.
func (l *Loop) wanted(pod *corev1.Pod) bool {
	return pod.GetSpec().GetSchedulerName() == l.SchedulerName && pod.GetMetadata().GetDeletionTimestamp() == nil &&
		len(pod.GetSpec().GetSchedulingGates()) == 0
}

func (l *Loop) confirm(pod *corev1.Pod) {
	l.state.Confirm(l.entry(pod, l.classes.Of(pod)), pod.GetSpec().GetNodeName())
}

func (l *Loop) release(uid string) {
	l.queue.Remove(uid)
	l.mu.Lock()
	freed := l.state.Remove(uid)
	l.mu.Unlock()
	if freed {
		l.queue.Happened(framework.PodGone)
	}
}
