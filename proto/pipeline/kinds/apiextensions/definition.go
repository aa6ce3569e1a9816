// Package apiextensions is the logic of CustomResourceDefinitions around writes: what the system alone says in their
// status, and that they stay until their objects are gone.
package apiextensions

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// Finalizer keeps a definition until its objects are gone.
const Finalizer = "customresourcecleanup.apiextensions.k8s.io"

// Terminating is the condition of a definition that is being deleted.
const Terminating = "Terminating"

// Definitions are the hooks of CustomResourceDefinitions.
func Definitions() strategy.Hooks {
	return strategy.Hooks{
		PrepareCreate: func(_ context.Context, obj strategy.Object) {
			crd := obj.(*apiextensionsv1.CustomResourceDefinition)
			crd.Status = &apiextensionsv1.CustomResourceDefinitionStatus{}
			noteStorage(crd)
		},
		PrepareUpdate: func(_ context.Context, obj, _ strategy.Object) {
			noteStorage(obj.(*apiextensionsv1.CustomResourceDefinition))
		},
		// A first deletion never removes the definition: it sets the finalizer.
		Held: func(obj strategy.Object) bool { return obj.GetMetadata().GetDeletionTimestamp() == nil },
		BeginDelete: func(_ context.Context, obj strategy.Object) {
			crd := obj.(*apiextensionsv1.CustomResourceDefinition)
			if meta := crd.GetMetadata(); !slices.Contains(meta.GetFinalizers(), Finalizer) {
				meta.Finalizers = append(meta.Finalizers, Finalizer)
			}
			if crd.Status == nil {
				crd.Status = &apiextensionsv1.CustomResourceDefinitionStatus{}
			}
			seconds := crd.GetMetadata().GetDeletionTimestamp().GetSeconds()
			Set(crd.Status, &apiextensionsv1.CustomResourceDefinitionCondition{Type: Terminating, Status: "True", Reason: "InstanceDeletionPending",
				Message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"}, time.Unix(seconds, 0))
		},
	}
}

// noteStorage adds the version in which objects are stored from now on to those in which some may be.
func noteStorage(crd *apiextensionsv1.CustomResourceDefinition) {
	for _, v := range crd.GetSpec().GetVersions() {
		if !v.GetStorage() {
			continue
		}
		if !slices.Contains(crd.GetStatus().GetStoredVersions(), v.GetName()) {
			// The status may be shared with the stored definition.
			status := &apiextensionsv1.CustomResourceDefinitionStatus{}
			if crd.Status != nil {
				status = proto.Clone(crd.Status).(*apiextensionsv1.CustomResourceDefinitionStatus)
			}
			status.StoredVersions = append(status.StoredVersions, v.GetName())
			crd.Status = status
		}
		return
	}
}

// Condition returns a condition; nil where there is none of the type.
func Condition(s *apiextensionsv1.CustomResourceDefinitionStatus, typ string) *apiextensionsv1.CustomResourceDefinitionCondition {
	for _, c := range s.GetConditions() {
		if c.GetType() == typ {
			return c
		}
	}
	return nil
}

// Set adds or replaces a condition. Its time is now where its status changes.
func Set(s *apiextensionsv1.CustomResourceDefinitionStatus, c *apiextensionsv1.CustomResourceDefinitionCondition, now time.Time) {
	seconds := now.Unix()
	c.LastTransitionTime = &metav1.Time{Seconds: &seconds, Nanos: new(int32)}
	for i, have := range s.Conditions {
		if have.GetType() == c.GetType() {
			if have.GetStatus() == c.GetStatus() {
				c.LastTransitionTime = have.GetLastTransitionTime()
			}
			s.Conditions[i] = c
			return
		}
	}
	s.Conditions = append(s.Conditions, c)
}
