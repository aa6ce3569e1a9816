package plugins

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	storagev1 "github.com/keelson/keelson/proto/gen/keelson/storage/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
)

// Warnings tells users of what is allowed and most likely not what they want. It changes and refuses nothing.
type Warnings struct{}

// Name implements admission.Plugin.
func (Warnings) Name() string { return "Warnings" }

// Admit implements admission.Plugin.
func (Warnings) Admit(context.Context, *admission.Request) error { return nil }

// Validate implements admission.Validator.
func (Warnings) Validate(_ context.Context, r *admission.Request) error {
	if r.Subresource != "" || r.Object == nil || r.Operation != admission.Create && r.Operation != admission.Update {
		return nil
	}
	switch o := r.Object.(type) {
	case *corev1.PersistentVolume:
		if o.GetSpec().GetPersistentVolumeReclaimPolicy() == "Recycle" {
			r.Warn("spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. " +
				"Instead, the recommended approach is to use dynamic provisioning.")
		}
	case *appsv1.StatefulSet:
		if n := o.GetSpec().GetRevisionHistoryLimit(); n < 0 && !asBefore(r) {
			r.Warn("spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended")
		}
		if len(o.GetSpec().GetVolumeClaimTemplates()) > 0 {
			r.Warn("spec.volumeClaimTemplates: pods with claims are not supported by Keelson yet: this set's pods cannot be created")
		}
	}
	if d, ok := r.Object.(*storagev1.CSIDriver); ok && len(d.GetSpec().GetTokenRequests()) > 0 && d.Spec.ServiceAccountTokenInSecrets == nil {
		r.Warn("spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes")
	}
	if spec, path := pods(r.Object); spec != nil && !asBefore(r) {
		oldLabels(r, path, spec)
		twice(r, path, spec)
		hidden(r, path+".initContainers", spec.GetInitContainers())
		hidden(r, path+".containers", spec.GetContainers())
	}
	return nil
}

// asBefore tells that what an object wants is what it has wanted: its makers have been warned.
func asBefore(r *admission.Request) bool {
	return r.Old != nil && r.Object.GetMetadata().GetGeneration() != 0 &&
		r.Object.GetMetadata().GetGeneration() == r.Old.GetMetadata().GetGeneration()
}

// twice warns of pull secrets and ports that are named more than once, which strategic merge patches cannot tell apart.
func twice(r *admission.Request, path string, spec *corev1.PodSpec) {
	secrets := map[string]bool{}
	for i, s := range spec.GetImagePullSecrets() {
		if secrets[s.GetName()] {
			r.Warn(fmt.Sprintf("%s.imagePullSecrets[%d].name: duplicate name %q", path, i, s.GetName()))
		}
		secrets[s.GetName()] = true
	}
	for i, s := range spec.GetImagePullSecrets() {
		if s.GetName() == "" {
			r.Warn(fmt.Sprintf("%s.imagePullSecrets[%d].name: invalid empty name %q", path, i, ""))
		}
	}
	ports := map[string][]usedPort{}
	usedTwice(r, ports, path+".initContainers", spec.GetInitContainers())
	usedTwice(r, ports, path+".containers", spec.GetContainers())
}

type usedPort struct {
	at   string
	port *corev1.ContainerPort
}

func usedTwice(r *admission.Request, seen map[string][]usedPort, path string, list []*corev1.Container) {
	for i, c := range list {
		for j, p := range c.GetPorts() {
			at := fmt.Sprintf("%s[%d].ports[%d]", path, i, j)
			key := fmt.Sprintf("%d/%s", p.GetContainerPort(), p.GetProtocol())
			for _, o := range seen[key] {
				sameIP, anyIP := p.GetHostIP() == o.port.GetHostIP(), p.GetHostIP() == "" || o.port.GetHostIP() == ""
				switch samePort := p.GetHostPort() == o.port.GetHostPort(); {
				case samePort && sameIP:
					r.Warn(at + ": duplicate port definition with " + o.at)
				case p.GetHostPort() == 0 || o.port.GetHostPort() == 0:
					r.Warn(at + ": overlapping port definition with " + o.at)
				case samePort && anyIP:
					r.Warn(at + ": dangerously ambiguous port definition with " + o.at)
				}
			}
			seen[key] = append(seen[key], usedPort{at, p})
		}
	}
}

