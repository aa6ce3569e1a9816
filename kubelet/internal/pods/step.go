package pods

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"go.uber.org/zap"

	"github.com/keelson/keelson/kubelet/internal/podspec"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// Phases of a pod.
const (
	pending   = "Pending"
	running   = "Running"
	succeeded = "Succeeded"
	failed    = "Failed"
)

// step decides what to do next and begins it. It returns when it wants to be called again at the latest; the zero time
// is when something happens.
func (a *actor) step(now time.Time) time.Time {
	var next time.Time
	if a.startTime.IsZero() {
		a.startTime = now
	}
	a.end(now, &next)
	if a.stopping != nil || a.terminal() {
		a.stepStop(now, &next)
		return next
	}
	if err := podspec.Unsupported(a.pod); err != nil {
		a.fail("UnexpectedAdmissionError", "Pod was rejected: "+err.Error())
		return next
	}
	if a.stepPrepare(now, &next); a.sandbox {
		a.stepRefresh(now, &next)
		a.stepResize(now, &next)
		a.stepContainers(now, &next)
	}
	return next
}

// terminal tells whether the pod has come to its phase's end.
func (a *actor) terminal() bool { return a.phase == succeeded || a.phase == failed }

// fail ends the pod before its time.
func (a *actor) fail(reason, message string) {
	if a.terminal() {
		return
	}
	a.phase, a.reason, a.message = failed, reason, message
	a.Events.Record(a.pod, nil, "Warning", reason, "%s", message)
	a.poke()
}

// end finds out whether the pod must stop, and by when.
func (a *actor) end(now time.Time, next *time.Time) {
	m := a.pod.Metadata
	deleted := a.gone.Load() || !apitime.IsZero(m.DeletionTimestamp)
	if !deleted {
		if a.terminal() {
			return
		}
		if p := a.pod.Status.GetPhase(); p == failed || p == succeeded {
			// Ended by somebody else: a preemption, an eviction by taint.
			a.phase, a.reason, a.message = p, a.pod.Status.Reason, a.pod.Status.Message
			return
		}
		if s := a.pod.Spec.ActiveDeadlineSeconds; s != nil {
			deadline := a.startTime.Add(time.Duration(*s) * time.Second)
			if now.Before(deadline) {
				earliest(next, deadline)
				return
			}
			a.fail("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
		}
		return
	}
	grace := time.Duration(a.pod.Spec.GetTerminationGracePeriodSeconds()) * time.Second
	if m.DeletionGracePeriodSeconds != nil {
		grace = time.Duration(*m.DeletionGracePeriodSeconds) * time.Second
	}
	if a.stopping == nil {
		a.stopping = &stopping{since: now, grace: grace, deadline: now.Add(grace), deleted: true, drained: a.drain(grace)}
		return
	}
	a.stopping.deleted = true
	// A second, more urgent deletion shortens the first.
	if deadline := a.stopping.since.Add(grace); deadline.Before(a.stopping.deadline) {
		a.stopping.deadline, a.stopping.grace = deadline, grace
		for _, c := range a.containers {
			if c.stop != nil {
				c.stop.hurry(deadline)
			}
		}
	}
}

func matches(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

func (a *actor) podReady() bool {
	for _, c := range a.containers {
		if c.kind == regularContainer && !c.isReady() {
			return false
		}
	}
	return true
}

// stepPrepare makes what containers need: objects known, cgroup, volumes, namespaces and network.
func (a *actor) stepPrepare(now time.Time, next *time.Time) {
	if a.objects && !a.sandbox && a.prepare.failures > 0 {
		// What was missing may have come.
		a.objects, a.prepare.notUntil = false, time.Time{}
	}
	if a.sandbox || !a.prepare.due(now, next) {
		return
	}
	var (
		pod     = a.pod
		sandbox runtime.Pod
		renew   time.Time
	)
	a.start(&a.prepare, func(ctx context.Context) (err error) {
		sandbox, renew, err = a.doPrepare(ctx, pod)
		return err
	}, func(err error) {
		if err != nil {
			a.log.Debug("the pod can't be prepared yet", zap.Error(err))
			return
		}
		a.sandbox, a.renew = true, renew
		a.addresses = sandbox.Addresses
		if pod.Spec.HostNetwork {
			a.addresses = hostAddresses(a.Node.Addresses)
		}
	})
}

func hostAddresses(list []string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, a)
		}
	}
	return out
}

