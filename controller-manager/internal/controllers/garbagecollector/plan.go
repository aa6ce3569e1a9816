package garbagecollector

import (
	"slices"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/client"
)

// Finalizers by which the API server remembers how an object is to be deleted.
const (
	finalizerForeground = "foregroundDeletion"
	finalizerOrphan     = "orphan"
)

// ownerState is what is known of one owner.
type ownerState int

const (
	// solid: it exists.
	solid ownerState = iota
	// dangling: it does not exist any more.
	dangling
	// waiting: it is being deleted and waits for its dependents.
	waiting
	// unknown: its kind is not served, so nobody can tell.
	unknown
)

// action is what to do with an object.
type action int

const (
	nothing action = iota
	// unlink removes the references to owners that are gone or going.
	unlink
	// remove deletes the object by the policy.
	remove
)

// decide says what becomes of an object with these owners; states are those of its references, in their order.
// dependents is whether it owns anything itself.
func decide(meta *metav1.ObjectMeta, states []ownerState, dependents bool) (a action, policy string) {
	count := func(s ownerState) (n int) {
		for _, have := range states {
			if have == s {
				n++
			}
		}
		return n
	}
	gone, going := count(dangling), count(waiting)
	switch {
	case gone+going == 0:
		return nothing, ""
	case count(solid)+count(unknown) > 0:
		// Somebody else still wants it; only the references have to go.
		return unlink, ""
	case going > 0 && dependents:
		// Its owner waits for everything below, so it has to wait as well.
		return remove, client.Foreground
	default:
		return remove, policyOf(meta)
	}
}

// policyOf is what the object's own finalizers ask for.
func policyOf(meta *metav1.ObjectMeta) string {
	switch {
	case slices.Contains(meta.GetFinalizers(), finalizerOrphan):
		return client.Orphan
	case slices.Contains(meta.GetFinalizers(), finalizerForeground):
		return client.Foreground
	default:
		return client.Background
	}
}

// deletingForeground reports whether an object waits for its dependents to go.
func deletingForeground(meta *metav1.ObjectMeta) bool {
	return meta.GetDeletionTimestamp() != nil && slices.Contains(meta.GetFinalizers(), finalizerForeground)
}

// deletingOrphan reports whether an object waits for its dependents to be let go.
func deletingOrphan(meta *metav1.ObjectMeta) bool {
	return meta.GetDeletionTimestamp() != nil && slices.Contains(meta.GetFinalizers(), finalizerOrphan)
}

// blocks reports whether the dependent keeps the owner from going.
func blocks(dependent *metav1.ObjectMeta, owner string) bool {
	for _, ref := range dependent.GetOwnerReferences() {
		if ref.GetUid() == owner && ref.GetBlockOwnerDeletion() {
			return true
		}
	}
	return false
}
