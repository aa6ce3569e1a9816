package pipeline

import (
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/watchcache"
)

// weighed is how many objects Weigh looks at: enough for a fair guess, few enough to cost nothing.
const weighed = 64

// Weigh guesses how many bytes a list of a collection carries, in the objects' own encoding, from a sample. limit is
// the request's, 0 for none. Selectors are not looked at: what they leave out is read nonetheless. It is 0 for
// collections that do not exist.
func (s *Server) Weigh(sel *resourcev1.Selection, limit int64) int64 {
	res, err := s.stored(sel.GetResource(), "list")
	if err != nil {
		return 0
	}
	snap := res.objects.Snapshot()
	var seen, bytes int64
	snap.Walk(sel.GetNamespace(), watchcache.Position{}, func(it *item.Item) bool {
		seen++
		bytes += int64(it.Size())
		return seen < weighed
	})
	if seen < weighed {
		return bytes
	}
	// How many of all objects are in one namespace is not counted anywhere; the whole is the bound.
	count := int64(snap.Len())
	if limit > 0 {
		count = min(count, limit)
	}
	return bytes * count / seen
}
