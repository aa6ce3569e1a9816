package statefulset

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/podset"
	"github.com/keelson/keelson/controller-manager/internal/revisions"
)

// Labels of pods and revisions.
const (
	labelRevision = "controller-revision-hash"
	labelHash     = "controller.kubernetes.io/hash"
	labelPodName  = "statefulset.kubernetes.io/pod-name"
	labelPodIndex = "apps.kubernetes.io/pod-index"
)

// ordinalOf splits a pod's name into that of its set and its ordinal; false where it is no such name.
func ordinalOf(name string) (set string, ordinal int, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 {
		return "", 0, false
	}
	n, err := strconv.ParseUint(name[i+1:], 10, 31)
	return name[:i], int(n), err == nil
}

// member reports whether a pod's name is one that the set gives.
func member(set *appsv1.StatefulSet, pod *corev1.Pod) bool {
	parent, _, ok := ordinalOf(pod.GetMetadata().GetName())
	return ok && parent == set.GetMetadata().GetName()
}

func nameOf(set *appsv1.StatefulSet, ordinal int) string {
	return set.GetMetadata().GetName() + "-" + strconv.Itoa(ordinal)
}

// newPod makes the pod of an ordinal in a revision.
func newPod(set *appsv1.StatefulSet, r *revisions.Revision, ordinal int) *corev1.Pod {
	pod := podset.NewPod(set, r.Template)
	m := pod.Metadata
	m.GenerateName, m.Name = "", nameOf(set, ordinal)
	identify(m, ordinal)
	m.Labels[labelRevision] = r.Name()
	pod.Spec.Hostname, pod.Spec.Subdomain = m.Name, set.GetSpec().GetServiceName()
	claims := set.GetSpec().GetVolumeClaimTemplates()
	pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v *corev1.Volume) bool {
		return slices.ContainsFunc(claims, func(c *corev1.PersistentVolumeClaim) bool { return c.GetMetadata().GetName() == v.GetName() })
	})
	for _, c := range claims {
		pod.Spec.Volumes = append(pod.Spec.Volumes, &corev1.Volume{
			Name: c.GetMetadata().GetName(),
			VolumeSource: &corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claimName(c, m.Name)},
			},
		})
	}
	return pod
}

// identify sets the labels that tell a pod from its siblings.
func identify(m *metav1.ObjectMeta, ordinal int) {
	if m.Labels == nil {
		m.Labels = map[string]string{}
	}
	m.Labels[labelPodName], m.Labels[labelPodIndex] = m.GetName(), strconv.Itoa(ordinal)
}

func identified(m *metav1.ObjectMeta, ordinal int) bool {
	return m.GetLabels()[labelPodName] == m.GetName() && m.GetLabels()[labelPodIndex] == strconv.Itoa(ordinal)
}

func claimName(template *corev1.PersistentVolumeClaim, pod string) string {
	return template.GetMetadata().GetName() + "-" + pod
}

// claimsOf makes the claims of a pod. They outlive it, and the set too unless it says otherwise.
func claimsOf(set *appsv1.StatefulSet, pod *corev1.Pod) []*corev1.PersistentVolumeClaim {
	var out []*corev1.PersistentVolumeClaim
	for _, t := range set.GetSpec().GetVolumeClaimTemplates() {
		c := proto.CloneOf(t)
		c.Metadata.Name, c.Metadata.Namespace = claimName(t, pod.GetMetadata().GetName()), set.GetMetadata().GetNamespace()
		if c.Metadata.Labels == nil {
			c.Metadata.Labels = map[string]string{}
		}
		maps.Copy(c.Metadata.Labels, set.GetSpec().GetSelector().GetMatchLabels())
		c.Metadata.OwnerReferences = claimOwners(set, pod, nil, false)
		c.Status = nil
		out = append(out, c)
	}
	return out
}

// claimOwners returns the owners that a claim should have: with the policy Delete it goes with the set, or with the pod
// that is scaled away.
func claimOwners(set *appsv1.StatefulSet, pod *corev1.Pod, have []*metav1.OwnerReference, condemned bool) []*metav1.OwnerReference {
	policy := set.GetSpec().GetPersistentVolumeClaimRetentionPolicy()
	out := slices.DeleteFunc(slices.Clone(have), func(r *metav1.OwnerReference) bool {
		return r.GetApiVersion() == "v1" && r.GetKind() == "Pod" && r.GetName() == pod.GetMetadata().GetName() ||
			r.GetUid() == set.GetMetadata().GetUid()
	})
	switch {
	case condemned && policy.GetWhenScaled() == "Delete":
		return append(out, owner.NewControllerRef("v1", "Pod", pod.GetMetadata()))
	case policy.GetWhenDeleted() == "Delete":
		return append(out, owner.NewControllerRef("apps/v1", "StatefulSet", set.GetMetadata()))
	}
	return out
}
