// Package storage holds the logic of the storage.k8s.io group's kinds that no option can say.
package storage

import (
	storagev1 "github.com/keelson/keelson/proto/gen/keelson/storage/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*storagev1.StorageClass]{Validate: storageClass})
	rule.AddKind(s, rule.TypedKind[*storagev1.VolumeAttributesClass]{Validate: attributesClass})
	rule.AddKind(s, rule.TypedKind[*storagev1.VolumeAttachment]{Validate: attachment, ValidateStatus: attachmentStatus})
	rule.AddKind(s, rule.TypedKind[*storagev1.CSINode]{Validate: csiNode})
	rule.AddKind(s, rule.TypedKind[*storagev1.CSIDriver]{Validate: csiDriver})
	rule.AddKind(s, rule.TypedKind[*storagev1.CSIStorageCapacity]{Validate: csiCapacity})
}
