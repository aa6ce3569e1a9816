package etcd

import (
	"context"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/pipeline/store"
)

// reopenAfter is how long a watch that an external cluster has cut (it lost its leader) waits before it is opened
// again.
const reopenAfter = 200 * time.Millisecond

// watcher follows one watch, and opens it again where the cluster cuts it.
type watcher struct {
	s      *Store
	prefix string
	// next is the first revision that has not been delivered.
	next   int64
	ctx    context.Context
	cancel context.CancelFunc
	once   sync.Once
	ch     clientv3.WatchChan
	stop   context.CancelFunc
}

// Watch implements store.Store.
func (s *Store) Watch(ctx context.Context, prefix string, from int64) (store.Watcher, error) {
	if from == 0 {
		rev, err := s.Revision(ctx)
		if err != nil {
			return nil, err
		}
		from = rev + 1
	}
	w := &watcher{s: s, prefix: prefix, next: from}
	w.ctx, w.cancel = context.WithCancel(s.ctx)
	w.open()
	return w, nil
}

func (w *watcher) open() {
	if w.stop != nil {
		w.stop()
	}
	var ctx context.Context
	ctx, w.stop = context.WithCancel(clientv3.WithRequireLeader(w.ctx))
	opts := []clientv3.OpOption{clientv3.WithRev(w.next)}
	key := w.prefix
	if key == "" {
		key = "\x00"
		opts = append(opts, clientv3.WithFromKey())
	} else {
		opts = append(opts, clientv3.WithPrefix())
	}
	w.ch = w.s.client.Watch(ctx, key, opts...)
}

// Next implements store.Watcher.
func (w *watcher) Next(ctx context.Context) (store.Batch, error) {
	for {
		select {
		case resp, ok := <-w.ch:
			switch {
			case w.ctx.Err() != nil:
				return store.Batch{}, store.ErrClosed
			case resp.CompactRevision != 0:
				return store.Batch{}, store.ErrCompacted
			case !ok || resp.Canceled || resp.Err() != nil:
				w.s.log.Warn("watch was cut; opening it again", zap.Int64("revision", w.next), zap.Error(resp.Err()))
				if err := w.reopen(ctx); err != nil {
					return store.Batch{}, err
				}
				continue
			}
			if b := batch(resp); b.Revision > 0 {
				w.next = b.Revision + 1
				return b, nil
			}
		case <-w.ctx.Done():
			return store.Batch{}, store.ErrClosed
		case <-ctx.Done():
			return store.Batch{}, ctx.Err()
		}
	}
}

func (w *watcher) reopen(ctx context.Context) error {
	select {
	case <-time.After(reopenAfter):
		w.open()
		return nil
	case <-w.ctx.Done():
		return store.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// batch translates a response. Its revision is that of the last event: the header's may be ahead of a watch that is
// still catching up. A response without events is a progress report, and only sent to watches that are not behind.
func batch(resp clientv3.WatchResponse) store.Batch {
	if len(resp.Events) == 0 {
		if resp.IsProgressNotify() {
			return store.Batch{Revision: resp.Header.Revision}
		}
		return store.Batch{}
	}
	b := store.Batch{Events: make([]store.Event, len(resp.Events))}
	for i, e := range resp.Events {
		b.Events[i] = store.Event{Type: store.Put, KV: store.KV{Key: string(e.Kv.Key), Value: e.Kv.Value, Revision: e.Kv.ModRevision}}
		if e.Type == clientv3.EventTypeDelete {
			b.Events[i].Type, b.Events[i].KV.Value = store.Delete, nil
		}
	}
	b.Revision = b.Events[len(b.Events)-1].KV.Revision
	return b
}

// Close implements store.Watcher.
func (w *watcher) Close() {
	w.once.Do(w.cancel)
}
