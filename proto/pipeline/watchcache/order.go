package watchcache

import (
	"strings"

	"github.com/google/btree"

	"github.com/keelson/keelson/proto/pipeline/item"
)

// degree of the trees: a changed path of nodes of this size is copied for each write after a snapshot.
const degree = 32

type tree = btree.BTreeG[*item.Item]

func newTree() *tree { return btree.NewG(degree, less) }

// less orders items as their keys in the store are ordered, so that a page from memory and a page from the store's
// history continue one another.
func less(a, b *item.Item) bool {
	if a.Namespace == b.Namespace {
		return a.Name < b.Name
	}
	return lessNamespace(a.Namespace, b.Namespace)
}

// lessNamespace compares a+"/" with b+"/" for different names.
func lessNamespace(a, b string) bool {
	n := min(len(a), len(b))
	if c := strings.Compare(a[:n], b[:n]); c != 0 {
		return c < 0
	}
	if len(a) < len(b) {
		return '/' < b[n]
	}
	return a[n] < '/'
}
