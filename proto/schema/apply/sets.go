package apply

import (
	"sync"
	"sync/atomic"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/keelson/keelson/proto/schema"
)

// maxSetBytes bounds the encoded sets that one generation of the cache keeps; parsed ones are some ten times as large.
const maxSetBytes = 128 << 10

// setCache keeps parsed sets by their encoding. Objects made by one controller mostly have the same managed fields, so
// that few sets are parsed again and again. The sets are shared: nobody may insert into them.
type setCache struct {
	mu sync.Mutex
	// young is filled; once it is full it becomes old, and what was old and not asked for is forgotten.
	young, old map[string]*parsed
	bytes      int
}

// parsed is a set that was read.
type parsed struct {
	set *fieldpath.Set
	// fits is the last type that the set was found to be one of.
	fits atomic.Pointer[kindType]
}

var sets = setCache{young: map[string]*parsed{}}

// parse returns the set that raw encodes.
func (c *setCache) parse(raw []byte) (*fieldpath.Set, error) {
	p, err := c.get(raw)
	if err != nil {
		return nil, err
	}
	return p.set, nil
}

func (c *setCache) get(raw []byte) (*parsed, error) {
	c.mu.Lock()
	p, ok := c.young[string(raw)]
	if !ok {
		if p, ok = c.old[string(raw)]; ok {
			c.keep(raw, p)
		}
	}
	c.mu.Unlock()
	if ok {
		return p, nil
	}
	set, err := parseSet(raw)
	if err != nil {
		return nil, err
	}
	p = &parsed{set: set}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(raw, p)
	return p, nil
}

// keep adds a set; the lock is held.
func (c *setCache) keep(raw []byte, p *parsed) {
	if len(raw) > maxSetBytes/8 {
		return
	}
	if c.bytes += len(raw); c.bytes > maxSetBytes {
		c.old, c.young, c.bytes = c.young, map[string]*parsed{}, len(raw)
	}
	c.young[string(raw)] = p
}

// reconcile adapts an entry's set to the kind's schema, where that has made one of several fields since.
func (e *entry) reconcile(t *kindType, k *schema.Kind) error {
	p, err := e.parsed()
	if err != nil {
		return err
	}
	if p.fits.Load() == t {
		return nil
	}
	if fits(p.set, t) {
		p.fits.Store(t)
		return nil
	}
	empty, err := typeOf(k).FromUnstructured(map[string]any{})
	if err != nil {
		return err
	}
	set, err := typed.ReconcileFieldSetWithSchema(p.set, empty)
	if err == nil && set != nil {
		e.replace(set)
	}
	return err
}

// fits tells whether a set has nothing below what is owned as a whole.
func fits(set *fieldpath.Set, t *kindType) bool {
	switch {
	case t.untyped:
		return true
	case t.dict != nil && t.dict.atomic, t.dict == nil && t.scalar == "" && t.list != nil && t.list.atomic:
		return false
	case t.dict == nil && t.scalar != "":
		return true
	}
	ok := true
	set.Children.Iterate(func(pe fieldpath.PathElement) {
		var below *kindType
		switch {
		case t.dict == nil && t.list != nil:
			below = t.list.elem
		case t.dict != nil && pe.FieldName != nil:
			below, _ = t.dict.member(*pe.FieldName)
		case t.dict != nil:
			below = t.dict.elem
		}
		if !ok || below == nil {
			return // of fields that are not in the schema nothing is known
		}
		if s, has := set.Children.Get(pe); has {
			ok = fits(s, below)
		}
	})
	return ok
}
