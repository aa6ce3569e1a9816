package fairness

import (
	"context"
	"sync"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/authz/feed"
	flowcontrolv1 "github.com/keelson/keelson/proto/gen/keelson/flowcontrol/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
)

const (
	group        = "flowcontrol.apiserver.k8s.io"
	pluralSchema = "flowschemas"
	pluralLevel  = "prioritylevelconfigurations"
)

// Controller keeps a limiter at what the objects say, and the objects at what every cluster has.
type Controller struct {
	limiter *Limiter
	logger  *zap.Logger
	views   *feed.Set

	mu      sync.Mutex
	schemas map[string]*flowcontrolv1.FlowSchema
	levels  map[string]*flowcontrolv1.PriorityLevelConfiguration
	dirty   chan struct{} // holds one token while something changed since it was last looked at
}

// NewController returns a controller that does not run yet.
func NewController(l *Limiter, logger *zap.Logger) *Controller {
	c := &Controller{limiter: l, logger: logger, schemas: map[string]*flowcontrolv1.FlowSchema{},
		levels: map[string]*flowcontrolv1.PriorityLevelConfiguration{}, dirty: make(chan struct{}, 1)}
	c.views = feed.NewSet(logger, view(c, pluralSchema, c.schemas), view(c, pluralLevel, c.levels))
	return c
}

// view follows a kind into a map, which the controller's lock guards.
func view[T interface {
	proto.Message
	*flowcontrolv1.FlowSchema | *flowcontrolv1.PriorityLevelConfiguration
}](c *Controller, plural string, into map[string]T) feed.View {
	return feed.View{
		Resource: &resourcev1.Resource{Group: group, Version: "v1", Plural: plural},
		Set: func(it *pipeline.Item) error {
			var zero T
			o := zero.ProtoReflect().New().Interface().(T)
			if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(it.Trimmed(), o); err != nil {
				return err
			}
			c.change(func() { into[it.Name] = o })
			return nil
		},
		Delete: func(_, name string) { c.change(func() { delete(into, name) }) },
	}
}

func (c *Controller) change(f func()) {
	c.mu.Lock()
	f()
	c.mu.Unlock()
	select {
	case c.dirty <- struct{}{}:
	default:
	}
}

// Run follows the objects until ctx ends, and returns after all it started has.
func (c *Controller) Run(ctx context.Context, s *pipeline.Server) {
	var wg sync.WaitGroup
	wg.Go(func() { c.views.Run(ctx, feed.From(s)) })
	wg.Go(func() { c.keep(feed.Context(ctx), s) })
	wg.Wait()
}
