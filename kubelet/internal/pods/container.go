package pods

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"

	"github.com/keelson/keelson/kubelet/internal/podspec"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// kind of a container within its pod.
type kind int

const (
	initContainer kind = iota
	sidecarContainer
	regularContainer
	ephemeralContainer
)

// container is what an actor knows of one container of its pod.
type container struct {
	spec *corev1.Container
	kind kind
	// target is the container whose processes an ephemeral one sees; "" is none.
	target string
	// applied are the resources that the current attempt runs with.
	applied *corev1.ResourceRequirements
	// resized tells that it is stopped for a change of its resources, and runs again whatever the restart policy says.
	resized bool

	// current is the newest attempt, last the one before; nil where there was none.
	current, last *runtime.Container
	// attempts is how many there were; restarts what status shows.
	attempts int32
	restarts int32
	// busy tells that an operation on the container runs.
	busy        bool
	cancelStart context.CancelFunc
	// waiting says why it isn't running.
	waiting, waitingMessage string
	// delay is the present back-off of restarts; notUntil when the next attempt may begin.
	delay    time.Duration
	notUntil time.Time
	// failures counts failed starts in a row (images that can't be pulled, configuration that is missing).
	failures int
	// needs tells that what the last attempt lacked may exist now when objects change.
	needs bool

	// exited is closed when the current attempt has ended.
	exited chan struct{}
	stop   *stopOperation
	probes context.CancelFunc
	// hooked is set when the postStart hook is done, startup when the startup probe succeeded, ready is the readiness
	// probe's verdict.
	hooked, startup, ready bool
}

func newContainer(spec *corev1.Container, k kind) *container {
	return &container{spec: spec, kind: k}
}

func newEphemeral(e *corev1.EphemeralContainer) *container {
	c := newContainer(podspec.Ephemeral(e), ephemeralContainer)
	c.target = e.TargetContainerName
	return c
}

func (c *container) running() bool { return c.current != nil && c.current.State == runtime.Running }

func (c *container) ended() bool { return c.current != nil && c.current.State == runtime.Exited }

// started tells whether it is past its startup.
func (c *container) started() bool { return c.running() && c.hooked && c.startup }

func (c *container) isReady() bool { return c.started() && c.ready }

// hash changes when the container must be replaced.
func hash(spec *corev1.Container) string {
	sum := sha256.Sum256([]byte(spec.Name + "\x00" + spec.Image))
	return hex.EncodeToString(sum[:8])
}

// container finds a container by name.
func (a *actor) container(name string) *container {
	for _, c := range a.containers {
		if c.spec.Name == name {
			return c
		}
	}
	return nil
}

// adopt takes up what an earlier life of the kubelet left: the runtime's containers, and what only the status knows.
func (a *actor) adopt(list []runtime.Container) {
	for _, c := range a.pod.Spec.InitContainers {
		k := initContainer
		if podspec.Restartable(c) {
			k = sidecarContainer
		}
		a.containers = append(a.containers, newContainer(c, k))
	}
	for _, c := range a.pod.Spec.Containers {
		a.containers = append(a.containers, newContainer(c, regularContainer))
	}
	for _, c := range a.pod.Spec.EphemeralContainers {
		a.containers = append(a.containers, newEphemeral(c))
	}
	statuses := statusesOf(a.pod.Status)
	for _, c := range a.containers {
		for i := range list {
			if rc := &list[i]; rc.Name == c.spec.Name && rc.State != runtime.Created {
				switch {
				case c.current == nil || rc.Attempt > c.current.Attempt:
					c.last, c.current = c.current, rc
				case c.last == nil || rc.Attempt > c.last.Attempt:
					c.last = rc
				}
			}
		}
		status := statuses[c.spec.Name]
		if c.applied = status.GetResources(); c.applied == nil {
			c.applied = a.allocated[c.spec.Name]
		}
		c.restore(status)
		a.resumeBackOff(c)
	}
	for _, c := range a.containers {
		if c.running() && !a.assumed {
			// A pod that runs must not lose its address from its status while it is taken up.
			a.assumed = true
			for _, ip := range a.pod.Status.GetPodIPs() {
				if addr, err := netip.ParseAddr(ip.Ip); err == nil {
					a.addresses = append(a.addresses, addr)
				}
			}
		}
	}
	if a.pod.Status != nil {
		a.startTime = apitime.Go(a.pod.Status.StartTime)
		if p := a.pod.Status.Phase; p == succeeded || p == failed {
			a.phase, a.reason, a.message = p, a.pod.Status.Reason, a.pod.Status.Message
		}
	}
}

