package watchcache

import (
	"context"
	"maps"
	"slices"

	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/schema"
)

// set are the collections of a moment.
type set struct {
	byPath map[string]*Collection
	list   []*Collection
}

// Versions are the kinds in whose form the objects of one collection may be in the store.
type Versions struct {
	// Storage is the one in which they are written.
	Storage *schema.Kind
	// Others are those in which some may have been written.
	Others []*schema.Kind
}

// find returns the kind with an apiVersion.
func (v *Versions) find(apiVersion, kind string) *schema.Kind {
	if v.Storage.APIVersion() == apiVersion && v.Storage.Kind == kind {
		return v.Storage
	}
	if v.Storage.Kind == kind && !v.Storage.IsCustom() && older(apiVersion, kind) {
		return v.Storage
	}
	for _, k := range v.Others {
		if k.APIVersion() == apiVersion && k.Kind == kind {
			return k
		}
	}
	return nil
}

// Add begins to hold another kind and returns once its state is loaded. Calls of Add, Reload and Remove must not be made at
// the same time for one kind.
func (c *Cache) Add(ctx context.Context, v Versions) (*Collection, error) {
	col := newCollection(c, v.Storage)
	c.change(func(s *set) {
		s.byPath[v.Storage.StoragePath] = col
		s.list = append(s.list, col)
	})
	if err := col.Reload(ctx, v); err != nil {
		c.Remove(col)
		return nil, err
	}
	return col, nil
}

// Remove forgets a kind and ends its watchers.
func (c *Cache) Remove(col *Collection) {
	c.change(func(s *set) {
		if path := col.Kind().StoragePath; s.byPath[path] == col {
			delete(s.byPath, path)
		}
		s.list = slices.DeleteFunc(s.list, func(o *Collection) bool { return o == col })
	})
	col.mu.Lock()
	col.gone = true
	col.mu.Unlock()
	col.endWatchers(ErrEnded)
}

func (c *Cache) change(f func(*set)) {
	c.changing.Lock()
	defer c.changing.Unlock()
	old := c.set.Load()
	next := &set{byPath: maps.Clone(old.byPath), list: slices.Clone(old.list)}
	f(next)
	c.set.Store(next)
}

// Rename replaces the kinds of a collection by ones that read the store in the same way.
func (c *Collection) Rename(v Versions) { c.kinds.Store(&v) }

// Reload reads the state from the store again, as other kinds see it, and ends all watchers. Readers see the old state
// until it is there; changes that come meanwhile are part of both.
func (c *Collection) Reload(ctx context.Context, v Versions) error {
	var changes []pending
	c.mu.Lock()
	c.filling = &changes
	c.mu.Unlock()
	l, revision, err := c.read(ctx, &v)
	if err != nil {
		c.mu.Lock()
		c.filling = nil
		c.mu.Unlock()
		return err
	}
	t := newTree()
	for _, it := range l.items {
		t.put(it)
	}
	c.mu.Lock()
	c.kinds.Store(&v)
	c.tree, c.unreadable, c.revision, c.snapshot, c.base = t, newUnreadables(l.unreadable), revision, nil, revision
	c.kept.clear()
	c.recent.reset(revision)
	ended := c.watchers.all()
	c.applyLocked(changes, c.parse(changes))
	c.filling = nil
	c.mu.Unlock()
	for _, w := range ended {
		w.end(ErrEnded)
	}
	return nil
}

// read lists a collection's objects in the store at one revision.
func (c *Collection) read(ctx context.Context, v *Versions) (l loading, revision int64, err error) {
	r := store.Range{Prefix: Root + v.Storage.StoragePath + "/", Limit: loadPage}
	for {
		page, err := c.cache.cfg.Store.List(ctx, r)
		if err != nil {
			return l, 0, err
		}
		if r.Revision == 0 {
			r.Revision = page.Revision
		}
		for _, kv := range page.KVs {
			col, ns, name := c.cache.locate(kv.Key)
			if col != c {
				continue
			}
			it, err := decode(v, kv, ns, name)
			if err != nil {
				l.unreadable = append(l.unreadable, c.cannotRead(kv, ns, name, err))
				continue
			}
			l.items = append(l.items, it)
		}
		if len(page.KVs) == 0 || int64(len(page.KVs)) >= page.Count {
			return l, r.Revision, nil
		}
		r.Start = page.KVs[len(page.KVs)-1].Key + "\x00"
	}
}
