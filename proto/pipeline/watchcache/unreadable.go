package watchcache

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/pipeline/store"
)

// Unreadable is an object that the store has but that nobody can read: its value is damaged, or encrypted with a key
// that is not there. It is neither shown nor taken for deleted: whoever would have to see it is told.
type Unreadable struct {
	// Key is the store's.
	Key             string
	Namespace, Name string
	Err             error
}

// UnreadableError ends or refuses a read that would have to show objects that cannot be read.
type UnreadableError struct{ Objects []*Unreadable }

// Error names the keys.
func (e *UnreadableError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "unable to transform or decode %d objects: {", len(e.Objects))
	for _, u := range e.Objects {
		fmt.Fprintf(&b, " %s: %v;", u.Key, u.Err)
	}
	return b.String() + " }"
}

// unreadables are a collection's; they are replaced as a whole, for snapshots share them.
type unreadables map[Position]*Unreadable

func newUnreadables(list []*Unreadable) unreadables {
	var out unreadables
	for _, u := range list {
		out = out.with(u)
	}
	return out
}

func (u unreadables) with(one *Unreadable) unreadables {
	out := maps.Clone(u)
	if out == nil {
		out = unreadables{}
	}
	out[Position{one.Namespace, one.Name}] = one
	return out
}

func (u unreadables) without(at Position) unreadables {
	out := maps.Clone(u)
	delete(out, at)
	return out
}

// check returns an UnreadableError if a read of a namespace ("" is all), or of one name in it, concerns any.
func (u unreadables) check(namespace, name string) error {
	if len(u) == 0 {
		return nil
	}
	var found []*Unreadable
	for at, one := range u {
		if (namespace == "" || namespace == at.Namespace) && (name == "" || name == at.Name) {
			found = append(found, one)
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.SortFunc(found, func(a, b *Unreadable) int { return strings.Compare(a.Key, b.Key) })
	return &UnreadableError{found}
}

// Check tells whether a list of a namespace ("" is all), or of one name in it, would have to show objects that cannot be
// read: an *UnreadableError.
func (s *Snapshot) Check(namespace, name string) error { return s.unreadable.check(namespace, name) }

// Check tells whether an object cannot be read: an *UnreadableError.
func (c *Collection) Check(namespace, name string) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.unreadable.check(namespace, name)
}

// cannotRead notes that a value cannot be read.
func (c *Collection) cannotRead(kv store.KV, namespace, name string, err error) *Unreadable {
	c.cache.cfg.Logger.Error("object in the store cannot be read", zap.String("key", kv.Key), zap.Error(err))
	return &Unreadable{Key: kv.Key, Namespace: namespace, Name: name, Err: err}
}

// hide takes an object out whose new value cannot be read. That is no deletion: watchers have to start over, and will
// be told. The lock is held.
func (c *Collection) hide(u *Unreadable, revision int64) {
	c.unreadable = c.unreadable.with(u)
	c.revision = revision
	c.recent.reset(revision)
	for _, w := range c.watchers.all() {
		w.cut(ErrTooSlow)
	}
}
