package podsecurity

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// container is a container of any of the three lists.
type container interface {
	GetName() string
	GetSecurityContext() *corev1.SecurityContext
	GetPorts() []*corev1.ContainerPort
	GetLivenessProbe() *corev1.Probe
	GetReadinessProbe() *corev1.Probe
	GetStartupProbe() *corev1.Probe
	GetLifecycle() *corev1.Lifecycle
}

// subject is a pod as the checks see it.
type subject struct {
	meta       *metav1.ObjectMeta
	spec       *corev1.PodSpec
	containers []container
}

func newSubject(meta *metav1.ObjectMeta, spec *corev1.PodSpec) *subject {
	s := &subject{meta: meta, spec: spec}
	for _, c := range spec.GetInitContainers() {
		s.containers = append(s.containers, c)
	}
	for _, c := range spec.GetContainers() {
		s.containers = append(s.containers, c)
	}
	for _, c := range spec.GetEphemeralContainers() {
		s.containers = append(s.containers, c.GetEphemeralContainerCommon())
	}
	return s
}

func (s *subject) windows() bool { return s.spec.GetOs().GetName() == "windows" }

// remapped pods run as nobody outside, whoever they are inside.
func (s *subject) remapped() bool { return s.spec.HostUsers != nil && !*s.spec.HostUsers }

// where lists the containers of which something is true.
func (s *subject) where(f func(c container) bool) []string {
	var out []string
	for _, c := range s.containers {
		if f(c) {
			out = append(out, c.GetName())
		}
	}
	return out
}

// named is `container "a"` or `containers "a", "b"`.
func named(containers []string) string {
	return plural("container", "containers", len(containers)) + " " + quote(containers)
}

func plural(one, many string, n int) string {
	if n == 1 {
		return one
	}
	return many
}

func quote(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strconv.Quote(s)
	}
	return strings.Join(out, ", ")
}

// set collects values, to be shown in order.
type set map[string]bool

func (s set) add(v string)     { s[v] = true }
func (s set) sorted() []string { return slices.Sorted(maps.Keys(s)) }
