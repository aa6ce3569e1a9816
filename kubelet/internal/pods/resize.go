package pods

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/kubelet/internal/podspec"
	"github.com/keelson/keelson/kubelet/internal/quantity"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// A pod's resources exist three times: what the API wants (latest), what the node has given (a.allocated, which a.pod
// shows), and what the containers run with (container.applied). A resize goes from the first to the last.

// Conditions of a resize, and reasons of a pending one.
const (
	resizePending    = "PodResizePending"
	resizeInProgress = "PodResizeInProgress"
	resizeDeferred   = "Deferred"
	resizeInfeasible = "Infeasible"
	resizeError      = "Error"
)

// resizing is the state of a resize.
type resizing struct {
	// pending is why the node has not given what is wanted: "", Deferred or Infeasible.
	pending, message string
	// wanted is the generation that pending is about.
	wanted int64
	apply  operation
}

// allocate finds out what the node gave a pod in an earlier life of the kubelet; else the pod gets what it wants.
func (a *actor) allocate(pod *corev1.Pod) {
	a.allocated = map[string]*corev1.ResourceRequirements{}
	statuses := statusesOf(pod.Status)
	for _, c := range podspec.AllContainers(pod) {
		given := c.Resources
		if s := statuses[c.Name]; s.GetState().GetRunning() != nil && s.AllocatedResources != nil {
			given = &corev1.ResourceRequirements{Requests: s.AllocatedResources, Limits: s.Resources.GetLimits(), Claims: c.Resources.GetClaims()}
		}
		a.allocated[c.Name] = given
	}
}

// asGiven is a pod with the resources that the node has given it.
func (a *actor) asGiven(pod *corev1.Pod) *corev1.Pod {
	same := true
	for _, c := range podspec.AllContainers(pod) {
		if given, ok := a.allocated[c.Name]; ok && !sameResources(given, c.Resources) {
			same = false
		}
	}
	if same {
		return pod
	}
	spec := proto.CloneOf(pod.Spec)
	out := &corev1.Pod{Metadata: pod.Metadata, Spec: spec, Status: pod.Status}
	for _, c := range podspec.AllContainers(out) {
		if given, ok := a.allocated[c.Name]; ok {
			c.Resources = given
		}
	}
	return out
}

// sameResources compares CPU and memory by value.
func sameResources(a, b *corev1.ResourceRequirements) bool {
	same := func(x, y map[string]*metav1.Quantity) bool {
		for _, name := range []string{"cpu", "memory"} {
			if (x[name] == nil) != (y[name] == nil) || quantity.Rat(x[name]).Cmp(quantity.Rat(y[name])) != 0 {
				return false
			}
		}
		return true
	}
	return same(a.GetRequests(), b.GetRequests()) && same(a.GetLimits(), b.GetLimits())
}

// admitResize gives the pod what the API wants, where the node has it.
func (a *actor) admitResize() {
	pod := a.wanted
	changed := false
	for _, c := range podspec.AllContainers(pod) {
		if given, ok := a.allocated[c.Name]; ok && !sameResources(given, c.Resources) {
			changed = true
		}
	}
	if !changed {
		a.resize.pending, a.resize.message = "", ""
		return
	}
	outcome, short, asked, has := a.room.try(a.uid, podspec.Requests(pod), a.poke)
	was := a.resize.pending
	switch outcome {
	case never:
		a.resize.pending = resizeInfeasible
		a.resize.message = fmt.Sprintf("Node didn't have enough capacity: %s, requested: %d, capacity: %d", short, asked, has)
	case later:
		a.resize.pending = resizeDeferred
		a.resize.message = fmt.Sprintf("Node didn't have enough resource: %s, requested: %d, available: %d", short, asked, has)
	default:
		a.resize.pending, a.resize.message = "", ""
		for _, c := range podspec.AllContainers(pod) {
			a.allocated[c.Name] = c.Resources
		}
		a.pod = pod
		a.takeSpecs()
		a.resize.apply.done, a.resize.apply.notUntil = false, time.Time{}
		a.Events.Record(pod, nil, "Normal", "ResizeStarted", "Pod resize started")
		return
	}
	if was != a.resize.pending || a.resize.wanted != pod.GetMetadata().GetGeneration() {
		a.resize.wanted = pod.GetMetadata().GetGeneration()
		a.Events.Record(pod, nil, "Warning", "Resize"+a.resize.pending, "Pod resize %s: %s", a.resize.pending, a.resize.message)
	}
}

// resizeNeeded tells whether a container runs with other resources than it was given.
func (a *actor) resizeNeeded() bool {
	for _, c := range a.containers {
		if c.kind != ephemeralContainer && c.running() && !sameResources(c.applied, a.allocated[c.spec.Name]) {
			return true
		}
	}
	return false
}

