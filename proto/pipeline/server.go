package pipeline

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/kinds"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/pipeline/watchcache"
	"github.com/keelson/keelson/proto/schema"
)

// Defaults of Config.
const (
	defaultMaxObjectBytes = 3 << 20
	defaultWatchHistory   = 8192
	defaultWatchBuffer    = 16384
	defaultEventTTL       = time.Hour
)

// Server is the pipeline. All methods may be called concurrently; the caller's identity comes with the context
// (package identity).
type Server struct {
	cfg       Config
	log       *zap.Logger
	cache     *watchcache.Cache
	resources map[*schema.Kind]*resource
	// custom holds the custom kinds' resources by kind.
	custom    sync.Map
	dynamic   dynamic
	handlers  map[handlerKey]*strategy.Handler
	admission []Admission
	kinds     *kinds.Set
	acks      acks
	// bare holds kinds made up for messages that are not resources, by message name.
	bare sync.Map

	// background counts the goroutines that Close waits for.
	background sync.WaitGroup
	ctx        context.Context
	cancel     context.CancelFunc
}

type handlerKey struct{ group, resource, subresource string }

// resource is a kind as the server serves it.
type resource struct {
	kind *schema.Kind
	// storage is the kind in whose form objects are stored: kind itself but for second versions.
	storage *schema.Kind
	// objects is nil for kinds that are never stored.
	objects *watchcache.Collection
	hooks   strategy.Hooks
	// ttl is how long objects live; 0 is for ever.
	ttl time.Duration
}

// New returns a server that does not run yet: Start fills its caches.
func New(cfg Config) (*Server, error) {
	if cfg.Registry == nil || cfg.Store == nil {
		return nil, fmt.Errorf("pipeline: a registry and a store are required")
	}
	setDefaults(&cfg)
	s := &Server{cfg: cfg, log: cfg.Logger, resources: map[*schema.Kind]*resource{}, handlers: map[handlerKey]*strategy.Handler{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	stored := map[string]*schema.Kind{}
	others := map[string][]*schema.Kind{}
	var kinds []*schema.Kind
	for _, k := range cfg.Registry.Kinds() {
		storage := cfg.Registry.Storage(k)
		if k.Ephemeral || k.IsCustom() {
			continue
		}
		if k != storage {
			others[storage.StoragePath] = append(others[storage.StoragePath], k)
		}
		if stored[storage.StoragePath] != nil {
			continue
		}
		stored[storage.StoragePath] = storage
		kinds = append(kinds, storage)
	}
	s.cache = watchcache.New(watchcache.Config{
		Store: cfg.Store, Kinds: kinds, Others: others, History: cfg.WatchHistory, Buffer: cfg.WatchBuffer, Logger: cfg.Logger,
	})
	for _, k := range cfg.Registry.Kinds() {
		if k.IsCustom() {
			continue // see SetCustom
		}
		r := &resource{kind: k, storage: cfg.Registry.Storage(k)}
		if !k.Ephemeral {
			r.objects = s.cache.Collection(r.storage)
		}
		if r.storage.Kind == "Event" {
			r.ttl = cfg.EventTTL
		}
		s.resources[k] = r
	}
	s.install()
	return s, nil
}

func setDefaults(cfg *Config) {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if !cfg.ClusterIPRange.IsValid() {
		cfg.ClusterIPRange = netip.MustParsePrefix("10.96.0.0/16")
	}
	if cfg.NodePortRange == [2]int{} {
		cfg.NodePortRange = [2]int{30000, 32767}
	}
	if cfg.EventTTL == 0 {
		cfg.EventTTL = defaultEventTTL
	}
	if cfg.MaxObjectBytes == 0 {
		cfg.MaxObjectBytes = defaultMaxObjectBytes
	}
	if cfg.WatchHistory == 0 {
		cfg.WatchHistory = defaultWatchHistory
	}
	if cfg.WatchBuffer == 0 {
		cfg.WatchBuffer = defaultWatchBuffer
	}
}

// Start fills the caches, creates what every cluster has (namespaces, priority classes), and returns once requests can
// be served. The context bounds the start only.
func (s *Server) Start(ctx context.Context) error {
	if err := s.cache.Start(ctx); err != nil {
		return err
	}
	if err := s.bootstrap(ctx); err != nil {
		s.Close()
		return fmt.Errorf("bootstrap: %w", err)
	}
	if err := s.kinds.Repair(ctx); err != nil {
		s.Close()
		return fmt.Errorf("addresses and ports of services: %w", err)
	}
	s.run(func() { s.kinds.Run(s.ctx) })
	if s.cfg.Advertise.IsValid() {
		s.run(s.advertise)
	}
	return nil
}

// Close ends all watches and waits for the server's goroutines.
func (s *Server) Close() {
	s.cancel()
	s.background.Wait()
	s.cache.Close()
}

// Revision is the one up to which the caches have seen everything.
func (s *Server) Revision() int64 { return s.cache.Revision() }

// resolve finds what a request addresses.
func (s *Server) resolve(r *resourcev1.Resource) (*resource, error) {
	k, res := s.find(r.GetGroup(), r.GetVersion(), r.GetPlural())
	if k == nil || !k.Served {
		return nil, apierrors.NewUnknownResource(r.GetGroup(), r.GetPlural())
	}
	return res, nil
}

// stored is resolve for collections and objects, which kinds that are never stored do not have.
func (s *Server) stored(r *resourcev1.Resource, verb string) (*resource, error) {
	res, err := s.resolve(r)
	if err == nil && res.objects == nil {
		return nil, apierrors.NewMethodNotSupported(res.kind.Group, res.kind.Plural, verb)
	}
	if err == nil {
		err = res.can(verb)
	}
	return res, err
}
