package informer

import "github.com/keelson/keelson/proto/sdk/client"

// EventType says what happened to an object in the store.
type EventType int

// Types of events.
const (
	// Added is an object that the store did not have.
	Added EventType = iota
	// Updated is a newer state of an object.
	Updated
	// Deleted is an object that is gone, or does not match the selectors any more.
	Deleted
)

// String returns "Added", "Updated" or "Deleted".
func (t EventType) String() string { return [...]string{"Added", "Updated", "Deleted"}[t] }

// Event is a change of the store.
type Event[T client.Object] struct {
	Type EventType
	// Old is the state before; nil for Added. For Deleted it is the last known one.
	Old T
	// New is the state after; nil for Deleted.
	New T
	// Revision of the change. A deletion that was found by listing again has the list's revision.
	Revision int64
}

// Object returns New, or for Deleted Old.
func (e Event[T]) Object() T {
	if e.Type == Deleted {
		return e.Old
	}
	return e.New
}

// Key returns the object's key.
func (e Event[T]) Key() client.Key { return client.KeyOf(e.Object()) }
