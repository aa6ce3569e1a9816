// Package syncer keeps the dataplane in step with the API: a change marks its Service, marks are applied together, and
// what failed is tried again. Once everything up to a revision is programmed, the API server is told so.
package syncer

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"

	"github.com/keelson/keelson/proto/sdk/informer"
	"github.com/keelson/keelson/proxy/internal/conntrack"
	"github.com/keelson/keelson/proxy/internal/table"
)

const (
	// retryAfter is how long a failed sync waits before everything is written anew.
	retryAfter = time.Second
	// checkEvery is how often the kernel is asked whether our rules are still reached. No event tells that another
	// program flushed a table.
	checkEvery = 30 * time.Second
	// serviceName is the label by which a slice names its Service.
	serviceName = "kubernetes.io/service-name"
	// SliceIndex finds the slices of a Service.
	SliceIndex = "service"
)

// Dataplane brings a table about.
type Dataplane interface {
	// Reset makes the kernel hold exactly these Services.
	Reset(ctx context.Context, services []*table.Service) error
	// Apply changes these and leaves others; nil removes.
	Apply(ctx context.Context, services map[table.Key]*table.Service) error
	// Intact tells whether the rules are still reached.
	Intact() (bool, error)
}

// Syncer follows Services and EndpointSlices.
type Syncer struct {
	node      string
	dataplane Dataplane
	log       *zap.Logger
	metrics   *Metrics
	services  *informer.Informer[*corev1.Service]
	slices    *informer.Informer[*discoveryv1.EndpointSlice]
	wake      chan struct{}
	synced    chan struct{}

	mu    sync.Mutex
	dirty map[table.Key]time.Time // since when

	// current is the table that is programmed; of the sync goroutine alone.
	current map[table.Key]*table.Service
}

// SliceIndexers are what the slices' informer must have.
func SliceIndexers() map[string]func(*discoveryv1.EndpointSlice) []string {
	return map[string]func(*discoveryv1.EndpointSlice) []string{SliceIndex: func(s *discoveryv1.EndpointSlice) []string {
		return []string{s.GetMetadata().GetNamespace() + "/" + s.GetMetadata().GetLabels()[serviceName]}
	}}
}

// New returns a syncer over informers that somebody else runs, after it.
func New(node string, d Dataplane, services *informer.Informer[*corev1.Service], slices *informer.Informer[*discoveryv1.EndpointSlice], m *Metrics, log *zap.Logger) *Syncer {
	s := &Syncer{
		node: node, dataplane: d, log: log, metrics: m, services: services, slices: slices,
		wake: make(chan struct{}, 1), synced: make(chan struct{}), dirty: map[table.Key]time.Time{},
		current: map[table.Key]*table.Service{},
	}
	services.OnEvent(func(e informer.Event[*corev1.Service]) {
		s.mark(table.Key(e.Key()))
	})
	slices.OnEvent(func(e informer.Event[*discoveryv1.EndpointSlice]) {
		o := e.Object()
		s.mark(table.Key{Namespace: o.GetMetadata().GetNamespace(), Name: o.GetMetadata().GetLabels()[serviceName]})
	})
	return s
}

// Synced is closed once the whole state has been programmed for the first time.
func (s *Syncer) Synced() <-chan struct{} { return s.synced }

func (s *Syncer) mark(key table.Key) {
	s.mu.Lock()
	if _, ok := s.dirty[key]; !ok {
		s.dirty[key] = time.Now()
	}
	s.mu.Unlock()
	s.signal()
}

