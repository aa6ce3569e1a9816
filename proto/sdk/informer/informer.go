package informer

import (
	"context"
	"errors"
	"sync"

	"github.com/keelson/keelson/proto/sdk/client"
	"go.uber.org/zap"
)

// ErrStopped is the error of waiting for an informer whose Run has returned.
var ErrStopped = errors.New("informer: stopped")

// Options select what an informer holds.
type Options[T client.Object] struct {
	// Namespace; empty is all.
	Namespace string
	// LabelSelector and FieldSelector are in Kubernetes' syntax.
	LabelSelector, FieldSelector string
	// Indexers name functions whose values objects are found by with ByIndex.
	Indexers map[string]func(T) []string
	// Trim leaves managed fields out.
	Trim bool
	// Acknowledger names the client where it uses Acknowledge: "proxy/node-1".
	Acknowledger string
	// Logger defaults to the connection's.
	Logger *zap.Logger
}

// Informer is a live copy of a collection. Create it with New, add handlers, then Run it.
type Informer[T client.Object] struct {
	client   *client.Client[T]
	options  Options[T]
	log      *zap.Logger
	handlers []func(Event[T])
	synced   chan struct{}
	stopped  chan struct{}
	progress chan struct{} // capacity 1: somebody waits for a revision
	acks     chan struct{} // capacity 1: acked has grown

	mu       sync.RWMutex
	running  bool
	store    store[T]
	revision int64
	acked    int64
	waiters  map[*waiter]struct{}
}

// New returns an informer of T.
func New[T client.Object](c *client.Conn, o Options[T]) *Informer[T] {
	return Over(client.For[T](c), o)
}

// Over is New with a client that is not the type's own, such as client.Metadata's.
func Over[T client.Object](cl *client.Client[T], o Options[T]) *Informer[T] {
	if o.Trim {
		cl = cl.Trim()
	}
	log := o.Logger
	if log == nil {
		log = cl.Conn().Logger()
	}
	return &Informer[T]{
		client: cl, options: o, log: log.With(zap.String("informer", cl.Kind().Plural)),
		synced: make(chan struct{}), stopped: make(chan struct{}),
		progress: make(chan struct{}, 1), acks: make(chan struct{}, 1),
		store: newStore(o.Indexers), waiters: map[*waiter]struct{}{},
	}
}

// OnEvent adds a handler, before Run. Handlers are called in order and never concurrently. They must not wait for this
// informer and should be quick: a watcher that reads too slowly is cut off and has to list again.
func (i *Informer[T]) OnEvent(f func(Event[T])) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.running {
		panic("informer: OnEvent after Run")
	}
	i.handlers = append(i.handlers, f)
}

// Run fills the store and keeps it current until the context ends; then it returns nil. It outlives every failure of
// the API server. Call it once.
func (i *Informer[T]) Run(ctx context.Context) error {
	i.mu.Lock()
	if i.running {
		i.mu.Unlock()
		return errors.New("informer: Run called twice")
	}
	i.running = true
	i.mu.Unlock()
	defer close(i.stopped)
	i.follow(ctx)
	return nil
}

// Get returns one object. Namespace is empty for cluster-scoped kinds.
func (i *Informer[T]) Get(namespace, name string) (T, bool) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	e, ok := i.store.objects[client.Key{Namespace: namespace, Name: name}]
	return e.object, ok
}

// List returns all objects, in no order.
func (i *Informer[T]) List() []T {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.store.list()
}

// Len returns how many objects there are.
func (i *Informer[T]) Len() int {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return len(i.store.objects)
}

// ByIndex returns the objects for which the named indexer yields the value, in no order. It panics for a name that
// Options.Indexers does not have.
func (i *Informer[T]) ByIndex(index, value string) []T {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.store.byIndex(index, value)
}

// Revision returns up to where the store is complete; 0 before it is synced.
func (i *Informer[T]) Revision() int64 {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.revision
}

// Acknowledge tells the server, now and after every reconnection, that everything up to the revision is in effect.
func (i *Informer[T]) Acknowledge(revision int64) {
	i.mu.Lock()
	i.acked = max(i.acked, revision)
	i.mu.Unlock()
	signal(i.acks)
}

// signal wakes the receiver of a channel with capacity 1.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
