package quota

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/resource"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// InScope tells whether all scopes of a quota choose an object. A quota without scopes counts every object; one with
// scopes counts pods, or claims, only.
func InScope(s *corev1.ResourceQuotaSpec, obj proto.Message) bool {
	for _, r := range Scopes(s) {
		if !chosen(r, obj) {
			return false
		}
	}
	return true
}

// Scopes returns a quota's scopes in the form of its scope selector.
func Scopes(s *corev1.ResourceQuotaSpec) []*corev1.ScopedResourceSelectorRequirement {
	var out []*corev1.ScopedResourceSelectorRequirement
	for _, name := range s.GetScopes() {
		out = append(out, &corev1.ScopedResourceSelectorRequirement{ScopeName: name, Operator: "Exists"})
	}
	return append(out, s.GetScopeSelector().GetMatchExpressions()...)
}

func chosen(r *corev1.ScopedResourceSelectorRequirement, obj proto.Message) bool {
	switch o := obj.(type) {
	case *corev1.Pod:
		return choosesPod(r, o)
	case *corev1.PersistentVolumeClaim:
		if r.ScopeName != "VolumeAttributesClass" {
			return false
		}
		return choosesClass(r, attributesClasses(o))
	}
	return false
}

func choosesPod(r *corev1.ScopedResourceSelectorRequirement, p *corev1.Pod) bool {
	switch s := p.GetSpec(); r.ScopeName {
	case "Terminating":
		return Terminating(p)
	case "NotTerminating":
		return !Terminating(p)
	case "BestEffort":
		return bestEffort(s)
	case "NotBestEffort":
		return !bestEffort(s)
	case "PriorityClass":
		var have []string
		if s.GetPriorityClassName() != "" {
			have = []string{s.PriorityClassName}
		}
		return choosesClass(r, have)
	case "CrossNamespacePodAffinity":
		return crossNamespace(s.GetAffinity())
	}
	return false
}

// choosesClass applies a requirement on the names of classes to the names that an object has.
func choosesClass(r *corev1.ScopedResourceSelectorRequirement, have []string) bool {
	in := slices.ContainsFunc(have, func(name string) bool { return slices.Contains(r.Values, name) })
	switch r.Operator {
	case "Exists":
		return len(have) > 0
	case "DoesNotExist":
		return len(have) == 0
	case "In":
		return in
	case "NotIn":
		// As for labels, having none is not being one of them.
		return len(have) == 0 || slices.ContainsFunc(have, func(name string) bool { return !slices.Contains(r.Values, name) })
	}
	return false
}

// Terminating tells whether a pod has a deadline.
func Terminating(p *corev1.Pod) bool {
	d := p.GetSpec().GetActiveDeadlineSeconds()
	return p.GetSpec() != nil && p.Spec.ActiveDeadlineSeconds != nil && d >= 0
}

func bestEffort(s *corev1.PodSpec) bool {
	counts := func(list map[string]*metav1.Quantity) bool {
		for _, name := range []string{"cpu", "memory"} {
			if q := list[name]; q != nil {
				if v, err := resource.ParseQuantity(q.GetString_()); err == nil && v.Sign() > 0 {
					return true
				}
			}
		}
		return false
	}
	if r := s.GetResources(); len(r.GetRequests()) > 0 || len(r.GetLimits()) > 0 {
		return !counts(r.Requests) && !counts(r.Limits)
	}
	for _, list := range [][]*corev1.Container{s.GetContainers(), s.GetInitContainers()} {
		for _, c := range list {
			if counts(c.GetResources().GetRequests()) || counts(c.GetResources().GetLimits()) {
				return false
			}
		}
	}
	return true
}

func crossNamespace(a *corev1.Affinity) bool {
	crosses := func(t *corev1.PodAffinityTerm) bool {
		return len(t.GetNamespaces()) > 0 || t.GetNamespaceSelector() != nil
	}
	weighted := func(t *corev1.WeightedPodAffinityTerm) bool { return crosses(t.GetPodAffinityTerm()) }
	to, from := a.GetPodAffinity(), a.GetPodAntiAffinity()
	return slices.ContainsFunc(to.GetRequiredDuringSchedulingIgnoredDuringExecution(), crosses) ||
		slices.ContainsFunc(to.GetPreferredDuringSchedulingIgnoredDuringExecution(), weighted) ||
		slices.ContainsFunc(from.GetRequiredDuringSchedulingIgnoredDuringExecution(), crosses) ||
		slices.ContainsFunc(from.GetPreferredDuringSchedulingIgnoredDuringExecution(), weighted)
}

func attributesClasses(c *corev1.PersistentVolumeClaim) []string {
	var out []string
	for _, name := range []string{c.GetSpec().GetVolumeAttributesClassName(), c.GetStatus().GetCurrentVolumeAttributesClassName(),
		c.GetStatus().GetModifyVolumeStatus().GetTargetVolumeAttributesClassName()} {
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