// stepResize brings running containers to the resources that they were given.
func (a *actor) stepResize(now time.Time, next *time.Time) {
	if !a.resizeNeeded() {
		return
	}
	a.resize.apply.done = false
	if !a.resize.apply.due(now, next) {
		return
	}
	type change struct {
		c      *container
		id     string
		to     *corev1.ResourceRequirements
		before int64 // memory limit
	}
	var changes []change
	pod := a.pod
	for _, c := range a.containers {
		to := a.allocated[c.spec.Name]
		if c.kind == ephemeralContainer || !c.running() || c.busy || c.stop != nil || sameResources(c.applied, to) {
			continue
		}
		if restarts(c, to) {
			c.resized = true
			a.stopContainer(c, a.graceOf(c), nil, fmt.Sprintf("Container %s resize requires restart", c.spec.Name))
			continue
		}
		changes = append(changes, change{c, c.current.ID, to, quantity.Value(c.applied.GetLimits()["memory"])})
	}
	before := a.podLimits
	if len(changes) == 0 && before == podspec.PodLimits(pod) {
		return // what stops or is busy tells when it is done
	}
	a.start(&a.resize.apply, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, prepareTime)
		defer cancel()
		uid, qos, after := pod.Metadata.Uid, podspec.QOSClass(pod), podspec.PodLimits(pod)
		// The pod's own limits must not be below those of its containers at any time.
		if err := a.Cgroups.EnsurePod(uid, qos, widest(before, after)); err != nil {
			return err
		}
		for _, ch := range changes {
			limit := quantity.Value(ch.to.GetLimits()["memory"])
			if limit > 0 && (ch.before == 0 || limit < ch.before) {
				u, err := a.Cgroups.Usage(path.Join(a.Cgroups.PodPath(uid, qos), ch.id))
				if err == nil && u.Memory > uint64(limit) {
					return fmt.Errorf("cannot decrease memory limits of container %s: attempting to set memory limit (%d) below current usage (%d)",
						ch.c.spec.Name, limit, u.Memory)
				}
			}
			like := &corev1.Container{Resources: ch.to}
			if err := a.Runtime.Update(ctx, ch.id, podspec.Limits(pod, like, a.Node.Memory)); err != nil {
				return fmt.Errorf("updating container %s: %w", ch.c.spec.Name, err)
			}
			a.post(func() {
				if ch.c.current != nil && ch.c.current.ID == ch.id {
					ch.c.applied = ch.to
				}
			})
		}
		return a.Cgroups.EnsurePod(uid, qos, after)
	}, func(err error) {
		if err != nil {
			a.Events.Record(pod, nil, "Warning", "ResizeError", "Pod resize error: %v", err)
			return
		}
		a.podLimits = podspec.PodLimits(pod)
		if !a.resizeNeeded() {
			a.Events.Record(pod, nil, "Normal", "ResizeCompleted", "Pod resize completed")
		}
	})
}

// restarts tells whether a container must be restarted for a change of its resources to take effect.
func restarts(c *container, to *corev1.ResourceRequirements) bool {
	for _, p := range c.spec.ResizePolicy {
		if p.RestartPolicy != "RestartContainer" {
			continue
		}
		for _, list := range [][2]map[string]*metav1.Quantity{{c.applied.GetRequests(), to.GetRequests()}, {c.applied.GetLimits(), to.GetLimits()}} {
			if quantity.Rat(list[0][p.ResourceName]).Cmp(quantity.Rat(list[1][p.ResourceName])) != 0 {
				return true
			}
		}
	}
	return false
}

// widest is the higher of two limits each; 0 limits nothing.
func widest(a, b runtime.Resources) runtime.Resources {
	most := func(x, y int64) int64 {
		if x == 0 || y == 0 {
			return 0
		}
		return max(x, y)
	}
	out := b
	out.CPUShares = max(a.CPUShares, b.CPUShares)
	out.CPUQuota, out.MemoryLimit = most(a.CPUQuota, b.CPUQuota), most(a.MemoryLimit, b.MemoryLimit)
	return out
}

// resizeConditions tell of a resize that is not done.
func (a *actor) resizeConditions(generation int64) []*corev1.PodCondition {
	var out []*corev1.PodCondition
	if a.resize.pending != "" {
		out = append(out, &corev1.PodCondition{Type: resizePending, Status: statusTrue, Reason: a.resize.pending, Message: a.resize.message,
			ObservedGeneration: generation})
	}
	if !a.terminal() && a.stopping == nil && a.resizeNeeded() {
		c := &corev1.PodCondition{Type: resizeInProgress, Status: statusTrue, ObservedGeneration: generation}
		if a.resize.apply.failures > 0 {
			c.Reason, c.Message = resizeError, a.resize.apply.message
		}
		out = append(out, c)
	}
	return out
}

// errTarget tells that the container whose processes an ephemeral container is to see does not run.
var errTarget = errors.New("unable to find target container")
