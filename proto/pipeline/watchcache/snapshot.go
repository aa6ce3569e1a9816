package watchcache

import (
	"context"
	"time"

	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/store"
)

// Snapshot is the state of a kind at one revision. It never changes.
type Snapshot struct {
	Revision int64
	tree     *tree
	// unreadable are the objects that the tree lacks.
	unreadable unreadables
}

// Len is how many objects the snapshot holds.
func (s *Snapshot) Len() int { return s.tree.len() }

// Get returns one object.
func (s *Snapshot) Get(namespace, name string) (*item.Item, bool) { return s.tree.get(namespace, name) }

// Walk calls f for each object of a namespace ("" is all) in order, from one on, until f returns false. from may name
// an object that does not exist.
func (s *Snapshot) Walk(namespace string, from Position, f func(*item.Item) bool) {
	s.WalkMarked(namespace, from, nil, f)
}

// sweep is up to how many objects it is cheaper to look at the marks of all than to find where a namespace begins: the
// search touches an object for each node of the tree, marks stand in the nodes.
const sweep = 100_000

// WalkMarked is Walk for those who only want objects that have one of some labels, given by their marks. It leaves out
// most of the others, not all.
func (s *Snapshot) WalkMarked(namespace string, from Position, any []Marks, f func(*item.Item) bool) {
	if from == (Position{}) && (namespace == "" || len(any) > 0 && s.tree.len() <= sweep) {
		s.tree.nodes.Ascend(func(e entry) bool {
			return !e.marks.hasAny(any) || namespace != "" && e.Namespace != namespace || f(e.Item)
		})
		return
	}
	start := item.Item{Namespace: from.Namespace, Name: from.Name}
	if namespace == "" {
		s.tree.nodes.AscendGreaterOrEqual(entry{Item: &start}, func(e entry) bool { return !e.marks.hasAny(any) || f(e.Item) })
		return
	}
	start.Namespace = namespace
	s.tree.nodes.AscendGreaterOrEqual(entry{Item: &start}, func(e entry) bool {
		return e.Namespace == namespace && (!e.marks.hasAny(any) || f(e.Item))
	})
}

// Position is a place in the order of objects; the zero value is the start.
type Position struct{ Namespace, Name string }

// Snapshots that pages go on from are kept for some time, so that a slow reader of a long list does not need the
// store's history. Each costs what has changed since, thus there are few.
const (
	keepSnapshots = 8
	keepFor       = 5 * time.Minute
)

type keeper struct{ kept []keptSnapshot }

type keptSnapshot struct {
	s     *Snapshot
	until time.Time
}

func (k *keeper) clear() { k.kept = nil }

// Keep remembers a snapshot whose pages are still to be read.
func (c *Collection) Keep(s *Snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.expire()
	for i := range c.kept.kept {
		if c.kept.kept[i].s.Revision == s.Revision {
			c.kept.kept[i].until = time.Now().Add(keepFor)
			return
		}
	}
	if len(c.kept.kept) == keepSnapshots {
		c.kept.kept = append(c.kept.kept[:0], c.kept.kept[1:]...)
	}
	c.kept.kept = append(c.kept.kept, keptSnapshot{s, time.Now().Add(keepFor)})
}

func (k *keeper) expire() {
	now := time.Now()
	n := 0
	for _, e := range k.kept {
		if e.until.After(now) {
			k.kept[n] = e
			n++
		}
	}
	clear(k.kept[n:])
	k.kept = k.kept[:n]
}

// At returns the state at exactly a revision: from memory where a reader has kept it, else from the store's history.
// Errors are store.ErrCompacted and store.ErrFutureRevision.
func (c *Collection) At(ctx context.Context, revision int64) (*Snapshot, error) {
	c.mu.Lock()
	if s := c.snapshotLocked(); s.Revision == revision || c.revision <= revision && revision <= s.Revision {
		c.mu.Unlock()
		return &Snapshot{Revision: revision, tree: s.tree, unreadable: s.unreadable}, nil
	}
	for _, e := range c.kept.kept {
		if e.s.Revision == revision {
			c.mu.Unlock()
			return e.s, nil
		}
	}
	c.mu.Unlock()
	s, err := c.fromHistory(ctx, revision)
	if err == nil {
		c.Keep(s)
	}
	return s, err
}

func (c *Collection) fromHistory(ctx context.Context, revision int64) (*Snapshot, error) {
	t := newTree()
	var bad []*Unreadable
	r := store.Range{Prefix: Root + c.Kind().StoragePath + "/", Revision: revision, Limit: loadPage}
	for {
		page, err := c.cache.cfg.Store.List(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, kv := range page.KVs {
			col, ns, name := c.cache.locate(kv.Key)
			if col != c {
				continue
			}
			it, err := c.decode(kv, ns, name)
			if err != nil {
				bad = append(bad, c.cannotRead(kv, ns, name, err))
				continue
			}
			t.put(it)
		}
		if len(page.KVs) == 0 || int64(len(page.KVs)) >= page.Count {
			return &Snapshot{Revision: revision, tree: t, unreadable: newUnreadables(bad)}, nil
		}
		r.Start = page.KVs[len(page.KVs)-1].Key + "\x00"
	}
}
