package allkinds

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// Set is all kinds: those of the schema, and those that CustomResourceDefinitions add.
type Set struct {
	conn        *client.Conn
	log         *zap.Logger
	fixed       []*Kind
	definitions *informer.Informer[*apiextensionsv1.CustomResourceDefinition] // nil where the API does not serve them
	changed     chan struct{}
	// ready is closed once the custom kinds that were there at the start are in the view.
	ready    chan struct{}
	handlers []func(*Kind, Event)
	arrivals []func(*Kind)

	view atomic.Pointer[view]
}

// view is the kinds at a time.
type view struct {
	all, custom []*Kind
	by          map[groupKind]*Kind
}

type groupKind struct{ group, kind string }

// New makes the caches of all stored kinds but Events, which own nothing and are owned by nobody, and are many.
func New(conn *client.Conn, registry *schema.Registry, log *zap.Logger) *Set {
	s := &Set{conn: conn, log: log, changed: make(chan struct{}, 1), ready: make(chan struct{})}
	for _, k := range Stored(registry) {
		if !isEvent(k) {
			s.fixed = append(s.fixed, newKind(conn, k, log))
		}
	}
	s.show(nil)
	if k, ok := registry.ByKind("apiextensions.k8s.io", "v1", "CustomResourceDefinition"); ok && k.Served {
		s.definitions = informer.New(conn, informer.Options[*apiextensionsv1.CustomResourceDefinition]{Logger: log, Trim: true})
		s.definitions.OnEvent(func(informer.Event[*apiextensionsv1.CustomResourceDefinition]) {
			select {
			case s.changed <- struct{}{}:
			default:
			}
		})
	}
	return s
}

// OnEvent has f called for each change of an object of any kind, present or future: in order for one kind, at the same
// time for several. Call it before Run.
func (s *Set) OnEvent(f func(*Kind, Event)) { s.handlers = append(s.handlers, f) }

// OnArrival has f called for each custom kind that is followed, once its cache is complete: until then its objects may come
// and go without an event. Call it before Run.
func (s *Set) OnArrival(f func(*Kind)) { s.arrivals = append(s.arrivals, f) }

func (s *Set) show(custom []*Kind) {
	v := &view{all: slices.Concat(s.fixed, custom), custom: custom, by: map[groupKind]*Kind{}}
	for _, k := range v.all {
		v.by[groupKind{k.Group, k.Kind.Kind}] = k
	}
	s.view.Store(v)
}

// Kinds lists the kinds that there are now.
func (s *Set) Kinds() []*Kind { return s.view.Load().all }

// Custom lists the custom kinds that there are now.
func (s *Set) Custom() []*Kind { return s.view.Load().custom }

// Find returns the kind of a group and name; nil where the API does not serve it.
func (s *Set) Find(group, kind string) *Kind { return s.view.Load().by[groupKind{group, kind}] }

// WaitForSync returns once the caches of all kinds are complete, but for custom kinds that cannot be read.
func (s *Set) WaitForSync(ctx context.Context) error {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for _, k := range s.Kinds() {
		if err := k.WaitForSync(ctx); err != nil {
			return err
		}
	}
	return nil
}

// WaitFor returns once the kinds are those of the revision or newer.
func (s *Set) WaitFor(ctx context.Context, revision int64) error {
	if s.definitions == nil {
		return nil
	}
	return s.definitions.WaitFor(ctx, revision)
}

// Run fills the caches and follows the definitions of custom kinds until ctx ends.
func (s *Set) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, k := range s.fixed {
		s.subscribe(k)
		g.Go(func() error { return k.Cache.Run(ctx) })
	}
	if s.definitions == nil {
		close(s.ready)
		return g.Wait()
	}
	g.Go(func() error { return s.definitions.Run(ctx) })
	g.Go(func() error { return s.follow(ctx) })
	return g.Wait()
}

func (s *Set) subscribe(k *Kind) {
	k.Cache.OnEvent(func(e Event) {
		for _, f := range s.handlers {
			f(k, e)
		}
		if e.Type == informer.Deleted {
			select {
			case k.emptied <- struct{}{}:
			default:
			}
		}
	})
}

// follow keeps one cache for each custom kind.
func (s *Set) follow(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	if err := s.definitions.WaitForSync(ctx); err != nil {
		return nil
	}
	have := map[client.Kind]*follower{}
	for first := true; ; first = false {
		s.adjust(ctx, have, &running)
		if first {
			close(s.ready)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.changed:
		}
	}
}
