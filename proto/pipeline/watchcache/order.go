package watchcache

import (
	"strings"

	"github.com/google/btree"

	"github.com/keelson/keelson/proto/pipeline/item"
)

// degree of the trees: a changed path of nodes of this size is copied for each write after a snapshot.
const degree = 32

// tree holds items in order, copy-on-write.
type tree struct{ nodes *btree.BTreeG[entry] }

// entry is an item with the marks of its labels, so that a walk for some labels need not touch the other items.
type entry struct {
	*item.Item
	marks Marks
}

func newTree() *tree {
	return &tree{btree.NewG(degree, func(a, b entry) bool { return less(a.Item, b.Item) })}
}

func (t *tree) clone() *tree { return &tree{t.nodes.Clone()} }

func (t *tree) len() int { return t.nodes.Len() }

// put adds an item and returns the one that it replaces; nil where there was none.
func (t *tree) put(it *item.Item) *item.Item {
	old, _ := t.nodes.ReplaceOrInsert(entry{it, marksOf(it)})
	return old.Item
}

func (t *tree) remove(namespace, name string) *item.Item {
	old, _ := t.nodes.Delete(entry{Item: &item.Item{Namespace: namespace, Name: name}})
	return old.Item
}

func (t *tree) get(namespace, name string) (*item.Item, bool) {
	e, ok := t.nodes.Get(entry{Item: &item.Item{Namespace: namespace, Name: name}})
	return e.Item, ok
}

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
