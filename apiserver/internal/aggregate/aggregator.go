package aggregate

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/authz/feed"
	"github.com/keelson/keelson/apiserver/internal/rest/discovery"
	apiregistrationv1 "github.com/keelson/keelson/proto/gen/keelson/apiregistration/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/schema"
)

const group = "apiregistration.k8s.io"

// DialService connects to an endpoint of a Service, by the number of one of its ports.
type DialService func(ctx context.Context, namespace, name string, port int32) (net.Conn, error)

// Config is what an aggregator needs.
type Config struct {
	// Registry holds what this server serves itself.
	Registry *schema.Registry
	// Certificate is shown to other servers, which trust who shows it to name users.
	Certificate func() *tls.Certificate
	// Authentication is what other servers need to trust this one: see Authentication.
	Authentication Authentication
	Logger         *zap.Logger
}

// groupVersion names an API.
type groupVersion struct{ group, version string }

func (gv groupVersion) name() string { return gv.version + "." + gv.group }

// Aggregator knows which servers add to the API. It is safe for concurrent use.
type Aggregator struct {
	cfg     Config
	views   *feed.Set
	builtin map[groupVersion]bool
	// routes are the remotes by what they serve; the map is replaced as a whole.
	routes atomic.Pointer[map[groupVersion]*remote]
	// revision counts changes of what others serve.
	revision atomic.Int64
	dial     atomic.Pointer[DialService]

	mu       sync.Mutex
	services map[string]*apiregistrationv1.APIService
	dirty    chan struct{} // holds one token while the objects changed since they were last looked at
	ctx      context.Context
	server   *pipeline.Server
	running  sync.WaitGroup // one for each remote
}

// New returns an aggregator that knows of no other server until Run.
func New(cfg Config) *Aggregator {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	a := &Aggregator{cfg: cfg, builtin: map[groupVersion]bool{}, services: map[string]*apiregistrationv1.APIService{}, dirty: make(chan struct{}, 1)}
	for _, k := range schema.Builtin().Kinds() {
		if k.Served {
			a.builtin[groupVersion{k.Group, k.Version}] = true
		}
	}
	a.routes.Store(&map[groupVersion]*remote{})
	a.views = feed.NewSet(cfg.Logger, a.apiServices(), a.kick("", "services"), a.kick("discovery.k8s.io", "endpointslices"))
	return a
}

// SetDial tells how Services are reached; before that none is.
func (a *Aggregator) SetDial(d DialService) { a.dial.Store(&d) }

// Run follows the objects until ctx ends, and returns after all it started has.
func (a *Aggregator) Run(ctx context.Context, s *pipeline.Server) {
	ctx = feed.Context(ctx)
	a.mu.Lock()
	a.ctx, a.server = ctx, s
	a.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { a.views.Run(ctx, feed.From(s)) })
	wg.Go(func() { a.keepLocal(ctx, s) })
	wg.Go(func() { a.keepAuthentication(ctx, s) })
	wg.Wait()
	a.running.Wait()
}

// apiServices follows the objects.
func (a *Aggregator) apiServices() feed.View {
	return feed.View{
		Resource: &resourcev1.Resource{Group: group, Version: "v1", Plural: "apiservices"},
		Set: func(it *pipeline.Item) error {
			o := &apiregistrationv1.APIService{}
			if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(it.Trimmed(), o); err != nil {
				return err
			}
			a.set(it.Name, o)
			return nil
		},
		Delete: func(_, name string) { a.set(name, nil) },
	}
}

// kick has the remotes looked at whose Service or its endpoints change.
func (a *Aggregator) kick(group, plural string) feed.View {
	look := func(match func(s *apiregistrationv1.ServiceReference) bool) {
		for _, r := range *a.routes.Load() {
			if match(r.object.GetSpec().GetService()) {
				r.look()
			}
		}
	}
	return feed.View{
		Resource: &resourcev1.Resource{Group: group, Version: "v1", Plural: plural}, MetadataOnly: true,
		Set: func(it *pipeline.Item) error {
			name := it.Name
			if owner, ok := it.Label("kubernetes.io/service-name"); ok && plural == "endpointslices" {
				name = owner
			}
			look(func(s *apiregistrationv1.ServiceReference) bool {
				return s.GetNamespace() == it.Namespace && s.GetName() == name
			})
			return nil
		},
		// Of a slice that is gone only the name is known; that happens rarely enough to look at the whole namespace's.
		Delete: func(namespace, _ string) {
			look(func(s *apiregistrationv1.ServiceReference) bool { return s.GetNamespace() == namespace })
		},
	}
}

// set takes an object as it is now; nil where it is gone.
func (a *Aggregator) set(name string, o *apiregistrationv1.APIService) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if o == nil {
		delete(a.services, name)
	} else {
		a.services[name] = o
	}
	a.route(name, o)
	select {
	case a.dirty <- struct{}{}:
	default:
	}
}

// route starts, replaces or ends the remote of an object.
func (a *Aggregator) route(name string, o *apiregistrationv1.APIService) {
	old := a.find(name)
	gv := groupVersion{o.GetSpec().GetGroup(), o.GetSpec().GetVersion()}
	if o.GetSpec().GetService() == nil || gv.name() != name || a.builtin[gv] || a.ctx == nil || a.ctx.Err() != nil {
		if old != nil {
			a.replace(func(m map[groupVersion]*remote) { delete(m, old.gv) })
			old.stop()
		}
		return
	}
	if old != nil && proto.Equal(old.object.GetSpec(), o.GetSpec()) && old.object.GetMetadata().GetUid() == o.GetMetadata().GetUid() {
		return // its status only
	}
	next := newRemote(a, gv, o)
	if old != nil {
		next.inherit(old)
	}
	a.replace(func(m map[groupVersion]*remote) { m[gv] = next })
	if old != nil {
		old.stop()
	}
	a.running.Add(1)
	go func() {
		defer a.running.Done()
		next.run()
	}()
}

func (a *Aggregator) find(name string) *remote {
	for gv, r := range *a.routes.Load() {
		if gv.name() == name {
			return r
		}
	}
	return nil
}

func (a *Aggregator) replace(change func(map[groupVersion]*remote)) {
	m := maps.Clone(*a.routes.Load())
	change(m)
	a.routes.Store(&m)
	a.revision.Add(1)
}

// Revision counts the changes of what other servers serve.
func (a *Aggregator) Revision() int64 { return a.revision.Load() }

// External lists what other servers serve, for discovery.
func (a *Aggregator) External() []discovery.External {
	var out []discovery.External
	for gv, r := range *a.routes.Load() {
		out = append(out, discovery.External{Group: gv.group, Version: gv.version, GroupPriority: r.object.GetSpec().GetGroupPriorityMinimum(),
			VersionPriority: r.object.GetSpec().GetVersionPriority(), Document: r.document()})
	}
	return out
}
