package feed

import (
	"context"
	"sync"

	"go.uber.org/zap"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
)

// Set runs several views of one source.
type Set struct {
	feeds  []*feed
	logger *zap.Logger

	mu     sync.RWMutex
	source Source
}

// NewSet returns a set that does not run yet.
func NewSet(logger *zap.Logger, views ...View) *Set {
	s := &Set{logger: logger}
	for _, v := range views {
		s.feeds = append(s.feeds, newFeed(v, logger))
	}
	return s
}

// Run follows the source until ctx ends, and returns after all its goroutines have.
func (s *Set) Run(ctx context.Context, source Source) {
	s.mu.Lock()
	s.source = source
	s.mu.Unlock()
	ctx = Context(ctx)
	var wg sync.WaitGroup
	for _, f := range s.feeds {
		wg.Go(func() { f.run(ctx, source) })
	}
	wg.Wait()
}

// WaitForSync returns once every view has been filled.
func (s *Set) WaitForSync(ctx context.Context) error {
	for _, f := range s.feeds {
		if err := f.waitFor(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// CatchUp returns once the views hold everything that was written before the call.
func (s *Set) CatchUp(ctx context.Context) error {
	s.mu.RLock()
	source := s.source
	s.mu.RUnlock()
	if source == nil {
		return nil
	}
	revision, err := source.Revision(Context(ctx))
	if err != nil {
		return err
	}
	for _, f := range s.feeds {
		if err := f.waitFor(ctx, revision); err != nil {
			return err
		}
	}
	return nil
}

// pipelineSource makes a Source of a server.
type pipelineSource struct{ server *pipeline.Server }

// From makes a Source of the pipeline.
func From(s *pipeline.Server) Source { return pipelineSource{s} }

func (p pipelineSource) Open(ctx context.Context, r *resourcev1.WatchOpen) (Stream, error) {
	w, err := p.server.Watch(ctx, r)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Revision reads it from a list of a kind with few objects, which the cache answers after it has caught up with the
// store.
func (p pipelineSource) Revision(ctx context.Context) (int64, error) {
	list, err := p.server.List(ctx, &resourcev1.ListRequest{
		Selection: &resourcev1.Selection{Resource: &resourcev1.Resource{Plural: "namespaces"}}, Limit: 1,
	})
	if err != nil {
		return 0, err
	}
	return list.Revision, nil
}
