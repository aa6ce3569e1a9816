package watchcache

import (
	"sync"
	"sync/atomic"

	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/schema"
)

// Collection is the cache of one kind.
type Collection struct {
	cache *Cache
	kinds atomic.Pointer[Versions]
	// slashes tells whether names may hold slashes: none do so far.
	slashes bool

	mu   sync.RWMutex
	tree *tree
	// unreadable are the objects that the tree lacks because their values cannot be read.
	unreadable unreadables
	// revision is that of the kind's last change.
	revision int64
	// snapshot is the last one taken, until the tree changes.
	snapshot *Snapshot
	kept     keeper
	recent   ring
	watchers registry
	// base is the revision at which the state was loaded: earlier changes are part of it.
	base int64
	// filling gathers the changes that come while the state is loaded anew; nil at other times.
	filling *[]pending
	gone    bool
	cutOff  atomic.Int64
}

// loading gathers a collection's initial state.
type loading struct {
	items      []*item.Item
	unreadable []*Unreadable
}

func newCollection(c *Cache, k *schema.Kind) *Collection {
	col := &Collection{cache: c, tree: newTree(), recent: ring{limit: c.cfg.History}, watchers: newRegistry()}
	col.kinds.Store(&Versions{Storage: k})
	return col
}

// Kind returns the kind in whose form objects are stored now.
func (c *Collection) Kind() *schema.Kind { return c.kinds.Load().Storage }

// Decode makes an item of a value read from the store itself.
func (c *Collection) Decode(kv store.KV, namespace, name string) (*item.Item, error) {
	return c.decode(kv, namespace, name)
}

// replace sets the whole state, at a revision. Watchers cannot bridge that.
func (c *Collection) replace(l *loading, revision int64) {
	t := newTree()
	var bad unreadables
	if l != nil {
		for _, it := range l.items {
			t.put(it)
		}
		bad = newUnreadables(l.unreadable)
	}
	c.mu.Lock()
	c.tree, c.unreadable, c.revision, c.snapshot, c.base = t, bad, revision, nil, revision
	c.kept.clear()
	c.recent.reset(revision)
	c.mu.Unlock()
	c.endWatchers(ErrTooSlow)
}

// apply adds changes in order.
func (c *Collection) apply(changes []pending) {
	states := c.parse(changes)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.filling != nil {
		*c.filling = append(*c.filling, changes...)
	}
	c.applyLocked(changes, states)
}

// parsed is the new state of a changed object: neither field is set where it is deleted.
type parsed struct {
	item *item.Item
	bad  *Unreadable
}

// parse reads the new states of changes: not under the lock.
func (c *Collection) parse(changes []pending) []parsed {
	states := make([]parsed, len(changes))
	for i := range changes {
		if changes[i].e.Type != store.Put {
			continue
		}
		it, err := c.decode(changes[i].e.KV, changes[i].namespace, changes[i].name)
		if err != nil {
			states[i].bad = c.cannotRead(changes[i].e.KV, changes[i].namespace, changes[i].name, err)
			continue
		}
		states[i].item = it
	}
	return states
}

func (c *Collection) applyLocked(changes []pending, states []parsed) {
	for i := range changes {
		if changes[i].e.KV.Revision <= c.base {
			continue
		}
		at := Position{changes[i].namespace, changes[i].name}
		if c.unreadable[at] != nil {
			c.unreadable, c.revision = c.unreadable.without(at), changes[i].e.KV.Revision
		}
		now := states[i].item
		var old *item.Item
		if now != nil {
			old = c.tree.put(now)
		} else {
			old = c.tree.remove(at.Namespace, at.Name)
			if states[i].bad != nil {
				c.hide(states[i].bad, changes[i].e.KV.Revision)
				continue
			}
			if old == nil {
				continue
			}
		}
		c.revision = changes[i].e.KV.Revision
		ch := &change{item: now, old: old, revision: c.revision}
		c.recent.add(ch)
		c.watchers.publish(ch)
	}
	c.snapshot = nil
}

// at is the revision of the tree: the cache's, or that of the kind's last change where the cache is in the middle of
// a batch. The lock is held.
func (c *Collection) at() int64 { return max(c.revision, c.cache.progress.load()) }

// Get returns an object as the cache has it now.
func (c *Collection) Get(namespace, name string) (*item.Item, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tree.get(namespace, name)
}

// Len is how many objects there are.
func (c *Collection) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tree.len()
}

// Snapshot returns the state as the cache has it now.
func (c *Collection) Snapshot() *Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.snapshotLocked()
}

func (c *Collection) snapshotLocked() *Snapshot {
	rev := c.at()
	switch {
	case c.snapshot == nil:
		c.snapshot = &Snapshot{Revision: rev, tree: c.tree.clone(), unreadable: c.unreadable}
	case c.snapshot.Revision != rev:
		// Other kinds have changed: the same tree at a later revision.
		c.snapshot = &Snapshot{Revision: rev, tree: c.snapshot.tree, unreadable: c.snapshot.unreadable}
	}
	return c.snapshot
}

func (c *Collection) endWatchers(err error) {
	c.mu.Lock()
	ws := c.watchers.all()
	c.mu.Unlock()
	for _, w := range ws {
		w.end(err)
	}
}

// bookmark queues a bookmark for a watcher that has asked for one.
func (c *Collection) bookmark(w *Watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.push(Event{Type: Bookmark, Revision: c.at()})
}

// bookmarkAll queues a bookmark for each watcher that wants them at intervals.
func (c *Collection) bookmarkAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	rev := c.at()
	for _, w := range c.watchers.all() {
		if w.o.Bookmarks {
			w.push(Event{Type: Bookmark, Revision: rev})
		}
	}
}
