package watchcache

// Stats describe a collection at one moment.
type Stats struct {
	// Objects and Watchers are how many there are now.
	Objects, Watchers int
	// CutOff counts the watchers that were too slow since the start.
	CutOff int64
}

// Stats returns the collection's figures.
func (c *Collection) Stats() Stats {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return Stats{Objects: c.tree.len(), Watchers: c.watchers.count, CutOff: c.cutOff.Load()}
}

// Collections returns all collections.
func (c *Cache) Collections() []*Collection { return c.set.Load().list }
