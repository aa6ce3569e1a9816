package watchcache

import (
	"sort"
	"weak"

	"github.com/keelson/keelson/proto/pipeline/item"
)

// change is one change of one object, shared by all who are told of it.
type change struct {
	// item is the new state; nil where the object is gone.
	item *item.Item
	// old is the state before; nil where the object is new.
	old      *item.Item
	revision int64
	// last is old with the change's revision: what watchers see that lose sight of the object, for as long as one of them
	// has it. The lock of the collection is held where it is used.
	last weak.Pointer[item.Item]
}

// gone returns the object's last state at the revision of the change.
func (ch *change) gone() *item.Item {
	it := ch.last.Value()
	if it == nil {
		it = ch.old.At(ch.revision)
		ch.last = weak.Make(it)
	}
	return it
}

// historyBytes bounds what the recent changes of a kind keep alive that is not the current state any more; leastHistory
// is how many are kept however large they are.
const (
	historyBytes = 12 << 20
	leastHistory = 512
)

// ring holds the most recent changes of a kind in order.
type ring struct {
	limit   int
	changes []*change
	head    int
	// gone are the first changes that were forgotten because of their size: nil, but still in their places. bytes is what
	// the others keep alive.
	gone, bytes int
	// oldest is the earliest revision from which a watch can start: all later changes are here.
	oldest int64
}

func (r *ring) reset(revision int64) { *r = ring{limit: r.limit, oldest: revision} }

func (r *ring) add(ch *change) {
	r.bytes += ch.size()
	if len(r.changes) < r.limit {
		r.changes = append(r.changes, ch)
	} else {
		if r.gone > 0 {
			r.gone--
		} else {
			r.forget(0)
		}
		r.changes[r.head] = ch
		r.head = (r.head + 1) % len(r.changes)
	}
	for r.bytes > historyBytes && len(r.changes)-r.gone > leastHistory {
		r.forget(r.gone)
		r.gone++
	}
}

// forget drops the oldest change that is left, the i-th.
func (r *ring) forget(i int) {
	at := (r.head + i) % len(r.changes)
	r.oldest = r.changes[at].revision
	r.bytes -= r.changes[at].size()
	r.changes[at] = nil
}

// size is what a change keeps alive: the state that it has replaced.
func (ch *change) size() int {
	if ch.old == nil {
		return 0
	}
	return ch.old.Size()
}

func (r *ring) at(i int) *change { return r.changes[(r.head+r.gone+i)%len(r.changes)] }

// after calls f for each change after a revision; false where the ring does not reach back so far.
func (r *ring) after(revision int64, f func(*change)) bool {
	if revision < r.oldest {
		return false
	}
	n := len(r.changes) - r.gone
	for i := sort.Search(n, func(i int) bool { return r.at(i).revision > revision }); i < n; i++ {
		f(r.at(i))
	}
	return true
}
