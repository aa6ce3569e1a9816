package client

import (
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// PatchType is one of Kubernetes' four.
type PatchType = resourcev1.PatchType

// The patch types.
const (
	JSONPatch           = resourcev1.PatchType_PATCH_TYPE_JSON
	MergePatch          = resourcev1.PatchType_PATCH_TYPE_MERGE
	StrategicMergePatch = resourcev1.PatchType_PATCH_TYPE_STRATEGIC_MERGE
	ApplyPatch          = resourcev1.PatchType_PATCH_TYPE_APPLY
)

// Propagation policies of DeleteOptions.
const (
	Orphan     = "Orphan"
	Background = "Background"
	Foreground = "Foreground"
)

// GetOptions of a read. The zero value is the most recent state.
type GetOptions struct {
	// ResourceVersion "0" takes any state that the server has; another one waits until it has that.
	ResourceVersion string
}

// ListOptions select the objects of a collection.
type ListOptions struct {
	// Namespace; empty is all.
	Namespace string
	// LabelSelector and FieldSelector are in Kubernetes' syntax.
	LabelSelector, FieldSelector string
	// ResourceVersion and ResourceVersionMatch ("Exact", "NotOlderThan") as in Kubernetes; empty is the most recent.
	ResourceVersion, ResourceVersionMatch string
	// Limit and Continue are of ListPage only.
	Limit    int64
	Continue string
}

// WriteOptions of a create or update.
type WriteOptions struct {
	// DryRun does everything but store.
	DryRun bool
	// FieldManager owns the fields that the write sets. Default: from the connection's user agent.
	FieldManager string
}

// PatchOptions of a patch.
type PatchOptions struct {
	// Subresource to patch, such as "status"; empty is the object.
	Subresource string
	// FieldManager as in WriteOptions; required for ApplyPatch.
	FieldManager string
	// Force takes fields over from other managers; ApplyPatch only.
	Force  bool
	DryRun bool
}

// DeleteOptions of a deletion.
type DeleteOptions struct {
	// GracePeriodSeconds overrides the object's own; 0 deletes at once.
	GracePeriodSeconds *int64
	// Preconditions, where set, must hold.
	Preconditions *metav1.Preconditions
	// PropagationPolicy is Orphan, Background or Foreground; empty is the kind's default.
	PropagationPolicy string
	DryRun            bool
}

func (o WriteOptions) wire() *resourcev1.WriteOptions {
	return &resourcev1.WriteOptions{
		DryRun: o.DryRun, FieldManager: o.FieldManager, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF,
	}
}

func (o DeleteOptions) wire() *metav1.DeleteOptions {
	w := &metav1.DeleteOptions{GracePeriodSeconds: o.GracePeriodSeconds, Preconditions: o.Preconditions}
	if o.PropagationPolicy != "" {
		w.PropagationPolicy = &o.PropagationPolicy
	}
	if o.DryRun {
		w.DryRun = []string{"All"}
	}
	return w
}

// first returns the option that a caller gave, or the zero one.
func first[O any](o []O) O {
	if len(o) == 0 {
		var zero O
		return zero
	}
	return o[0]
}

// UID returns preconditions that hold for the object with this UID only.
func UID(uid string) *metav1.Preconditions { return &metav1.Preconditions{Uid: &uid} }
