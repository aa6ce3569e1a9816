// Package owner reads and writes owner references: which controller manages an object, and how an object is adopted or
// released. At most one reference of an object has controller set; only that one makes its target responsible.
package owner

import (
	"google.golang.org/protobuf/proto"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// ControllerOf returns the managing controller's reference, nil where the object is an orphan.
func ControllerOf(m *metav1.ObjectMeta) *metav1.OwnerReference {
	for _, ref := range m.GetOwnerReferences() {
		if ref.GetController() {
			return ref
		}
	}
	return nil
}

// ControllerUID is the UID of the managing controller, empty for an orphan.
func ControllerUID(m *metav1.ObjectMeta) string { return ControllerOf(m).GetUid() }

// NewControllerRef makes the reference that declares the object m of a kind to be the managing controller.
func NewControllerRef(apiVersion, kind string, m *metav1.ObjectMeta) *metav1.OwnerReference {
	return &metav1.OwnerReference{
		ApiVersion:         apiVersion,
		Kind:               kind,
		Name:               m.GetName(),
		Uid:                m.GetUid(),
		Controller:         proto.Bool(true),
		BlockOwnerDeletion: proto.Bool(true),
	}
}

// Without returns refs less those to the given owner.
func Without(refs []*metav1.OwnerReference, uid string) []*metav1.OwnerReference {
	out := make([]*metav1.OwnerReference, 0, len(refs))
	for _, ref := range refs {
		if ref.GetUid() != uid {
			out = append(out, ref)
		}
	}
	return out
}

// Claim is what a controller should do about an object that it might manage.
type Claim int

// The claims.
const (
	// Ignore: the object is someone else's, or nobody's and does not match.
	Ignore Claim = iota
	// Keep: already managed by the controller, and matching.
	Keep
	// Adopt: an orphan that matches.
	Adopt
	// Release: managed by the controller but no longer matching.
	Release
)

// Decide classifies an object for the controller with the given metadata. A controller that is being deleted neither
// adopts nor releases; objects that are being deleted are left as they are.
func Decide(controller, object *metav1.ObjectMeta, matches bool) Claim {
	ref := ControllerOf(object)
	switch {
	case ref != nil && ref.GetUid() != controller.GetUid():
		return Ignore
	case ref != nil && matches:
		return Keep
	case ref != nil:
		if controller.GetDeletionTimestamp() != nil {
			return Ignore
		}
		return Release
	case !matches || controller.GetDeletionTimestamp() != nil || object.GetDeletionTimestamp() != nil:
		return Ignore
	default:
		return Adopt
	}
}