// prepareTime bounds one attempt to prepare a pod.
const prepareTime = 2 * time.Minute

func (a *actor) doPrepare(ctx context.Context, pod *corev1.Pod) (runtime.Pod, time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, prepareTime)
	defer cancel()
	qos := podspec.QOSClass(pod)
	if err := a.Cgroups.EnsurePod(pod.Metadata.Uid, qos, podspec.PodLimits(pod)); err != nil {
		a.Events.Record(pod, nil, "Warning", "FailedCreatePodContainer", "unable to ensure pod container exists: %v", err)
		return runtime.Pod{}, time.Time{}, err
	}
	// Network and volumes have nothing to do with each other.
	type network struct {
		pod runtime.Pod
		err error
	}
	ready := make(chan network, 1)
	go func() {
		p, err := a.Runtime.EnsurePod(ctx, a.podConfig(pod))
		ready <- network{p, err}
	}()
	renew, err := a.setupVolumes(ctx, pod)
	if err != nil {
		a.Events.Record(pod, nil, "Warning", "FailedMount", "%v", err)
	}
	n := <-ready
	if n.err != nil {
		a.Events.Record(pod, nil, "Warning", "FailedCreatePodSandBox", "Failed to create pod sandbox: %v", n.err)
	}
	return n.pod, renew, errors.Join(err, n.err)
}

func (a *actor) setupVolumes(ctx context.Context, pod *corev1.Pod) (time.Time, error) {
	if err := a.Objects.Wait(ctx, pod); err != nil {
		return time.Time{}, err
	}
	return a.Volumes.Setup(ctx, pod)
}

func (a *actor) podConfig(pod *corev1.Pod) *runtime.PodConfig {
	host, _ := a.DNS.Hostname(pod)
	c := &runtime.PodConfig{
		PodRef:   runtime.PodRef{UID: pod.Metadata.Uid, Namespace: pod.Metadata.Namespace, Name: pod.Metadata.Name},
		Hostname: host, HostNetwork: pod.Spec.HostNetwork, HostIPC: pod.Spec.HostIPC, HostPID: pod.Spec.HostPID,
		SharePID:     pod.Spec.GetShareProcessNamespace(),
		CgroupParent: a.Cgroups.PodPath(pod.Metadata.Uid, podspec.QOSClass(pod)),
	}
	if pod.Spec.HostNetwork {
		c.Hostname = a.Node.Name
		return c
	}
	for _, spec := range podspec.AllContainers(pod) {
		for _, p := range spec.Ports {
			if p.HostPort == 0 {
				continue
			}
			m := runtime.PortMapping{Protocol: p.Protocol, HostPort: int(p.HostPort), ContainerPort: int(p.ContainerPort)}
			if m.Protocol == "" {
				m.Protocol = "TCP"
			}
			if ip, err := netip.ParseAddr(p.HostIP); err == nil {
				m.HostIP = ip
			}
			c.Ports = append(c.Ports, m)
		}
	}
	return c
}

// stepRefresh renders volumes again when something that they show has changed, or a token ends.
func (a *actor) stepRefresh(now time.Time, next *time.Time) {
	earliest(next, a.renew)
	if !a.renew.IsZero() && !now.Before(a.renew) {
		a.objects = true
	}
	if !a.objects {
		return
	}
	a.refresh.done = false
	if !a.refresh.due(now, next) {
		return
	}
	for _, c := range a.containers {
		if c.needs {
			c.needs, c.notUntil = false, time.Time{}
		}
	}
	a.objects = false
	var renew time.Time
	pod := a.withStatus(a.pod)
	a.start(&a.refresh, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, prepareTime)
		defer cancel()
		renew, err = a.setupVolumes(ctx, pod)
		return err
	}, func(err error) {
		if err != nil {
			a.objects = true
			a.Events.Record(pod, nil, "Warning", "FailedMount", "%v", err)
			return
		}
		a.renew = renew
	})
}

