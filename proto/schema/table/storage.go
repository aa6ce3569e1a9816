package table

import (
	"strings"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	storagev1 "github.com/keelson/keelson/proto/gen/keelson/storage/v1"
)

var (
	_ = register(volumeCells, "metadata.annotations", "metadata.deletionTimestamp", "spec.capacity", "spec.accessModes", "spec.claimRef",
		"spec.persistentVolumeReclaimPolicy", "spec.storageClassName", "spec.volumeAttributesClassName", "spec.volumeMode",
		"status.phase", "status.reason")
	_ = register(claimCells, "metadata.annotations", "metadata.deletionTimestamp", "spec.volumeName", "spec.storageClassName",
		"spec.volumeAttributesClassName", "spec.volumeMode", "status.phase", "status.capacity", "status.accessModes")
	_ = register(storageClassCells)
	_ = list(storageClasses)
	_ = register(attachmentCells)
	_ = register(csiDriverCells)
	_ = register(csiNodeCells)
	_ = register(csiCapacityCells)
)

// classAnnotation named the class of volumes and claims before there was a field, which it still outranks.
const classAnnotation = "volume.beta.kubernetes.io/storage-class"

var shortModes = []struct{ mode, short string }{
	{"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"},
}

// accessModes abbreviates access modes, each once and always in the same order.
func accessModes(modes []string) string {
	var out []string
	for _, m := range shortModes {
		for _, have := range modes {
			if have == m.mode {
				out = append(out, m.short)
				break
			}
		}
	}
	return strings.Join(out, ",")
}

func classOf(m *metav1.ObjectMeta, class string) string {
	if c, ok := m.GetAnnotations()[classAnnotation]; ok {
		return c
	}
	return class
}

func phaseOf(m *metav1.ObjectMeta, phase string) string {
	if m.GetDeletionTimestamp() != nil {
		return "Terminating"
	}
	return phase
}

// text is the value of an optional string.
func text(s *string) string {
	if s == nil {
		return unset
	}
	return *s
}

func volumeCells(v *corev1.PersistentVolume, now time.Time) []any {
	s := v.GetSpec()
	claim := ""
	if c := s.GetClaimRef(); c != nil {
		claim = c.Namespace + "/" + c.Name
	}
	if s == nil {
		s = &corev1.PersistentVolumeSpec{}
	}
	return []any{quantity(s.Capacity["storage"]), accessModes(s.AccessModes), s.PersistentVolumeReclaimPolicy,
		phaseOf(v.Metadata, v.GetStatus().GetPhase()), claim, classOf(v.Metadata, s.StorageClassName),
		text(s.VolumeAttributesClassName), v.GetStatus().GetReason(), created(v.Metadata, now), text(s.VolumeMode)}
}

func claimCells(c *corev1.PersistentVolumeClaim, now time.Time) []any {
	s := c.GetSpec()
	if s == nil {
		s = &corev1.PersistentVolumeClaimSpec{}
	}
	capacity, modes := "", ""
	if s.VolumeName != "" {
		capacity, modes = quantity(c.GetStatus().GetCapacity()["storage"]), accessModes(c.GetStatus().GetAccessModes())
	}
	return []any{phaseOf(c.Metadata, c.GetStatus().GetPhase()), s.VolumeName, capacity, modes,
		classOf(c.Metadata, s.GetStorageClassName()), text(s.VolumeAttributesClassName), created(c.Metadata, now), text(s.VolumeMode)}
}

// storageClasses marks the default class among all: of several it is the newest.
func storageClasses(list []*storagev1.StorageClass) (lines []Line) {
	best := -1
	for i, c := range list {
		lines = append(lines, Line{Index: i})
		a := c.GetMetadata().GetAnnotations()
		if a["storageclass.kubernetes.io/is-default-class"] != "true" && a["storageclass.beta.kubernetes.io/is-default-class"] != "true" {
			continue
		}
		if best < 0 || c.GetMetadata().GetCreationTimestamp().GetSeconds() > list[best].GetMetadata().GetCreationTimestamp().GetSeconds() {
			best = i
		}
	}
	if best >= 0 {
		lines[best].Name = list[best].GetMetadata().GetName() + defaultMark
	}
	return lines
}

func storageClassCells(c *storagev1.StorageClass, now time.Time) []any {
	return []any{c.Provisioner, or(c.GetReclaimPolicy(), "Delete"), or(c.GetVolumeBindingMode(), "Immediate"),
		c.GetAllowVolumeExpansion(), created(c.Metadata, now)}
}

func attachmentCells(a *storagev1.VolumeAttachment, now time.Time) []any {
	s := a.GetSpec()
	return []any{s.GetAttacher(), s.GetSource().GetPersistentVolumeName(), s.GetNodeName(), a.GetStatus().GetAttached(),
		created(a.Metadata, now)}
}

func csiDriverCells(d *storagev1.CSIDriver, now time.Time) []any {
	s := d.GetSpec()
	if s == nil {
		s = &storagev1.CSIDriverSpec{}
	}
	tokens := unset
	if len(s.TokenRequests) > 0 {
		var audiences []string
		for _, t := range s.TokenRequests {
			audiences = append(audiences, t.Audience)
		}
		tokens = strings.Join(audiences, ",")
	}
	return []any{s.AttachRequired == nil || *s.AttachRequired, s.GetPodInfoOnMount(), s.GetStorageCapacity(), tokens,
		s.GetRequiresRepublish(), or(strings.Join(s.VolumeLifecycleModes, ","), none), created(d.Metadata, now)}
}

func csiNodeCells(n *storagev1.CSINode, now time.Time) []any {
	return []any{int64(len(n.GetSpec().GetDrivers())), created(n.Metadata, now)}
}

func csiCapacityCells(c *storagev1.CSIStorageCapacity, _ time.Time) []any {
	capacity := unset
	if c.Capacity != nil {
		capacity = quantity(c.Capacity)
	}
	return []any{c.StorageClassName, capacity}
}
