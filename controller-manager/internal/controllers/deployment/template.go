package deployment

import (
	"maps"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/templates"
)

// sameTemplate compares two templates as users wrote them, without the hash that this controller adds.
func sameTemplate(a, b *corev1.PodTemplateSpec) bool {
	return schema.Equal(withoutHash(a), withoutHash(b))
}

func withoutHash(t *corev1.PodTemplateSpec) *corev1.PodTemplateSpec {
	if _, ok := t.GetMetadata().GetLabels()[labelHash]; !ok && t.GetMetadata() != nil {
		return t
	}
	// A shallow copy: only the metadata is changed.
	meta := &metav1.ObjectMeta{}
	if t.GetMetadata() != nil {
		meta = proto.CloneOf(t.GetMetadata())
	}
	delete(meta.Labels, labelHash)
	return &corev1.PodTemplateSpec{Metadata: meta, Spec: t.GetSpec()}
}

// findNew returns the ReplicaSet of the Deployment's current template: the oldest, should there be several.
func findNew(d *appsv1.Deployment, sets []*appsv1.ReplicaSet) *appsv1.ReplicaSet {
	var found *appsv1.ReplicaSet
	for _, rs := range sets {
		if !sameTemplate(rs.GetSpec().GetTemplate(), d.GetSpec().GetTemplate()) {
			continue
		}
		if found == nil || older(rs, found) {
			found = rs
		}
	}
	return found
}

func older(a, b *appsv1.ReplicaSet) bool {
	ta, tb := apitime.Go(a.GetMetadata().GetCreationTimestamp()), apitime.Go(b.GetMetadata().GetCreationTimestamp())
	if ta.Equal(tb) {
		return a.GetMetadata().GetName() < b.GetMetadata().GetName()
	}
	return ta.Before(tb)
}

// newSet makes the ReplicaSet of the current template, without replicas and annotations.
func newSet(d *appsv1.Deployment) *appsv1.ReplicaSet {
	sum := templates.Hash(d.GetSpec().GetTemplate(), d.GetStatus().GetCollisionCount())
	template := proto.CloneOf(d.GetSpec().GetTemplate())
	if template.Metadata == nil {
		template.Metadata = &metav1.ObjectMeta{}
	}
	template.Metadata.Labels = withLabel(template.Metadata.Labels, sum)
	selector := proto.CloneOf(d.GetSpec().GetSelector())
	selector.MatchLabels = withLabel(selector.MatchLabels, sum)
	return &appsv1.ReplicaSet{
		Metadata: &metav1.ObjectMeta{
			Namespace:       d.GetMetadata().GetNamespace(),
			Name:            d.GetMetadata().GetName() + "-" + sum,
			Labels:          maps.Clone(template.Metadata.Labels),
			OwnerReferences: []*metav1.OwnerReference{owner.NewControllerRef("apps/v1", "Deployment", d.GetMetadata())},
		},
		Spec: &appsv1.ReplicaSetSpec{
			Replicas:        proto.Int32(0),
			MinReadySeconds: d.GetSpec().GetMinReadySeconds(),
			Selector:        selector,
			Template:        template,
		},
	}
}

func withLabel(labels map[string]string, sum string) map[string]string {
	if labels == nil {
		labels = map[string]string{}
	}
	labels[labelHash] = sum
	return labels
}
