package pods

import (
	"fmt"
	"strings"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"

	"github.com/keelson/keelson/kubelet/internal/podspec"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// Conditions that the kubelet writes. All others belong to somebody else and are left alone.
const (
	podScheduled     = "PodScheduled"
	readyToStart     = "PodReadyToStartContainers"
	podInitialized   = "Initialized"
	containersReady  = "ContainersReady"
	podReady         = "Ready"
	statusTrue       = "True"
	statusFalse      = "False"
	notReadyReason   = "ContainersNotReady"
	notInitReason    = "ContainersNotInitialized"
	completedReason  = "PodCompleted"
	podFailedReason  = "PodFailed"
	gatesReason      = "ReadinessGatesNotReady"
	containerdPrefix = "containerd://"
)

// buildStatus renders what the actor knows. Conditions have no times yet: they depend on what was written before.
func (a *actor) buildStatus() *corev1.PodStatus {
	s := a.withStatus(a.pod).Status
	s.ObservedGeneration = a.pod.Metadata.Generation
	s.StartTime = apitime.Of(a.startTime)
	s.QosClass = podspec.QOSClass(a.pod)
	s.Reason, s.Message = a.reason, a.message
	initialized := a.initialized()
	for _, c := range a.containers {
		status := a.containerStatus(c, initialized)
		switch c.kind {
		case regularContainer:
			s.ContainerStatuses = append(s.ContainerStatuses, status)
		case ephemeralContainer:
			s.EphemeralContainerStatuses = append(s.EphemeralContainerStatuses, status)
		default:
			s.InitContainerStatuses = append(s.InitContainerStatuses, status)
		}
	}
	s.Phase = a.phaseNow(initialized)
	s.Conditions = a.conditions(s, initialized)
	return s
}

// initialized tells whether all init containers are done, and the sidecars among them started.
func (a *actor) initialized() bool {
	if a.mainsBegun() {
		return true
	}
	for _, c := range a.containers {
		switch {
		case c.kind == initContainer && !(c.ended() && c.current.ExitCode == 0),
			c.kind == sidecarContainer && !c.started():
			return false
		}
	}
	return true
}

func (a *actor) phaseNow(initialized bool) string {
	if a.phase == succeeded || a.phase == failed {
		for _, c := range a.containers {
			if c.running() {
				return running
			}
		}
		return a.phase
	}
	if !initialized {
		return pending
	}
	for _, c := range a.containers {
		if c.kind == regularContainer && c.current == nil {
			return pending
		}
	}
	return running
}

func (a *actor) containerStatus(c *container, initialized bool) *corev1.ContainerStatus {
	s := &corev1.ContainerStatus{Name: c.spec.Name, Image: c.spec.Image, RestartCount: c.restarts, State: &corev1.ContainerState{}}
	if c.current != nil {
		s.ContainerID = prefixed(c.current.ID)
		s.ImageID = c.current.ImageID
		if c.current.ImageName != "" {
			s.Image = c.current.ImageName
		}
	}
	last := c.last
	switch {
	case c.running():
		s.State.Running = &corev1.ContainerStateRunning{StartedAt: apitime.Of(c.current.StartedAt)}
	case c.ended() && (c.waiting == "" || a.stopping != nil || a.terminal()):
		s.State.Terminated = terminated(c.current)
	case c.ended():
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: c.waiting, Message: c.waitingMessage}
		last = c.current
	default:
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: a.waitingReason(c, initialized), Message: c.waitingMessage}
	}
	if last != nil {
		s.LastState = &corev1.ContainerState{Terminated: terminated(last)}
	} else {
		s.LastState = &corev1.ContainerState{}
	}
	started := c.started()
	if c.kind != ephemeralContainer {
		given := a.allocated[c.spec.Name]
		s.AllocatedResources = given.GetRequests()
		if s.Resources = c.applied; !c.running() {
			s.Resources = given
		}
		if s.Resources == nil {
			s.Resources = &corev1.ResourceRequirements{}
		}
	}
	switch c.kind {
	case initContainer:
		s.Ready = c.ended() && c.current.ExitCode == 0
		started = c.running()
	case ephemeralContainer:
		s.Started = &started
		return s
	default:
		s.Ready = c.isReady()
	}
	s.Started = &started
	return s
}

func (a *actor) hasInit() bool { return len(a.pod.Spec.InitContainers) > 0 }

func (a *actor) waitsForOthers(c *container) bool {
	return len(a.containers) > 0 && a.containers[0] != c
}

func prefixed(id string) string {
	if id == "" {
		return ""
	}
	return containerdPrefix + id
}

