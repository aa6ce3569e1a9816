package informer

import (
	"context"
	"reflect"
	"sync"

	"github.com/keelson/keelson/proto/sdk/client"
	"golang.org/x/sync/errgroup"
)

// Group shares informers between the parts of a process: one per type, over all namespaces, with managed fields left
// out. Parts get theirs with Of before Run.
type Group struct {
	conn *client.Conn
	mu   sync.Mutex
	all  map[reflect.Type]member
	list []member
}

// member is an informer of any type.
type member interface {
	Run(context.Context) error
	WaitForSync(context.Context) error
}

// NewGroup returns an empty group.
func NewGroup(c *client.Conn) *Group {
	return &Group{conn: c, all: map[reflect.Type]member{}}
}

// Of returns the group's informer of T, with the indexers added. An index of the same name is expected to be the same.
func Of[T client.Object](g *Group, indexers ...map[string]func(T) []string) *Informer[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := reflect.TypeFor[T]()
	i, ok := g.all[t].(*Informer[T])
	if !ok {
		i = New(g.conn, Options[T]{Trim: true})
		g.all[t] = i
		g.list = append(g.list, i)
	}
	for _, set := range indexers {
		i.addIndexers(set)
	}
	return i
}

// addIndexers adds indexes, before Run.
func (i *Informer[T]) addIndexers(set map[string]func(T) []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.running {
		panic("informer: an indexer added after Run")
	}
	for name, f := range set {
		if i.store.indexers == nil {
			i.store.indexers = map[string]func(T) []string{}
		}
		i.store.indexers[name] = f
		i.store.indexes[name] = map[string]map[client.Key]T{}
	}
}

// Run runs all informers of the group until the context ends.
func (g *Group) Run(ctx context.Context) error {
	eg, ctx := errgroup.WithContext(ctx)
	for _, m := range g.members() {
		eg.Go(func() error { return m.Run(ctx) })
	}
	return eg.Wait()
}

// WaitForSync returns once all informers of the group are synced.
func (g *Group) WaitForSync(ctx context.Context) error {
	for _, m := range g.members() {
		if err := m.WaitForSync(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (g *Group) members() []member {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]member(nil), g.list...)
}
