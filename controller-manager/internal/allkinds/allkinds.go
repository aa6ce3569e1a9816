// Package allkinds treats every kind that the API serves alike: by metadata only. The garbage collector and the removal
// of namespaces need no more, and a kind that is added to the schema is covered without a change here. Custom kinds come
// and go with their CustomResourceDefinitions while the process runs.
package allkinds

import (
	"context"
	"slices"
	"time"

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

// patience bounds how long a custom kind may hold anything up.
const patience = 10 * time.Second

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

	// custom kinds may be broken, by a webhook that does not answer for one, and must not hold up the others.
	custom bool
	// begun is when the cache of a custom kind began to fill.
	begun time.Time
	// emptied has a signal after an object has gone.
	emptied chan struct{}
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

// WaitForSync returns once the cache holds a complete state.
func (k *Kind) WaitForSync(ctx context.Context) error {
	return k.bounded(ctx, k.Cache.WaitForSync)
}

// WaitFor returns once the cache has seen everything up to the revision. For a custom kind that is not served any more,
// or whose objects cannot be read, it returns as well: what is owned there is not known then.
func (k *Kind) WaitFor(ctx context.Context, revision int64) error {
	return k.bounded(ctx, func(ctx context.Context) error { return k.Cache.WaitFor(ctx, revision) })
}

// bounded is how long anybody waits for a custom kind.
func (k *Kind) bounded(ctx context.Context, wait func(context.Context) error) error {
	if !k.custom {
		return wait(ctx)
	}
	select {
	case <-k.Cache.Synced():
	default:
		if time.Since(k.begun) > patience {
			return nil
		}
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := wait(limited); err != nil && ctx.Err() != nil {
		return err
	}
	return nil
}

func newKind(conn *client.Conn, k client.Kind, log *zap.Logger) *Kind {
	cl := client.Metadata(conn, k)
	return &Kind{
		Kind: k, Client: cl, emptied: make(chan struct{}, 1),
		Cache: informer.Over(cl, informer.Options[Object]{Logger: log, Indexers: map[string]func(Object) []string{
			byOwner:     owners,
			byNamespace: func(o Object) []string { return []string{o.GetMetadata().GetNamespace()} },
		}}),
	}
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
		if !k.Served || k.Ephemeral || len(k.Verbs) > 0 || k.ListDescriptor == nil {
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
