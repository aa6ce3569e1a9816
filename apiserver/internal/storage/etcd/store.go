package etcd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
	"unsafe"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/keelson/keelson/proto/pipeline/store"
)

// Store is a store.Store over etcd.
type Store struct {
	cfg    Config
	log    *zap.Logger
	client *clientv3.Client
	// embedded is nil for an external cluster.
	embedded *embed.Etcd
	leases   leases

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once
}

var _ store.Store = (*Store)(nil)

// Open starts or reaches etcd. The context bounds that; the store lives until Close.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.CompactEvery == 0 {
		cfg.CompactEvery = defaultCompactEvery
	}
	s := &Store{cfg: cfg, log: cfg.Logger.Named("storage")}
	var err error
	if len(cfg.Endpoints) == 0 {
		s.embedded, s.client, err = startEmbedded(ctx, cfg)
	} else {
		s.client, err = dial(ctx, cfg)
	}
	if err != nil {
		return nil, err
	}
	s.leases.client = s.client
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Add(1)
	go func() { defer s.wg.Done(); s.compactions() }()
	return s, nil
}

// dial reaches an external cluster: one member that answers is enough.
func dial(ctx context.Context, cfg Config) (*clientv3.Client, error) {
	c, err := clientv3.New(clientv3.Config{
		Endpoints: cfg.Endpoints, TLS: cfg.TLS, DialTimeout: dialTimeout,
		DialKeepAliveTime: keepAlive, DialKeepAliveTimeout: keepAliveTimeout, PermitWithoutStream: true,
		MaxCallSendMsgSize: maxRequestBytes, MaxCallRecvMsgSize: math.MaxInt32,
		Logger: quiet(cfg.Logger.Named("etcd"), zapcore.ErrorLevel),
	})
	if err != nil {
		return nil, fmt.Errorf("etcd at %v: %w", cfg.Endpoints, err)
	}
	if _, err := c.Get(ctx, probeKey); err != nil {
		return nil, errors.Join(fmt.Errorf("etcd at %v: %w", cfg.Endpoints, err), c.Close())
	}
	return c, nil
}

// probeKey is read to learn the current revision of an external cluster.
const probeKey = "compact_rev_key"

// Close implements store.Store.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		s.cancel()
		s.wg.Wait()
		err = s.client.Close()
		if errors.Is(err, context.Canceled) {
			err = nil // the client's own context; nothing was lost
		}
		if s.embedded != nil {
			s.embedded.Close()
		}
	})
	return err
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string) (store.KV, error) {
	resp, err := s.client.Get(ctx, key)
	if err != nil {
		return store.KV{}, s.translate(err)
	}
	if len(resp.Kvs) == 0 {
		return store.KV{}, store.ErrNotFound
	}
	return store.KV{Key: key, Value: resp.Kvs[0].Value, Revision: resp.Kvs[0].ModRevision}, nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, r store.Range) (store.RangeResult, error) {
	from, end := max(r.Start, r.Prefix), clientv3.GetPrefixRangeEnd(r.Prefix)
	if r.Prefix == "" {
		from, end = max(r.Start, "\x00"), "\x00" // to the end of the keys
	}
	resp, err := s.client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithRev(r.Revision), clientv3.WithLimit(int64(r.Limit)))
	if err != nil {
		return store.RangeResult{}, s.translate(err)
	}
	out := store.RangeResult{Revision: resp.Header.Revision, Count: resp.Count, KVs: make([]store.KV, 0, len(resp.Kvs))}
	for _, kv := range resp.Kvs {
		out.KVs = append(out.KVs, store.KV{Key: string(kv.Key), Value: kv.Value, Revision: kv.ModRevision})
	}
	return out, nil
}

func (s *Store) put(ctx context.Context, key string, value []byte, ttl time.Duration) (clientv3.Op, error) {
	// The client copies the value once more; nobody writes to it.
	text := unsafe.String(unsafe.SliceData(value), len(value))
	if ttl <= 0 {
		return clientv3.OpPut(key, text), nil
	}
	id, err := s.leases.get(ctx, ttl)
	if err != nil {
		return clientv3.Op{}, err
	}
	return clientv3.OpPut(key, text, clientv3.WithLease(id)), nil
}

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, key string, value []byte, ttl time.Duration) (int64, error) {
	put, err := s.put(ctx, key, value, ttl)
	if err != nil {
		return 0, s.translate(err)
	}
	resp, err := s.client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", 0)).Then(put).Commit()
	if err != nil {
		return 0, s.translate(err)
	}
	if !resp.Succeeded {
		return 0, store.ErrExists
	}
	return resp.Header.Revision, nil
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, key string, value []byte, expected int64, ttl time.Duration) (int64, store.KV, error) {
	put, err := s.put(ctx, key, value, ttl)
	if err != nil {
		return 0, store.KV{}, s.translate(err)
	}
	return s.expect(ctx, key, expected, put)
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string, expected int64) (int64, store.KV, error) {
	return s.expect(ctx, key, expected, clientv3.OpDelete(key))
}

// expect does something to a key at a revision, or returns the state that is there instead.
func (s *Store) expect(ctx context.Context, key string, revision int64, op clientv3.Op) (int64, store.KV, error) {
	resp, err := s.client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", revision)).Then(op).Else(clientv3.OpGet(key)).Commit()
	if err != nil {
		return 0, store.KV{}, s.translate(err)
	}
	if resp.Succeeded {
		return resp.Header.Revision, store.KV{}, nil
	}
	kvs := resp.Responses[0].GetResponseRange().Kvs
	if len(kvs) == 0 {
		return 0, store.KV{}, store.ErrNotFound
	}
	return 0, store.KV{Key: key, Value: kvs[0].Value, Revision: kvs[0].ModRevision}, store.ErrConflict
}

// Revision implements store.Store. The embedded server is the only member of its cluster: it has applied whatever it
// has acknowledged, so that its own counter is the answer. An external cluster is asked for a linearizable read.
func (s *Store) Revision(ctx context.Context) (int64, error) {
	if s.embedded != nil {
		if s.ctx.Err() != nil {
			return 0, store.ErrClosed
		}
		return s.embedded.Server.KV().Rev(), nil
	}
	resp, err := s.client.Get(ctx, probeKey, clientv3.WithKeysOnly())
	if err != nil {
		return 0, s.translate(err)
	}
	return resp.Header.Revision, nil
}

// Compact implements store.Store.
func (s *Store) Compact(ctx context.Context, revision int64) error {
	_, err := s.client.Compact(ctx, revision)
	return s.translate(err)
}

// translate turns etcd's errors into those of package store.
func (s *Store) translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rpctypes.ErrCompacted):
		return store.ErrCompacted
	case errors.Is(err, rpctypes.ErrFutureRev):
		return store.ErrFutureRevision
	case errors.Is(err, rpctypes.ErrRequestTooLarge),
		// gRPC refuses what is far too large before etcd sees it.
		status.Code(err) == codes.ResourceExhausted && strings.Contains(err.Error(), "larger than max"):
		return store.ErrTooLarge
	case s.ctx != nil && s.ctx.Err() != nil:
		return store.ErrClosed
	}
	return err
}