func terminated(r *runtime.Container) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{
		ExitCode: r.ExitCode, Reason: r.Reason, Message: r.Message, ContainerID: prefixed(r.ID),
		StartedAt: apitime.Of(r.StartedAt), FinishedAt: apitime.Of(r.FinishedAt),
	}
}

// waitingReason is why a container that has not been started is not.
func (a *actor) waitingReason(c *container, initialized bool) string {
	switch {
	case c.waiting != "":
		return c.waiting
	case !initialized && (c.kind == regularContainer || c.kind == initContainer && a.waitsForOthers(c)) || a.hasInit() && c.kind == regularContainer:
		return podInitializing
	}
	return containerCreating
}

// conditions of the pod in the order that Kubernetes' kubelet has.
func (a *actor) conditions(s *corev1.PodStatus, initialized bool) []*corev1.PodCondition {
	var out []*corev1.PodCondition
	add := func(kind string, ok bool, reason, message string) {
		c := &corev1.PodCondition{Type: kind, Status: statusTrue, ObservedGeneration: s.ObservedGeneration}
		if !ok {
			c.Status = statusFalse
		}
		if !ok || reason == completedReason {
			c.Reason, c.Message = reason, message
		}
		out = append(out, c)
	}
	add(readyToStart, a.sandbox || a.assumed, "", "")
	unready, incomplete := a.unready()
	switch {
	case s.Phase == succeeded:
		add(podInitialized, true, completedReason, "")
		add(podReady, false, completedReason, "")
		add(containersReady, false, completedReason, "")
	case s.Phase == failed:
		add(podInitialized, initialized, notInitReason, list("incomplete", incomplete))
		add(podReady, false, podFailedReason, "")
		add(containersReady, false, podFailedReason, "")
	default:
		add(podInitialized, initialized, notInitReason, list("incomplete", incomplete))
		all := len(unready) == 0 && initialized
		message := list("unready", unready)
		gates := a.openGates()
		switch {
		case all && len(gates) > 0:
			add(podReady, false, gatesReason, strings.Join(gates, ", "))
		default:
			add(podReady, all, notReadyReason, message)
		}
		add(containersReady, all, notReadyReason, message)
	}
	add(podScheduled, true, "", "")
	return append(out, a.resizeConditions(s.ObservedGeneration)...)
}

func list(what string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("containers with %s status: [%s]", what, strings.Join(names, " "))
}

// unready names the containers that keep the pod from being ready, and the init containers that aren't done.
func (a *actor) unready() (unready, incomplete []string) {
	for _, c := range a.containers {
		switch c.kind {
		case regularContainer:
			if !c.isReady() {
				unready = append(unready, c.spec.Name)
			}
		case sidecarContainer:
			if !c.isReady() {
				unready = append(unready, c.spec.Name)
			}
			if !c.started() {
				incomplete = append(incomplete, c.spec.Name)
			}
		case initContainer:
			if !(c.ended() && c.current.ExitCode == 0) {
				incomplete = append(incomplete, c.spec.Name)
			}
		}
	}
	return unready, incomplete
}

// openGates tells which readiness gates aren't passed; their conditions are written by others.
func (a *actor) openGates() []string {
	var open []string
	for _, g := range a.pod.Spec.ReadinessGates {
		found := false
		for _, c := range a.pod.Status.GetConditions() {
			if c.Type == g.ConditionType {
				found = true
				if c.Status != statusTrue {
					open = append(open, fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %v", g.ConditionType, c.Status))
				}
			}
		}
		if !found {
			open = append(open, fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", g.ConditionType))
		}
	}
	return open
}

// mergeConditions puts the kubelet's conditions over those that are there: others' stay, and a condition whose status
// doesn't change keeps its time.
func mergeConditions(have, own []*corev1.PodCondition, now time.Time) []*corev1.PodCondition {
	byType := map[string]*corev1.PodCondition{}
	for _, c := range have {
		byType[c.Type] = c
	}
	mine := map[string]bool{}
	var out []*corev1.PodCondition
	for _, c := range own {
		mine[c.Type] = true
		old := byType[c.Type]
		if c.Type == podScheduled && old != nil {
			out = append(out, old)
			continue
		}
		c.LastTransitionTime = apitime.Of(now)
		if old != nil && old.Status == c.Status {
			c.LastTransitionTime = old.LastTransitionTime
		}
		out = append(out, c)
	}
	for _, c := range have {
		if !mine[c.Type] && c.Type != resizePending && c.Type != resizeInProgress {
			out = append(out, c)
		}
	}
	return out
}
