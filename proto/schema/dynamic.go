package schema

import (
	"cmp"
	"strconv"
	"strings"
	"sync"
)

// customSet are the custom kinds of a moment, with the built-in ones among all.
type customSet struct {
	all        []*Kind
	byResource map[triple]*Kind
	byKind     map[triple]*Kind
	revision   int64
	// changed is closed when another set takes this one's place.
	changed chan struct{}
}

// replacing serialises SetCustom over all registries; it is rare.
var replacing sync.Mutex

// Fork returns a registry with the same built-in kinds to which custom ones can be added.
func (r *Registry) Fork() *Registry {
	f := &Registry{kinds: r.kinds, byResource: r.byResource, byKind: r.byKind, byMessage: r.byMessage}
	f.custom.Store(&customSet{all: r.kinds, changed: make(chan struct{})})
	return f
}

// SetCustom puts these custom kinds in the place of all that there were, at once. Kinds that take the place of a built-in
// one are not found. It panics for a registry that is not a fork: the built-in one is shared by all.
func (r *Registry) SetCustom(kinds []*Kind) {
	replacing.Lock()
	defer replacing.Unlock()
	old := r.custom.Load()
	if old == nil {
		panic("schema: SetCustom on a registry that is not a fork")
	}
	next := &customSet{byResource: map[triple]*Kind{}, byKind: map[triple]*Kind{}, revision: old.revision + 1, changed: make(chan struct{})}
	for _, k := range kinds {
		next.byResource[triple{k.Group, k.Version, k.Plural}] = k
		next.byKind[triple{k.Group, k.Version, k.Kind}] = k
	}
	next.all = append(append(make([]*Kind, 0, len(r.kinds)+len(kinds)), r.kinds...), kinds...)
	sortKinds(next.all)
	custom := make([]*Kind, 0, len(kinds))
	for _, k := range next.all {
		if k.Custom != nil {
			custom = append(custom, k)
		}
	}
	preferred(custom, next.byResource, next.byKind)
	r.custom.Store(next)
	close(old.changed)
}

// Revision counts the changes of the custom kinds; changed is closed with the next one. Who derives something from the
// kinds reads the revision first. Both are zero for a registry that is not a fork.
func (r *Registry) Revision() (revision int64, changed <-chan struct{}) {
	if c := r.custom.Load(); c != nil {
		return c.revision, c.changed
	}
	return 0, nil
}

// CompareVersions orders versions as Kubernetes does, best first: v2, v1, v1beta2, v1beta1, v1alpha1, and then others by
// name.
func CompareVersions(a, b string) int {
	if a == b {
		return 0
	}
	x, okX := parseVersion(a)
	y, okY := parseVersion(b)
	switch {
	case okX && okY:
		return -cmp.Or(cmp.Compare(x.stability, y.stability), cmp.Compare(x.major, y.major), cmp.Compare(x.minor, y.minor))
	case okX:
		return -1
	case okY:
		return 1
	}
	return strings.Compare(a, b)
}

// version is a name such as v1beta2 taken apart.
type version struct{ stability, major, minor int }

func parseVersion(s string) (version, bool) {
	rest, ok := strings.CutPrefix(s, "v")
	if !ok {
		return version{}, false
	}
	v, minor := version{stability: 2}, ""
	for stability, word := range []string{"alpha", "beta"} {
		if major, after, found := strings.Cut(rest, word); found {
			v.stability, rest, minor = stability, major, after
			if minor == "" {
				return version{}, false
			}
			break
		}
	}
	var err error
	if v.major, err = number(rest); err != nil {
		return version{}, false
	}
	if minor != "" {
		if v.minor, err = number(minor); err != nil {
			return version{}, false
		}
	}
	return v, true
}

// number reads digits and nothing else.
func number(s string) (int, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.Atoi(s)
}
