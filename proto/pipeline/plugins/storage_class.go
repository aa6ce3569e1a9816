package plugins

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	storagev1 "github.com/keelson/keelson/proto/gen/keelson/storage/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// Annotations of a default class, and of claims of before there was a field for the class.
const (
	defaultClass     = "storageclass.kubernetes.io/is-default-class"
	oldDefaultClass  = "storageclass.beta.kubernetes.io/is-default-class"
	oldClassOfClaims = "volume.beta.kubernetes.io/storage-class"
)

// DefaultStorageClass gives claims that name no class the cluster's default one: of several the newest.
type DefaultStorageClass struct{ Access strategy.Access }

// Name implements admission.Plugin.
func (*DefaultStorageClass) Name() string { return "DefaultStorageClass" }

// Admit implements admission.Plugin.
func (p *DefaultStorageClass) Admit(_ context.Context, r *admission.Request) error {
	c, ok := r.Object.(*corev1.PersistentVolumeClaim)
	if !ok || r.Operation != admission.Create || r.Subresource != "" || c.GetSpec() == nil || c.Spec.StorageClassName != nil {
		return nil
	}
	if _, named := c.GetMetadata().GetAnnotations()[oldClassOfClaims]; named {
		return nil
	}
	var best *storagev1.StorageClass
	for _, it := range p.Access.Items("storage.k8s.io", "storageclasses", "") {
		msg, err := it.Decode()
		if err != nil {
			return apierrors.NewInternal(err)
		}
		class := msg.(*storagev1.StorageClass)
		a := class.GetMetadata().GetAnnotations()
		if a[defaultClass] != "true" && a[oldDefaultClass] != "true" {
			continue
		}
		// Items come by name: of classes of the same second the first by name stays.
		if best == nil || class.Metadata.GetCreationTimestamp().GetSeconds() > best.Metadata.GetCreationTimestamp().GetSeconds() {
			best = class
		}
	}
	if best != nil {
		c.Spec.StorageClassName = proto.String(best.GetMetadata().GetName())
	}
	return nil
}
