package cel

import (
	"strings"
	"sync"

	celgo "github.com/google/cel-go/cel"
)

// cachedPrograms is how many compiled expressions an environment remembers; the oldest is forgotten. Policies and
// schemas hold their own programs: the cache saves compiling twice what was checked just before.
const cachedPrograms = 512

type cached struct {
	program *Program
	err     error
}

type cache struct {
	mu      sync.Mutex
	entries map[string]cached
	order   []string
}

func newCache() *cache { return &cache{entries: map[string]cached{}} }

func cacheKey(expression string, results []*celgo.Type) string {
	var b strings.Builder
	for _, t := range results {
		b.WriteString(t.String())
		b.WriteByte(0)
	}
	b.WriteString(expression)
	return b.String()
}

func (c *cache) get(key string) (*Program, error, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	return e.program, e.err, ok
}

func (c *cache) put(key string, p *Program, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[key]; !ok {
		if len(c.order) == cachedPrograms {
			delete(c.entries, c.order[0])
			c.order = c.order[1:]
		}
		c.order = append(c.order, key)
	}
	c.entries[key] = cached{p, err}
}
