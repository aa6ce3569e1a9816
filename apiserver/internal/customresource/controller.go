package customresource

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/keelson/keelson/apiserver/internal/authz/feed"
	"github.com/keelson/keelson/apiserver/internal/customresource/behaviour"
	"github.com/keelson/keelson/apiserver/internal/customresource/convert"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/schema"
)

const (
	group  = "apiextensions.k8s.io"
	plural = "customresourcedefinitions"
)

// Back-off of what has failed.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// Options are what a Controller needs.
type Options struct {
	Server *pipeline.Server
	// Caller reaches conversion webhooks.
	Caller convert.Caller
	Logger *zap.Logger
	// Clock defaults to time.Now.
	Clock func() time.Time
}

// Controller keeps the pipeline's custom kinds in step with the definitions.
type Controller struct {
	o     Options
	feeds *feed.Set
	// dirty holds a token when there is something to do.
	dirty chan struct{}
	// synced is closed once the definitions that were there at the start are served.
	synced chan struct{}

	mu          sync.Mutex
	definitions map[string]*apiextensionsv1.CustomResourceDefinition

	// made is what was made of the definitions; only the loop's goroutine touches it and cleaning.
	made     map[string]*behaviour.Definition
	cleaning map[string]bool
	// finished names definitions whose cleaning has ended.
	finished chan string
	wg       sync.WaitGroup
}

// New returns a controller that does not run yet.
func New(o Options) *Controller {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	c := &Controller{o: o, dirty: make(chan struct{}, 1), synced: make(chan struct{}), finished: make(chan string),
		definitions: map[string]*apiextensionsv1.CustomResourceDefinition{}, made: map[string]*behaviour.Definition{}, cleaning: map[string]bool{}}
	c.feeds = feed.NewSet(o.Logger, feed.View{Resource: &resourcev1.Resource{Group: group, Version: "v1", Plural: plural}, Set: c.set, Delete: c.forget})
	return c
}

// Run works until the context ends.
func (c *Controller) Run(ctx context.Context) {
	c.wg.Go(func() { c.feeds.Run(ctx, feed.From(c.o.Server)) })
	defer c.wg.Wait()
	if c.feeds.WaitForSync(ctx) != nil {
		return
	}
	c.wake()
	c.loop(feed.Context(ctx))
}

// WaitForSync returns once the definitions that were there at the start are served.
func (c *Controller) WaitForSync(ctx context.Context) error {
	select {
	case <-c.synced:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Controller) set(it *pipeline.Item) error {
	obj, err := it.Decode()
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.definitions[it.Name] = obj.(*apiextensionsv1.CustomResourceDefinition)
	c.mu.Unlock()
	c.wake()
	return nil
}

func (c *Controller) forget(_, name string) {
	c.mu.Lock()
	delete(c.definitions, name)
	c.mu.Unlock()
	c.wake()
}

func (c *Controller) wake() {
	select {
	case c.dirty <- struct{}{}:
	default:
	}
}

func (c *Controller) loop(ctx context.Context) {
	retry := firstRetry
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case name := <-c.finished:
			delete(c.cleaning, name)
			continue
		case <-c.dirty:
		case <-again:
		}
		again = nil
		if err := c.reconcile(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			c.o.Logger.Warn("custom kinds could not be brought up to date", zap.Error(err), zap.Duration("again in", retry))
			again = time.After(retry)
			retry = min(2*retry, lastRetry)
			continue
		}
		retry = firstRetry
	}
}

// ordered returns the definitions, the oldest first: of two that want the same name the older one gets it.
func (c *Controller) ordered() []*apiextensionsv1.CustomResourceDefinition {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*apiextensionsv1.CustomResourceDefinition, 0, len(c.definitions))
	for _, crd := range c.definitions {
		out = append(out, crd)
	}
	slices.SortFunc(out, func(a, b *apiextensionsv1.CustomResourceDefinition) int {
		return cmp.Or(cmp.Compare(a.GetMetadata().GetCreationTimestamp().GetSeconds(), b.GetMetadata().GetCreationTimestamp().GetSeconds()),
			strings.Compare(a.GetMetadata().GetName(), b.GetMetadata().GetName()))
	})
	return out
}

// reconcile serves what is defined now. The status of a definition says so only after requests for it succeed.
func (c *Controller) reconcile(ctx context.Context) error {
	list := c.ordered()
	var held names
	held.builtin(c.o.Server.Registry().Kinds())
	for _, crd := range list {
		held.claim(crd.GetSpec().GetGroup(), crd.GetMetadata().GetName(), crd.GetStatus().GetAcceptedNames())
	}
	verdicts := make([]verdict, len(list))
	made := make(map[string]*behaviour.Definition, len(list))
	var kinds []*schema.Kind
	for i, crd := range list {
		name := crd.GetMetadata().GetName()
		v := held.judge(crd.GetSpec().GetGroup(), name, crd.GetSpec().GetNames(), crd.GetStatus().GetAcceptedNames())
		held.claim(crd.GetSpec().GetGroup(), name, v.accepted)
		verdicts[i] = v
		if !served(crd, v) {
			continue
		}
		made[name] = behaviour.Make(c.made[name], crd, v.accepted, crd.GetMetadata().GetDeletionTimestamp() != nil, c.o.Caller)
		kinds = append(kinds, made[name].Kinds...)
	}
	if err := c.o.Server.SetCustom(ctx, kinds); err != nil {
		return err
	}
	c.made = made
	select {
	case <-c.synced:
	default:
		close(c.synced)
	}
	var failed error
	for i, crd := range list {
		if err := c.status(ctx, crd, verdicts[i]); err != nil {
			failed = err
		}
		c.clean(ctx, crd)
	}
	return failed
}

// served tells whether the kinds of a definition are served: once they have been they stay, though a change asks for
// names that are taken.
func served(crd *apiextensionsv1.CustomResourceDefinition, v verdict) bool {
	return v.ok || isTrue(crd.GetStatus(), established)
}