// stepContainers starts what should run and isn't running.
func (a *actor) stepContainers(now time.Time, next *time.Time) {
	ready := true
	mains := a.mainsBegun()
	for _, c := range a.containers {
		// At any time: they may be what finds out why the pod does not start.
		if c.kind == ephemeralContainer && c.current == nil {
			a.keepRunning(c, now, next)
		}
	}
	for _, c := range a.containers {
		if c.kind != initContainer && c.kind != sidecarContainer {
			continue
		}
		if c.kind == sidecarContainer {
			if ready || mains {
				a.keepRunning(c, now, next)
			}
			ready = ready && c.started()
			continue
		}
		if !ready || mains {
			continue
		}
		if c.ended() && c.current.ExitCode == 0 {
			continue
		}
		ready = false
		if c.ended() && a.pod.Spec.RestartPolicy == "Never" {
			a.phase = failed
			a.poke()
			return
		}
		a.keepRunning(c, now, next)
	}
	if !ready && !mains {
		return
	}
	all, good := true, true
	for _, c := range a.containers {
		switch c.kind {
		case regularContainer:
			if !c.ended() || a.shouldRestart(c) {
				all = false
			} else if c.current.ExitCode != 0 {
				good = false
			}
			if !c.ended() || a.shouldRestart(c) {
				a.keepRunning(c, now, next)
			}
		}
	}
	if all {
		a.phase = succeeded
		if !good {
			a.phase = failed
		}
		a.poke()
	}
}

// mainsBegun tells whether a regular container was ever started: init containers don't run again then.
func (a *actor) mainsBegun() bool {
	for _, c := range a.containers {
		if c.kind == regularContainer && c.current != nil {
			return true
		}
	}
	return false
}

// shouldRestart applies the pod's restart policy to a container that has ended.
func (a *actor) shouldRestart(c *container) bool {
	if c.resized {
		return true
	}
	switch a.pod.Spec.RestartPolicy {
	case "Never":
		return false
	case "OnFailure":
		return c.current.ExitCode != 0
	}
	return true
}

// keepRunning starts a container that isn't running, when its back-off allows, and replaces one whose image changed.
func (a *actor) keepRunning(c *container, now time.Time, next *time.Time) {
	if c.busy || c.stop != nil {
		return
	}
	if c.running() {
		if c.current.SpecHash != "" && c.current.SpecHash != hash(c.spec) {
			a.stopContainer(c, a.graceOf(c), nil, fmt.Sprintf("Container %s definition changed, will be restarted", c.spec.Name))
		}
		return
	}
	if now.Before(c.notUntil) {
		earliest(next, c.notUntil)
		return
	}
	a.startContainer(c)
}

func (a *actor) graceOf(*container) time.Duration {
	return time.Duration(a.pod.Spec.GetTerminationGracePeriodSeconds()) * time.Second
}

// withStatus is the pod with the addresses that its files and variables show.
func (a *actor) withStatus(pod *corev1.Pod) *corev1.Pod {
	status := &corev1.PodStatus{}
	for i, ip := range a.Node.Addresses {
		if i == 0 {
			status.HostIP = ip
		}
		status.HostIPs = append(status.HostIPs, &corev1.HostIP{Ip: ip})
	}
	for i, ip := range a.addresses {
		if i == 0 {
			status.PodIP = ip.String()
		}
		status.PodIPs = append(status.PodIPs, &corev1.PodIP{Ip: ip.String()})
	}
	return &corev1.Pod{Metadata: pod.Metadata, Spec: pod.Spec, Status: status}
}
