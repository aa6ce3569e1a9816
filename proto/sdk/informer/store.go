package informer

import (
	"cmp"
	"slices"

	"github.com/keelson/keelson/proto/sdk/client"
)

// entry is an object with the revision at which it became so.
type entry[T client.Object] struct {
	object   T
	revision int64
}

// store is the objects and their indexes. It is guarded by its informer's lock.
type store[T client.Object] struct {
	objects  map[client.Key]entry[T]
	indexers map[string]func(T) []string
	indexes  map[string]map[string]map[client.Key]T // index -> value -> objects
}

func newStore[T client.Object](indexers map[string]func(T) []string) store[T] {
	s := store[T]{
		objects: map[client.Key]entry[T]{}, indexers: indexers,
		indexes: make(map[string]map[string]map[client.Key]T, len(indexers)),
	}
	for name := range indexers {
		s.indexes[name] = map[string]map[client.Key]T{}
	}
	return s
}

func (s *store[T]) list() []T {
	out := make([]T, 0, len(s.objects))
	for _, e := range s.objects {
		out = append(out, e.object)
	}
	return out
}

func (s *store[T]) byIndex(index, value string) []T {
	values, ok := s.indexes[index]
	if !ok {
		panic("informer: no index " + index)
	}
	found := values[value]
	out := make([]T, 0, len(found))
	for _, o := range found {
		out = append(out, o)
	}
	return out
}

// set puts a state of an object in place and appends the events of that: none where the store has a newer one.
func (s *store[T]) set(obj T, revision int64, events []Event[T]) []Event[T] {
	key := client.KeyOf(obj)
	old, had := s.objects[key]
	switch {
	case had && revision <= old.revision:
		return events
	case had && old.object.GetMetadata().GetUid() != obj.GetMetadata().GetUid():
		events = append(events, Event[T]{Type: Deleted, Old: old.object, Revision: revision},
			Event[T]{Type: Added, New: obj, Revision: revision})
	case had:
		events = append(events, Event[T]{Type: Updated, Old: old.object, New: obj, Revision: revision})
	default:
		events = append(events, Event[T]{Type: Added, New: obj, Revision: revision})
	}
	if had {
		s.unindex(key, old.object)
	}
	s.objects[key] = entry[T]{obj, revision}
	s.index(key, obj)
	return events
}

// remove takes an object out. last is its last known state.
func (s *store[T]) remove(last T, revision int64, events []Event[T]) []Event[T] {
	key := client.KeyOf(last)
	old, had := s.objects[key]
	if !had || revision < old.revision {
		return events
	}
	s.unindex(key, old.object)
	delete(s.objects, key)
	return append(events, Event[T]{Type: Deleted, Old: last, Revision: revision})
}

// apply takes in a change of a watch.
func (s *store[T]) apply(e client.WatchEvent[T], events []Event[T]) []Event[T] {
	switch e.Type {
	case client.Added, client.Modified:
		return s.set(e.Object, e.Revision, events)
	case client.Deleted:
		return s.remove(e.Object, e.Revision, events)
	}
	return events
}

// replace makes the store equal to a snapshot taken at the revision and returns what that changed: deletions, then
// the rest in the order in which it happened. An object that has not changed stays the same pointer.
func (s *store[T]) replace(snapshot map[client.Key]entry[T], revision int64) []Event[T] {
	var events []Event[T]
	for key, old := range s.objects {
		if _, ok := snapshot[key]; !ok {
			events = s.remove(old.object, max(revision, old.revision), events)
		}
	}
	changed := make([]entry[T], 0, len(snapshot))
	for key, e := range snapshot {
		old, had := s.objects[key]
		if had && e.revision < old.revision {
			// The servers' state was restored from a backup: what was is no more.
			s.unindex(key, old.object)
			delete(s.objects, key)
			events = append(events, Event[T]{Type: Deleted, Old: old.object, Revision: revision})
		}
		changed = append(changed, e)
	}
	slices.SortFunc(changed, func(a, b entry[T]) int { return cmp.Compare(a.revision, b.revision) })
	for _, e := range changed {
		events = s.set(e.object, e.revision, events)
	}
	return events
}

func (s *store[T]) index(key client.Key, obj T) {
	for name, f := range s.indexers {
		for _, value := range f(obj) {
			objects := s.indexes[name][value]
			if objects == nil {
				objects = map[client.Key]T{}
				s.indexes[name][value] = objects
			}
			objects[key] = obj
		}
	}
}

func (s *store[T]) unindex(key client.Key, obj T) {
	for name, f := range s.indexers {
		for _, value := range f(obj) {
			objects := s.indexes[name][value]
			delete(objects, key)
			if len(objects) == 0 {
				delete(s.indexes[name], value)
			}
		}
	}
}
