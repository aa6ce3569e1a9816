package core

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/rule"
	"github.com/keelson/keelson/proto/schema/shape"
)

// EphemeralContainers returns what is wrong with a change of a pod's ephemeral containers: they can only be added.
func EphemeralContainers(p, old *corev1.Pod) rule.ErrorList {
	at := field.NewPath("spec", "ephemeralContainers")
	now := map[string]*corev1.EphemeralContainer{}
	for _, c := range p.GetSpec().GetEphemeralContainers() {
		now[c.GetEphemeralContainerCommon().GetName()] = c
	}
	var errs rule.ErrorList
	for _, was := range old.GetSpec().GetEphemeralContainers() {
		name := was.GetEphemeralContainerCommon().GetName()
		switch c := now[name]; {
		case c == nil:
			errs = append(errs, field.Forbidden(at, fmt.Sprintf("existing ephemeral containers %q may not be removed\n", name)))
		case !shape.Equal(was.ProtoReflect(), c.ProtoReflect()):
			errs = append(errs, field.Forbidden(at, fmt.Sprintf("existing ephemeral containers %q may not be changed\n", name)))
		}
	}
	return errs
}

// ephemerals checks the ephemeral containers of a pod beyond the options of their fields. taken are the names of the
// other containers.
func ephemerals(s *corev1.PodSpec, taken, volumes map[string]bool, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	others := maps.Clone(taken)
	for i, e := range s.EphemeralContainers {
		at, c := at.Index(i), e.GetEphemeralContainerCommon()
		if c.GetName() != "" && taken[c.GetName()] {
			errs = append(errs, field.Duplicate(at.Child("name"), c.GetName()))
		}
		taken[c.GetName()] = true
		if e.TargetContainerName != "" && !others[e.TargetContainerName] {
			errs = append(errs, field.NotFound(at.Child("targetContainerName"), e.TargetContainerName))
		}
		if c == nil {
			continue
		}
		like := &corev1.Container{Image: c.Image, EnvFrom: c.EnvFrom, VolumeMounts: c.VolumeMounts, VolumeDevices: c.VolumeDevices, SecurityContext: c.SecurityContext}
		errs = append(errs, container(like, volumes, s.HostNetwork, at)...)
		for _, f := range []struct {
			name string
			set  bool
		}{
			{"ports", len(c.Ports) > 0}, {"resources", proto.Size(c.Resources) > 0}, {"resizePolicy", len(c.ResizePolicy) > 0},
			{"restartPolicy", c.RestartPolicy != nil}, {"restartPolicyRules", len(c.RestartPolicyRules) > 0},
			{"livenessProbe", c.LivenessProbe != nil}, {"readinessProbe", c.ReadinessProbe != nil},
			{"startupProbe", c.StartupProbe != nil}, {"lifecycle", c.Lifecycle != nil},
		} {
			if f.set {
				errs = append(errs, field.Forbidden(at.Child(f.name), "cannot be set for an Ephemeral Container"))
			}
		}
		for j, m := range c.VolumeMounts {
			if m.SubPath != "" {
				errs = append(errs, field.Forbidden(at.Child("volumeMounts").Index(j).Child("subPath"), "cannot be set for an Ephemeral Container"))
			}
			if m.SubPathExpr != "" {
				errs = append(errs, field.Forbidden(at.Child("volumeMounts").Index(j).Child("subPathExpr"), "cannot be set for an Ephemeral Container"))
			}
		}
	}
	return errs
}

