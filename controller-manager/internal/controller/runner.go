package controller

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/queue"
)

// Key names an object; cluster-scoped ones have no namespace.
type Key struct {
	Namespace, Name string
}

// String is "namespace/name", or the name alone for cluster-scoped objects.
func (k Key) String() string {
	if k.Namespace == "" {
		return k.Name
	}
	return k.Namespace + "/" + k.Name
}

// KeyOf is the key of an object.
func KeyOf(obj client.Object) Key {
	m := obj.GetMetadata()
	return Key{Namespace: m.GetNamespace(), Name: m.GetName()}
}

// Controller is what the manager starts once this process leads, and waits for when it stops.
type Controller interface {
	// Name is unique in the process; it labels metrics and logs.
	Name() string
	// Run works until ctx ends, then waits for its workers.
	Run(ctx context.Context) error
}

// Reconciler brings one key to its desired state. It is never called twice at the same time for one key. An error is
// retried with back-off; what fails for good should be reported where users look and return nil.
type Reconciler[K comparable] func(ctx context.Context, key K) error

// Options of a runner.
type Options struct {
	// Name of the controller.
	Name string
	// Workers is the number of keys that are reconciled at once. They mostly wait for the server, so it may well be
	// larger than the number of processors.
	Workers int
	// Reads are the caches that must be complete before the first key is reconciled.
	Reads  []Source
	Logger *zap.Logger
}

// Back-off of keys that fail. The first is about the time that a winner's event takes to arrive after a lost race; the
// last bounds how long a user waits once what was wrong is mended.
const (
	firstBackoff = 5 * time.Millisecond
	lastBackoff  = time.Minute
)

// Runner owns the queue and the workers of one controller.
type Runner[K comparable] struct {
	opts  Options
	log   *zap.Logger
	queue *queue.Queue[K]
	fence *fence[K]
}

// NewRunner makes a runner. Keys may be added at once; they wait for Run.
func NewRunner[K comparable](o Options) *Runner[K] {
	return &Runner[K]{
		opts:  o,
		log:   o.Logger.With(zap.String("controller", o.Name)),
		queue: queue.New[K](queue.Options{Name: o.Name, BaseDelay: firstBackoff, MaxDelay: lastBackoff}),
		fence: newFence[K](),
	}
}

// Name is the controller's name.
func (r *Runner[K]) Name() string { return r.opts.Name }

// Log is the controller's logger.
func (r *Runner[K]) Log() *zap.Logger { return r.log }

// Add asks for the key to be reconciled.
func (r *Runner[K]) Add(key K) { r.queue.Add(key) }

// AddAfter asks for the key to be reconciled once d has passed.
func (r *Runner[K]) AddAfter(key K, d time.Duration) { r.queue.AddAfter(key, d) }

// Wrote records that reconciling the key wrote an object at the revision, and that src is the cache that it lands in.
func (r *Runner[K]) Wrote(key K, src Source, revision int64) { r.fence.wrote(key, src, revision) }

// Run waits for the caches, then reconciles keys until ctx ends, and returns when the last worker has.
func (r *Runner[K]) Run(ctx context.Context, reconcile Reconciler[K]) error {
	for _, src := range r.opts.Reads {
		if err := src.WaitForSync(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("%s: waiting for caches: %w", r.opts.Name, err)
		}
	}
	r.log.Debug("caches complete", zap.Int("keys", r.queue.Len()))
	var workers sync.WaitGroup
	for range max(r.opts.Workers, 1) {
		workers.Go(func() { r.work(ctx, reconcile) })
	}
	<-ctx.Done()
	r.queue.ShutDown()
	workers.Wait()
	return nil
}

func (r *Runner[K]) work(ctx context.Context, reconcile Reconciler[K]) {
	for {
		key, ok := r.queue.Get(ctx)
		if !ok {
			return
		}
		r.one(ctx, key, reconcile)
		r.queue.Done(key)
	}
}

func (r *Runner[K]) one(ctx context.Context, key K, reconcile Reconciler[K]) {
	begin := time.Now()
	if err := r.fence.wait(ctx, key); err != nil {
		r.retry(ctx, key, err)
		return
	}
	fenceSeconds.WithLabelValues(r.opts.Name).Observe(time.Since(begin).Seconds())
	begin = time.Now()
	err := r.guarded(ctx, key, reconcile)
	result := "success"
	switch {
	case err == nil:
		r.queue.Forget(key)
	case apierrors.IsConflict(err):
		// Someone else wrote first, and the cache does not show it yet.
		result = "conflict"
		r.log.Debug("lost a race, trying again", zap.Any("key", key), zap.Error(err))
		r.queue.AddRateLimited(key)
	default:
		result = "error"
		r.retry(ctx, key, err)
	}
	observe(r.opts.Name, result, time.Since(begin))
}

// guarded turns a panic into an error, so that one broken object does not stop every other controller.
func (r *Runner[K]) guarded(ctx context.Context, key K, reconcile Reconciler[K]) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return reconcile(ctx, key)
}

func (r *Runner[K]) retry(ctx context.Context, key K, err error) {
	if ctx.Err() != nil {
		return
	}
	r.log.Warn("reconciliation failed, trying again", zap.Any("key", key), zap.Error(err))
	r.queue.AddRateLimited(key)
}
