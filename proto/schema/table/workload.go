package table

import (
	"fmt"
	"strings"
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

var (
	_ = register(deploymentCells, "spec.replicas", "spec.selector",
		"spec.template.spec.containers.name", "spec.template.spec.containers.image",
		"status.readyReplicas", "status.updatedReplicas", "status.availableReplicas")
	_ = register(replicaSetCells, "spec.replicas", "spec.selector",
		"spec.template.spec.containers.name", "spec.template.spec.containers.image",
		"status.replicas", "status.readyReplicas")
	_ = register(daemonSetCells, "spec.selector", "spec.template.spec.nodeSelector",
		"spec.template.spec.containers.name", "spec.template.spec.containers.image",
		"status.desiredNumberScheduled", "status.currentNumberScheduled", "status.numberReady", "status.updatedNumberScheduled",
		"status.numberAvailable")
	_ = register(statefulSetCells, "spec.replicas", "spec.template.spec.containers.name", "spec.template.spec.containers.image",
		"status.readyReplicas")
	_ = register(revisionCells, "metadata.ownerReferences", "revision")
	_ = register(controllerCells, "spec.replicas", "spec.selector",
		"spec.template.spec.containers.name", "spec.template.spec.containers.image",
		"status.replicas", "status.readyReplicas")
	_ = register(templateCells, "template.metadata.labels", "template.spec.containers.name", "template.spec.containers.image")
)

// images returns the names and images of a template's containers.
func images(t *corev1.PodTemplateSpec) (names, images string) {
	var n, i []string
	for _, c := range t.GetSpec().GetContainers() {
		n, i = append(n, c.Name), append(i, c.Image)
	}
	return strings.Join(n, ","), strings.Join(i, ",")
}

func deploymentCells(d *appsv1.Deployment, now time.Time) []any {
	s := d.GetStatus()
	names, img := images(d.GetSpec().GetTemplate())
	return []any{fmt.Sprintf("%d/%d", s.GetReadyReplicas(), d.GetSpec().GetReplicas()), int64(s.GetUpdatedReplicas()),
		int64(s.GetAvailableReplicas()), created(d.Metadata, now), names, img, selector(d.GetSpec().GetSelector())}
}

func replicaSetCells(r *appsv1.ReplicaSet, now time.Time) []any {
	s := r.GetStatus()
	names, img := images(r.GetSpec().GetTemplate())
	return []any{int64(r.GetSpec().GetReplicas()), int64(s.GetReplicas()), int64(s.GetReadyReplicas()), created(r.Metadata, now),
		names, img, selector(r.GetSpec().GetSelector())}
}

func daemonSetCells(d *appsv1.DaemonSet, now time.Time) []any {
	s := d.GetStatus()
	names, img := images(d.GetSpec().GetTemplate())
	return []any{int64(s.GetDesiredNumberScheduled()), int64(s.GetCurrentNumberScheduled()), int64(s.GetNumberReady()),
		int64(s.GetUpdatedNumberScheduled()), int64(s.GetNumberAvailable()), pairs(d.GetSpec().GetTemplate().GetSpec().GetNodeSelector()),
		created(d.Metadata, now), names, img, selector(d.GetSpec().GetSelector())}
}

func statefulSetCells(s *appsv1.StatefulSet, now time.Time) []any {
	names, img := images(s.GetSpec().GetTemplate())
	return []any{fmt.Sprintf("%d/%d", s.GetStatus().GetReadyReplicas(), s.GetSpec().GetReplicas()), created(s.Metadata, now), names, img}
}

func revisionCells(r *appsv1.ControllerRevision, now time.Time) []any {
	controller := none
	for _, o := range r.GetMetadata().GetOwnerReferences() {
		if o.GetController() {
			kind := strings.ToLower(o.Kind)
			if group, _, ok := strings.Cut(o.ApiVersion, "/"); ok {
				kind += "." + group
			}
			controller = kind + "/" + o.Name
		}
	}
	return []any{controller, r.Revision, created(r.Metadata, now)}
}

func controllerCells(r *corev1.ReplicationController, now time.Time) []any {
	names, img := images(r.GetSpec().GetTemplate())
	return []any{int64(r.GetSpec().GetReplicas()), int64(r.GetStatus().GetReplicas()), int64(r.GetStatus().GetReadyReplicas()),
		created(r.Metadata, now), names, img, pairs(r.GetSpec().GetSelector())}
}

func templateCells(t *corev1.PodTemplate, _ time.Time) []any {
	names, img := images(t.Template)
	return []any{names, img, pairs(t.GetTemplate().GetMetadata().GetLabels())}
}
