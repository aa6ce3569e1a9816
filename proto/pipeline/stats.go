package pipeline

import (
	"github.com/keelson/keelson/proto/pipeline/watchcache"
	"github.com/keelson/keelson/proto/schema"
)

// Stats describe the cache of one kind at one moment.
type Stats struct {
	Kind *schema.Kind
	watchcache.Stats
}

// Stats returns the figures of all served kinds.
func (s *Server) Stats() []Stats {
	var out []Stats
	for _, c := range s.cache.Collections() {
		if k := c.Kind(); k.Served {
			out = append(out, Stats{k, c.Stats()})
		}
	}
	return out
}