// pods is the specification of the pods that an object is or makes, and its path.
func pods(obj admission.Object) (*corev1.PodSpec, string) {
	switch o := obj.(type) {
	case *corev1.Pod:
		return o.GetSpec(), "spec"
	case *corev1.PodTemplate:
		return o.GetTemplate().GetSpec(), "template.spec"
	case *batchv1.CronJob:
		return o.GetSpec().GetJobTemplate().GetSpec().GetTemplate().GetSpec(), "spec.jobTemplate.spec.template.spec"
	}
	var template *corev1.PodTemplateSpec
	switch o := obj.(type) {
	case *corev1.ReplicationController:
		template = o.GetSpec().GetTemplate()
	case *appsv1.Deployment:
		template = o.GetSpec().GetTemplate()
	case *appsv1.ReplicaSet:
		template = o.GetSpec().GetTemplate()
	case *appsv1.StatefulSet:
		template = o.GetSpec().GetTemplate()
	case *appsv1.DaemonSet:
		template = o.GetSpec().GetTemplate()
	case *batchv1.Job:
		template = o.GetSpec().GetTemplate()
	}
	return template.GetSpec(), "spec.template.spec"
}

// oldNodeLabels are labels of nodes that have other names today.
var oldNodeLabels = map[string]string{
	"beta.kubernetes.io/arch":                  `deprecated since v1.14; use "kubernetes.io/arch" instead`,
	"beta.kubernetes.io/os":                    `deprecated since v1.14; use "kubernetes.io/os" instead`,
	"failure-domain.beta.kubernetes.io/region": `deprecated since v1.17; use "topology.kubernetes.io/region" instead`,
	"failure-domain.beta.kubernetes.io/zone":   `deprecated since v1.17; use "topology.kubernetes.io/zone" instead`,
	"beta.kubernetes.io/instance-type":         `deprecated since v1.17; use "node.kubernetes.io/instance-type" instead`,
}

// oldLabels warns of choices of nodes by the old names of labels.
func oldLabels(r *admission.Request, path string, spec *corev1.PodSpec) {
	is := func(at, key string) {
		if text := oldNodeLabels[key]; text != "" {
			r.Warn(fmt.Sprintf("%s: %s is %s", at, key, text))
		}
	}
	term := func(at string, t *corev1.NodeSelectorTerm) {
		for i, e := range t.GetMatchExpressions() {
			is(fmt.Sprintf("%s.matchExpressions[%d].key", at, i), e.GetKey())
		}
	}
	for _, key := range slices.Sorted(maps.Keys(spec.GetNodeSelector())) {
		if text := oldNodeLabels[key]; text != "" {
			r.Warn(fmt.Sprintf("%s.nodeSelector[%s]: %s", path, key, text))
		}
	}
	affinity := spec.GetAffinity().GetNodeAffinity()
	for i, t := range affinity.GetRequiredDuringSchedulingIgnoredDuringExecution().GetNodeSelectorTerms() {
		term(fmt.Sprintf("%s.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[%d]", path, i), t)
	}
	for i, t := range affinity.GetPreferredDuringSchedulingIgnoredDuringExecution() {
		term(fmt.Sprintf("%s.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[%d].preference", path, i), t.GetPreference())
	}
	for i, c := range spec.GetTopologySpreadConstraints() {
		is(fmt.Sprintf("%s.topologySpreadConstraints[%d].topologyKey", path, i), c.GetTopologyKey())
	}
}

// hidden warns of environment variables that a later one of the same name replaces without building on it.
func hidden(r *admission.Request, path string, list []*corev1.Container) {
	for i, c := range list {
		if len(c.GetEnv()) < 2 {
			continue
		}
		seen := map[string]bool{}
		for j, e := range c.GetEnv() {
			before := "$(" + e.GetName() + ")"
			if seen[e.GetName()] && (e.GetValue() == before || !strings.Contains(e.GetValue(), before)) {
				r.Warn(fmt.Sprintf("%s[%d].env[%d]: hides previous definition of %q, which may be dropped when using apply", path, i, j, e.GetName()))
			}
			seen[e.GetName()] = true
		}
	}
}
