package apply

import (
	"sync"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// maxSetBytes bounds the encoded sets that one generation of the cache keeps; parsed ones are some ten times as large.
const maxSetBytes = 128 << 10

// setCache keeps parsed sets by their encoding. Objects made by one controller mostly have the same managed fields, so
// that few sets are parsed again and again. The sets are shared: nobody may insert into them.
type setCache struct {
	mu sync.Mutex
	// young is filled; once it is full it becomes old, and what was old and not asked for is forgotten.
	young, old map[string]*fieldpath.Set
	bytes      int
}

var sets = setCache{young: map[string]*fieldpath.Set{}}

// parse returns the set that raw encodes.
func (c *setCache) parse(raw []byte) (*fieldpath.Set, error) {
	c.mu.Lock()
	set, ok := c.young[string(raw)]
	if !ok {
		if set, ok = c.old[string(raw)]; ok {
			c.keep(raw, set)
		}
	}
	c.mu.Unlock()
	if ok {
		return set, nil
	}
	set, err := parseSet(raw)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(raw, set)
	return set, nil
}

// keep adds a set; the lock is held.
func (c *setCache) keep(raw []byte, set *fieldpath.Set) {
	if len(raw) > maxSetBytes/8 {
		return
	}
	if c.bytes += len(raw); c.bytes > maxSetBytes {
		c.old, c.young, c.bytes = c.young, map[string]*fieldpath.Set{}, len(raw)
	}
	c.young[string(raw)] = set
}