func (s *Syncer) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run syncs until the context ends.
func (s *Syncer) Run(ctx context.Context) error {
	group, waitCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.services.WaitForSync(waitCtx) })
	group.Go(func() error { return s.slices.WaitForSync(waitCtx) })
	if err := group.Wait(); err != nil {
		return err
	}
	check := time.NewTicker(checkEvery)
	defer check.Stop()
	whole := true
	for {
		// Taken before the marks: what comes later may or may not be in this round.
		revision := min(s.services.Revision(), s.slices.Revision())
		err := s.sync(ctx, whole)
		whole = err != nil
		var retry <-chan time.Time
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.log.Error("cannot program the services; writing all of them again", zap.Error(err), zap.Duration("after", retryAfter))
			s.metrics.failures.Inc()
			timer := time.NewTimer(retryAfter)
			retry = timer.C
		} else {
			s.slices.Acknowledge(revision)
			s.closeSynced()
		}
		if whole {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-retry:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		case <-check.C:
			intact, err := s.dataplane.Intact()
			if err != nil {
				s.log.Warn("cannot check the rules", zap.Error(err))
			}
			if whole = err == nil && !intact; whole {
				s.log.Warn("somebody removed our rules; writing them again")
			}
		}
	}
}

func (s *Syncer) closeSynced() {
	select {
	case <-s.synced:
	default:
		close(s.synced)
	}
}

// sync programs the marked Services, or all.
func (s *Syncer) sync(ctx context.Context, whole bool) error {
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = map[table.Key]time.Time{}
	s.mu.Unlock()
	begin := time.Now()
	if whole {
		return s.reset(ctx, dirty, begin)
	}
	if len(dirty) == 0 {
		return nil
	}
	change := make(map[table.Key]*table.Service, len(dirty))
	for key := range dirty {
		change[key] = s.build(key)
	}
	if err := s.dataplane.Apply(ctx, change); err != nil {
		return err
	}
	udp := false
	for key, service := range change {
		udp = udp || hasUDP(service) || hasUDP(s.current[key])
		if service == nil {
			delete(s.current, key)
		} else {
			s.current[key] = service
		}
	}
	s.metrics.done(begin, dirty)
	s.log.Debug("programmed", zap.Int("services", len(change)), zap.Duration("took", time.Since(begin)))
	if udp {
		s.forgetFlows()
	}
	return nil
}

func (s *Syncer) reset(ctx context.Context, dirty map[table.Key]time.Time, begin time.Time) error {
	next := map[table.Key]*table.Service{}
	var list []*table.Service
	for _, svc := range s.services.List() {
		key := table.Key{Namespace: svc.GetMetadata().GetNamespace(), Name: svc.GetMetadata().GetName()}
		if built := s.build(key); built != nil {
			next[key] = built
			list = append(list, built)
		}
	}
	if err := s.dataplane.Reset(ctx, list); err != nil {
		return err
	}
	s.current = next
	s.metrics.done(begin, dirty)
	s.log.Info("programmed all services", zap.Int("services", len(list)), zap.Duration("took", time.Since(begin)))
	s.forgetFlows()
	return nil
}

// build computes one Service's forwarding from the caches; nil: there is nothing to forward.
func (s *Syncer) build(key table.Key) *table.Service {
	svc, ok := s.services.Get(key.Namespace, key.Name)
	if !ok {
		return nil
	}
	return table.Build(svc, s.slices.ByIndex(SliceIndex, key.String()), s.node)
}

func hasUDP(s *table.Service) bool {
	if s == nil {
		return false
	}
	for _, p := range s.Ports {
		if p.Protocol == "udp" {
			return true
		}
	}
	return false
}

// forgetFlows removes flows to UDP backends that are gone. A failure costs such a flow its life until it times out; the
// next change tries again.
func (s *Syncer) forgetFlows() {
	all := make([]*table.Service, 0, len(s.current))
	for _, service := range s.current {
		all = append(all, service)
	}
	n, err := conntrack.Reconcile(conntrack.Of(all))
	if err != nil {
		s.log.Warn("cannot remove stale UDP flows", zap.Error(err))
		return
	}
	if n > 0 {
		s.log.Info("removed stale UDP flows", zap.Uint("flows", n))
	}
}
