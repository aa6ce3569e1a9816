package table

import (
	"fmt"
	"strconv"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

var _ = register(podCells, "metadata.deletionTimestamp", "spec.nodeName", "spec.containers.", "spec.initContainers.name",
	"spec.initContainers.restartPolicy", "spec.readinessGates", "status.phase", "status.reason", "status.podIP", "status.podIPs",
	"status.nominatedNodeName", "status.conditions.type", "status.conditions.status", "status.conditions.reason",
	"status.initContainerStatuses.name", "status.initContainerStatuses.ready", "status.initContainerStatuses.started",
	"status.initContainerStatuses.restartCount", "status.initContainerStatuses.state.waiting.reason",
	"status.initContainerStatuses.state.terminated.exitCode", "status.initContainerStatuses.state.terminated.signal",
	"status.initContainerStatuses.state.terminated.reason", "status.initContainerStatuses.lastState.terminated.finishedAt",
	"status.containerStatuses.ready", "status.containerStatuses.restartCount",
	"status.containerStatuses.state.running.", "status.containerStatuses.state.waiting.reason",
	"status.containerStatuses.state.terminated.exitCode", "status.containerStatuses.state.terminated.signal",
	"status.containerStatuses.state.terminated.reason", "status.containerStatuses.lastState.terminated.finishedAt")

func podCells(p *corev1.Pod, now time.Time) []any {
	s := summarise(p)
	restarts := strconv.FormatInt(s.restarts, 10)
	if s.restarts != 0 && s.lastRestart != nil {
		restarts = fmt.Sprintf("%d (%s ago)", s.restarts, age(s.lastRestart, now))
	}
	ip := none
	if ips := p.GetStatus().GetPodIPs(); len(ips) > 0 {
		ip = or(ips[0].Ip, none)
	} else if one := p.GetStatus().GetPodIP(); one != "" {
		ip = one
	}
	gates := none
	if g := p.GetSpec().GetReadinessGates(); len(g) > 0 {
		passed := 0
		for _, gate := range g {
			for _, c := range p.GetStatus().GetConditions() {
				if c.Type == gate.ConditionType && c.Status == "True" {
					passed++
					break
				}
			}
		}
		gates = fmt.Sprintf("%d/%d", passed, len(g))
	}
	return []any{fmt.Sprintf("%d/%d", s.ready, s.total), s.reason, restarts, created(p.Metadata, now), ip,
		or(p.GetSpec().GetNodeName(), none), or(p.GetStatus().GetNominatedNodeName(), none), gates}
}

// summary is what one line says of a pod.
type summary struct {
	ready, total int
	restarts     int64
	lastRestart  *metav1.Time
	reason       string
	failure      string // of the first container that failed: what one that completed says would hide it
}

func (s *summary) restarted(c *corev1.ContainerStatus) {
	s.restarts += int64(c.RestartCount)
	if t := c.GetLastState().GetTerminated(); t != nil && t.FinishedAt.GetSeconds() > s.lastRestart.GetSeconds() {
		s.lastRestart = t.FinishedAt
	}
}

// summarise finds the one word for a pod's state, in the order in which they matter: deletion, init containers, then the
// containers, the last one first.
func summarise(p *corev1.Pod) summary {
	status := p.GetStatus()
	s := summary{total: len(p.GetSpec().GetContainers()), reason: or(status.GetReason(), status.GetPhase())}
	for _, c := range status.GetConditions() {
		if c.Type == "PodScheduled" && c.Reason == "SchedulingGated" {
			s.reason = c.Reason
		}
	}
	sidecars := map[string]bool{}
	for _, c := range p.GetSpec().GetInitContainers() {
		if c.GetRestartPolicy() == "Always" {
			sidecars[c.Name] = true
			s.total++
		}
	}
	sidecar := summary{} // restarts of sidecars count while the pod runs
	initializing := false
	for i, c := range status.GetInitContainerStatuses() {
		s.restarted(c)
		if sidecars[c.Name] {
			sidecar.restarted(c)
		}
		if word, done := initWord(c, sidecars[c.Name], i, len(p.GetSpec().GetInitContainers())); !done {
			s.reason, initializing = word, true
			break
		}
		if sidecars[c.Name] && c.GetState().GetTerminated() == nil && c.Ready {
			s.ready++
		}
	}
	if !initializing || condition(status, "Initialized") {
		s.restarts, s.lastRestart = sidecar.restarts, sidecar.lastRestart
		running := false
		list := status.GetContainerStatuses()
		for i := len(list) - 1; i >= 0; i-- {
			running = s.container(list[i]) || running
		}
		if s.reason == "Completed" {
			switch {
			case running && condition(status, "Ready"):
				s.reason = "Running"
			case s.failure != "":
				s.reason = s.failure
			case running:
				s.reason = "NotReady"
			}
		}
	}
	if p.GetMetadata().GetDeletionTimestamp() != nil {
		if status.GetReason() == "NodeLost" {
			s.reason = "Unknown"
		} else if status.GetPhase() != "Failed" && status.GetPhase() != "Succeeded" {
			s.reason = "Terminating"
		}
	}
	return s
}

// initWord says how far an init container is; done where the next one counts.
func initWord(c *corev1.ContainerStatus, sidecar bool, index, total int) (word string, done bool) {
	t, w := c.GetState().GetTerminated(), c.GetState().GetWaiting()
	switch {
	case t != nil && t.ExitCode == 0, sidecar && c.GetStarted():
		return "", true
	case t != nil && t.Reason != "":
		return "Init:" + t.Reason, false
	case t != nil && t.Signal != 0:
		return fmt.Sprintf("Init:Signal:%d", t.Signal), false
	case t != nil:
		return fmt.Sprintf("Init:ExitCode:%d", t.ExitCode), false
	case w.GetReason() != "" && w.GetReason() != "PodInitializing":
		return "Init:" + w.Reason, false
	}
	return fmt.Sprintf("Init:%d/%d", index, total), false
}

// container counts a container in; true where it runs and is ready.
func (s *summary) container(c *corev1.ContainerStatus) bool {
	s.restarted(c)
	t, w := c.GetState().GetTerminated(), c.GetState().GetWaiting()
	switch {
	case w.GetReason() != "":
		s.reason = w.Reason
	case t.GetReason() != "":
		s.reason = t.Reason
	case t != nil && t.Signal != 0:
		s.reason = fmt.Sprintf("Signal:%d", t.Signal)
	case t != nil:
		s.reason = fmt.Sprintf("ExitCode:%d", t.ExitCode)
	case c.Ready && c.GetState().GetRunning() != nil:
		s.ready++
		return true
	}
	if w.GetReason() == "" && t.GetExitCode() != 0 {
		s.failure = s.reason
	}
	return false
}

func condition(s *corev1.PodStatus, name string) bool {
	for _, c := range s.GetConditions() {
		if c.Type == name {
			return c.Status == "True"
		}
	}
	return false
}
