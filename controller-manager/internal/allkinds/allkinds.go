// Package allkinds treats every kind that the API serves alike: by metadata only. The garbage collector and the removal
// of namespaces need no more, and a kind that is added to the schema is covered without a change here.
package allkinds

import (
	"slices"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"go.uber.org/zap"
)

// Object is an object's metadata.
type Object = *metav1.PartialObjectMetadata

// Event is a change of an object's metadata.
type Event = informer.Event[Object]

// Names of indexes.
const (
	byOwner     = "owner"
	byNamespace = "namespace"
)

// Kind is one kind with its cache.
type Kind struct {
	client.Kind
	Client *client.Client[Object]
	Cache  *informer.Informer[Object]
}

// Is reports whether the kind is the one of a group and name, in whatever version.
func (k *Kind) Is(group, kind string) bool { return k.Group == group && k.Kind.Kind == kind }

// Get returns an object from the cache if it is the one with the UID.
func (k *Kind) Get(namespace, name, uid string) (Object, bool) {
	obj, ok := k.Cache.Get(namespace, name)
	return obj, ok && obj.GetMetadata().GetUid() == uid
}

// Dependents returns the cached objects that name the UID as an owner.
func (k *Kind) Dependents(uid string) []Object { return k.Cache.ByIndex(byOwner, uid) }

// InNamespace returns the cached objects of a namespace.
func (k *Kind) InNamespace(name string) []Object { return k.Cache.ByIndex(byNamespace, name) }

// Set is all kinds.
type Set struct {
	kinds []*Kind
}

// New makes the caches of all stored kinds but Events, which own nothing and are owned by nobody, and are many.
func New(conn *client.Conn, registry *schema.Registry, log *zap.Logger) *Set {
	s := &Set{}
	for _, k := range Stored(registry) {
		if isEvent(k) {
			continue
		}
		cl := client.Metadata(conn, k)
		s.kinds = append(s.kinds, &Kind{
			Kind: k, Client: cl,
			Cache: informer.Over(cl, informer.Options[Object]{Logger: log, Indexers: map[string]func(Object) []string{
				byOwner:     owners,
				byNamespace: func(o Object) []string { return []string{o.GetMetadata().GetNamespace()} },
			}}),
		})
	}
	return s
}

func isEvent(k client.Kind) bool { return k.Kind == "Event" }

func owners(o Object) []string {
	refs := o.GetMetadata().GetOwnerReferences()
	if len(refs) == 0 {
		return nil
	}
	out := make([]string, 0, len(refs))
	for _, ref := range refs {
		if !slices.Contains(out, ref.GetUid()) {
			out = append(out, ref.GetUid())
		}
	}
	return out
}

// Stored lists the kinds of which objects exist, each in one version.
func Stored(registry *schema.Registry) []client.Kind {
	var out []client.Kind
	for _, k := range registry.Kinds() {
		if !k.Served || k.Ephemeral || k.ListDescriptor == nil {
			continue
		}
		same := func(have client.Kind) bool { return have.Group == k.Group && have.Kind == k.Kind }
		if slices.ContainsFunc(out, same) {
			continue
		}
		out = append(out, client.Kind{Group: k.Group, Version: k.Version, Kind: k.Kind, Plural: k.Plural, Namespaced: k.Namespaced})
	}
	return out
}

// Kinds lists the kinds.
func (s *Set) Kinds() []*Kind { return s.kinds }

// Find returns the kind of a group and name; nil where the API does not serve it.
func (s *Set) Find(group, kind string) *Kind {
	for _, k := range s.kinds {
		if k.Is(group, kind) {
			return k
		}
	}
	return nil
}
