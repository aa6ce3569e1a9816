package watchcache

import (
	"sort"
	"sync/atomic"

	"github.com/keelson/keelson/proto/pipeline/item"
)

// change is one change of one object, shared by all who are told of it.
type change struct {
	// item is the new state; nil where the object is gone.
	item *item.Item
	// old is the state before; nil where the object is new.
	old      *item.Item
	revision int64
	// last is old with the change's revision: what watchers see that lose sight of the object.
	last atomic.Pointer[item.Item]
}

// gone returns the object's last state at the revision of the change.
func (ch *change) gone() *item.Item {
	if it := ch.last.Load(); it != nil {
		return it
	}
	it := ch.old.At(ch.revision)
	if ch.last.CompareAndSwap(nil, it) {
		return it
	}
	return ch.last.Load()
}

// ring holds the most recent changes of a kind in order.
type ring struct {
	limit   int
	changes []*change
	head    int
	// oldest is the earliest revision from which a watch can start: all later changes are here.
	oldest int64
}

func (r *ring) reset(revision int64) { *r = ring{limit: r.limit, oldest: revision} }

func (r *ring) add(ch *change) {
	if len(r.changes) < r.limit {
		r.changes = append(r.changes, ch)
		return
	}
	r.oldest = r.changes[r.head].revision
	r.changes[r.head] = ch
	r.head = (r.head + 1) % len(r.changes)
}

func (r *ring) at(i int) *change { return r.changes[(r.head+i)%len(r.changes)] }

// after calls f for each change after a revision; false where the ring does not reach back so far.
func (r *ring) after(revision int64, f func(*change)) bool {
	if revision < r.oldest {
		return false
	}
	n := len(r.changes)
	for i := sort.Search(n, func(i int) bool { return r.at(i).revision > revision }); i < n; i++ {
		f(r.at(i))
	}
	return true
}