// restore takes from the status what the runtime doesn't know any more.
func (c *container) restore(status *corev1.ContainerStatus) {
	if status != nil {
		c.restarts = status.RestartCount
		c.attempts = status.RestartCount
		if status.ContainerID != "" {
			c.attempts++
		}
	}
	if c.current == nil {
		if t := status.GetState().GetTerminated(); t != nil {
			c.current = fromTerminated(c.spec.Name, status, t)
		} else if r := status.GetState().GetRunning(); r != nil {
			c.current = fromTerminated(c.spec.Name, status, &corev1.ContainerStateTerminated{
				ExitCode: 137, Reason: runtime.ReasonUnknown, StartedAt: r.StartedAt, FinishedAt: apitime.Now(),
				Message: "The container could not be located when the pod was terminated", ContainerID: status.ContainerID,
			})
		}
		return
	}
	c.attempts = max(c.attempts, c.current.Attempt+1)
	c.restarts = max(c.restarts, c.current.Attempt)
	c.exited = make(chan struct{})
	if !c.running() {
		close(c.exited)
		return
	}
	c.hooked = true
	c.startup = c.spec.StartupProbe == nil
	c.ready = c.spec.ReadinessProbe == nil
	if status != nil && trimID(status.ContainerID) == c.current.ID {
		if r := status.State.GetRunning(); r != nil && !apitime.IsZero(r.StartedAt) {
			c.current.StartedAt = apitime.Go(r.StartedAt)
		}
		c.startup = c.startup || status.GetStarted()
		c.ready = c.ready || status.Ready
	}
	if c.last == nil {
		if t := status.GetLastState().GetTerminated(); t != nil {
			c.last = fromTerminated(c.spec.Name, status, t)
		}
	}
}

// resumeBackOff goes on with the back-off that an earlier life of the kubelet had begun.
func (a *actor) resumeBackOff(c *container) {
	if !c.ended() || c.restarts == 0 || c.current.FinishedAt.Sub(c.current.StartedAt) >= a.RestartReset {
		return
	}
	c.delay = min(a.RestartDelay<<min(c.restarts-1, 10), a.RestartDelayMax)
	c.notUntil = c.current.FinishedAt.Add(c.delay)
}

func fromTerminated(name string, s *corev1.ContainerStatus, t *corev1.ContainerStateTerminated) *runtime.Container {
	return &runtime.Container{
		ID: trimID(t.ContainerID), Name: name, State: runtime.Exited, ExitCode: t.ExitCode, Reason: t.Reason,
		Message: t.Message, StartedAt: apitime.Go(t.StartedAt), FinishedAt: apitime.Go(t.FinishedAt),
		ImageName: s.Image, ImageID: s.ImageID, Attempt: s.RestartCount,
	}
}

func statusesOf(s *corev1.PodStatus) map[string]*corev1.ContainerStatus {
	out := map[string]*corev1.ContainerStatus{}
	for _, list := range [][]*corev1.ContainerStatus{s.GetInitContainerStatuses(), s.GetContainerStatuses(), s.GetEphemeralContainerStatuses()} {
		for _, c := range list {
			out[c.Name] = c
		}
	}
	return out
}

// resume goes on with what runs already: it begins to probe, and knows the sandbox.
func (a *actor) resume() {
	for _, c := range a.containers {
		if c.running() {
			a.startProbes(c)
		}
	}
}
