package job

import (
	"slices"
	"strconv"
	"time"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"

	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

// A failed pod is replaced after 10 s, the next after 20 s, and so on.
const (
	firstDelay = 10 * time.Second
	lastDelay  = 10 * time.Minute
)

// delay is how long to wait before a pod is replaced, after so many failures in a row, the last at a time; 0 is now.
func delay(failures int, last, now time.Time) time.Duration {
	if failures <= 0 {
		return 0
	}
	d := lastDelay
	if shift := failures - 1; shift < 6 {
		d = firstDelay << shift
	}
	return max(last.Add(d).Sub(now), 0)
}

// failures counts the failed pods since the last success, and returns when the last of them ended. It is read from the
// pods, so that a new controller manager does not begin anew.
func failures(job *batchv1.Job, pods []*corev1.Pod) (n int, last time.Time) {
	var success time.Time
	for _, pod := range pods {
		if pod.GetStatus().GetPhase() == podstate.Succeeded {
			success = latest(success, endOf(pod))
		}
	}
	for _, pod := range pods {
		// A pod that is being deleted without the finalizer was one too many, not a failure; one that has ended and
		// lost its finalizer has been counted.
		counted := pod.GetStatus().GetPhase() == podstate.Failed && pod.GetMetadata().GetDeletionTimestamp() == nil
		if !counted && (!tracked(pod) || !isFailed(job, pod)) {
			continue
		}
		if end := endOf(pod); end.After(success) {
			n++
			last = latest(last, end)
		}
	}
	return n, last
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// endOf is when a pod ended: by its containers; by its not being ready any more; by its deletion; at the worst, by its
// creation.
func endOf(pod *corev1.Pod) time.Time {
	if t, ok := containersEnd(pod); ok {
		return t
	}
	if c := podstate.Condition(pod, podstate.ConditionReady); c.GetStatus() == podstate.False && !apitime.IsZero(c.GetLastTransitionTime()) {
		return apitime.Go(c.GetLastTransitionTime())
	}
	m := pod.GetMetadata()
	if m.GetDeletionTimestamp() != nil {
		return apitime.Go(m.GetDeletionTimestamp()).Add(-time.Duration(m.GetDeletionGracePeriodSeconds()) * time.Second)
	}
	return apitime.Go(m.GetCreationTimestamp())
}

// containersEnd is when the last container ended, sidecars included; false where one has not.
func containersEnd(pod *corev1.Pod) (end time.Time, ok bool) {
	sidecar := func(name string) bool {
		return slices.ContainsFunc(pod.GetSpec().GetInitContainers(), func(c *corev1.Container) bool {
			return c.GetName() == name && c.GetRestartPolicy() == "Always"
		})
	}
	look := func(list []*corev1.ContainerStatus, of func(string) bool) bool {
		for _, c := range list {
			if of != nil && !of(c.GetName()) {
				continue
			}
			t := apitime.Go(c.GetState().GetTerminated().GetFinishedAt())
			if t.IsZero() {
				return false
			}
			end = latest(end, t)
		}
		return true
	}
	ok = look(pod.GetStatus().GetContainerStatuses(), nil) && look(pod.GetStatus().GetInitContainerStatuses(), sidecar)
	return end, ok && !end.IsZero()
}

// annotated reads a count from an annotation; what is no count is 0, for people may write there.
func annotated(pod *corev1.Pod, key string) int {
	n, err := strconv.ParseInt(pod.GetMetadata().GetAnnotations()[key], 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int(n)
}

// failuresBefore is how often the pod's index had failed, ignored failures included.
func failuresBefore(pod *corev1.Pod) int {
	return annotated(pod, annotationFailures) + annotated(pod, annotationIgnoredFailures)
}