// resizePolicy checks what a change of resources does to a container.
func resizePolicy(list []*corev1.ContainerResizePolicy, podRestart string, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	seen := map[string]bool{}
	for i, p := range list {
		if seen[p.ResourceName] {
			errs = append(errs, field.Duplicate(at.Index(i), p.ResourceName))
		}
		seen[p.ResourceName] = true
		switch p.ResourceName {
		case "cpu", "memory":
		case "":
			errs = append(errs, field.Required(at, ""))
		default:
			errs = append(errs, field.NotSupported(at, p.ResourceName, []string{"cpu", "memory"}))
		}
		switch p.RestartPolicy {
		case "NotRequired", "RestartContainer":
		case "":
			errs = append(errs, field.Required(at, ""))
		default:
			errs = append(errs, field.NotSupported(at, p.RestartPolicy, []string{"NotRequired", "RestartContainer"}))
		}
		if podRestart == "Never" && p.RestartPolicy != "NotRequired" {
			errs = append(errs, field.Invalid(at, p.RestartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"))
		}
	}
	return errs
}

// Resize returns what is wrong with a change of the resources of a running pod's containers. qos classifies a pod.
func Resize(p, old *corev1.Pod, qos func(*corev1.PodSpec) string) rule.ErrorList {
	at := field.NewPath("spec")
	s, before := p.GetSpec(), old.GetSpec()
	var errs rule.ErrorList
	if qos(before) != qos(s) {
		errs = append(errs, field.Invalid(at, p.GetStatus().GetQosClass(), "Pod QOS Class may not change as a result of resizing"))
	}
	for _, c := range old.GetStatus().GetContainerStatuses() {
		if c.GetState().GetRunning() != nil {
			if c.Resources == nil {
				errs = append(errs, field.Forbidden(at, "Pod running on node without support for resize"))
			}
			break
		}
	}
	if !shape.Equal(s.GetResources().ProtoReflect(), before.GetResources().ProtoReflect()) {
		errs = append(errs, field.Forbidden(at.Child("resources"), rule.NotYet+"pod-level resources are not resized in place"))
	}
	order := sameContainers(s.GetContainers(), before.GetContainers(), "containers", at)
	order = append(order, sameContainers(s.GetInitContainers(), before.GetInitContainers(), "initContainers", at)...)
	if len(order) > 0 {
		return append(errs, order...)
	}
	for i, c := range s.GetInitContainers() {
		at := at.Child("initContainers").Index(i)
		was := before.InitContainers[i]
		errs = append(errs, removed(c.Resources, was.Resources, at.Child("resources"))...)
		if !onlyCPUAndMemory(c, was) {
			errs = append(errs, field.Forbidden(at, "only cpu and memory resources for init or sidecar containers are mutable"))
		}
		if c.GetRestartPolicy() != "Always" && !shape.Equal(c.ProtoReflect(), was.ProtoReflect()) &&
			slices.ContainsFunc(c.ResizePolicy, func(p *corev1.ContainerResizePolicy) bool { return p.RestartPolicy == "RestartContainer" }) {
			errs = append(errs, field.Forbidden(at, "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"))
		}
	}
	for i, c := range s.GetContainers() {
		errs = append(errs, removed(c.Resources, before.Containers[i].Resources, at.Child("containers").Index(i).Child("resources"))...)
	}
	for i, c := range s.GetContainers() {
		if !onlyCPUAndMemory(c, before.Containers[i]) {
			errs = append(errs, field.Forbidden(at, "only cpu and memory resources are mutable"))
		}
	}
	return errs
}

func sameContainers(list, before []*corev1.Container, what string, at *rule.Path) rule.ErrorList {
	at = at.Child(what)
	if len(list) != len(before) {
		return rule.ErrorList{field.Forbidden(at, what+" may not be added or removed on resize")}
	}
	var errs rule.ErrorList
	for i, c := range list {
		if c.Name != before[i].Name {
			errs = append(errs, field.Forbidden(at.Index(i).Child("name"), what+" may not be renamed or reordered on resize"))
		}
	}
	return errs
}

func removed(r, before *corev1.ResourceRequirements, at *rule.Path) rule.ErrorList {
	gone := func(now, was map[string]*metav1.Quantity) bool {
		for name := range was {
			if _, ok := now[name]; !ok {
				return true
			}
		}
		return false
	}
	var errs rule.ErrorList
	if gone(r.GetRequests(), before.GetRequests()) {
		errs = append(errs, field.Forbidden(at.Child("requests"), "resource requests cannot be removed"))
	}
	if gone(r.GetLimits(), before.GetLimits()) {
		errs = append(errs, field.Forbidden(at.Child("limits"), "resource limits cannot be removed"))
	}
	return errs
}

// onlyCPUAndMemory tells whether two versions of a container differ in CPU, memory and what a change of them does at
// most.
func onlyCPUAndMemory(c, before *corev1.Container) bool {
	strip := func(c *corev1.Container) *corev1.Container {
		c = proto.CloneOf(c)
		c.ResizePolicy = nil
		for _, list := range []map[string]*metav1.Quantity{c.GetResources().GetRequests(), c.GetResources().GetLimits()} {
			maps.DeleteFunc(list, func(name string, _ *metav1.Quantity) bool { return name == "cpu" || name == "memory" })
		}
		if c.Resources == nil {
			c.Resources = &corev1.ResourceRequirements{}
		}
		return c
	}
	return shape.Equal(strip(c).ProtoReflect(), strip(before).ProtoReflect())
}

// ResizeKeep brings a pod that was sent to be resized to what a resize changes: the resources of its containers. One
// whose containers are not the pod's is left as it is, for Resize to refuse.
func ResizeKeep(p, old *corev1.Pod) {
	s, before := p.GetSpec(), old.GetSpec()
	p.Status = old.Status
	if s == nil || len(s.Containers) != len(before.GetContainers()) || len(s.InitContainers) != len(before.GetInitContainers()) {
		return
	}
	keep := func(list, was []*corev1.Container) []*corev1.Container {
		out := make([]*corev1.Container, len(list))
		for i, c := range list {
			if c.Name != was[i].Name {
				return list
			}
			out[i] = proto.CloneOf(was[i])
			out[i].Resources, out[i].ResizePolicy = c.Resources, c.ResizePolicy
		}
		return out
	}
	containers, inits := keep(s.Containers, before.Containers), keep(s.InitContainers, before.InitContainers)
	resources := s.Resources
	p.Spec = proto.CloneOf(before)
	p.Spec.Containers, p.Spec.InitContainers = containers, inits
	if resources != nil {
		p.Spec.Resources = resources
	}
}
