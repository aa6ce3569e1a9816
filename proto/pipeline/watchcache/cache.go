package watchcache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/schema"
)

// Root is the prefix of all objects' keys.
const Root = "/registry/"

// loadPage is how many keys one read of the initial load asks for.
const loadPage = 2000

// startHistory is how many changes before its start a cache can resume watches from.
const startHistory = 5000

// bookmarkEvery is how often watchers that allow bookmarks get one without asking: often enough that a client which
// resumes finds its revision still in the history of recent changes.
const bookmarkEvery = 30 * time.Second

// askAgain is how long after a failure the store is asked for its revision again.
const askAgain = 200 * time.Millisecond

// Errors of reads and watches.
var (
	// ErrTooOld is returned where a watch would start before the recent changes.
	ErrTooOld = errors.New("watchcache: revision is too old")
	// ErrTooSlow ends a watcher that did not read its events in time, or whose cache was loaded anew.
	ErrTooSlow = errors.New("watchcache: watcher is too slow")
	// ErrEnded ends a watcher whose kind has changed or is gone. It is no failure: who still wants to watch starts over.
	ErrEnded = errors.New("watchcache: the kind has changed")
	// ErrClosed is returned once the cache or the watcher is closed.
	ErrClosed = errors.New("watchcache: closed")
)

// Config is what a Cache needs.
type Config struct {
	Store store.Store
	// Kinds are the stored kinds, one for each storage path.
	Kinds []*schema.Kind
	// Others are, by storage path, further kinds in whose form objects may be stored.
	Others map[string][]*schema.Kind
	// History is how many recent changes of a kind are kept for watches that resume.
	History int
	// Buffer is how many events a watcher may lag behind.
	Buffer int
	Logger *zap.Logger
}

// Cache holds all kinds. It follows the store by a single watch, so that one revision speaks of everything.
type Cache struct {
	cfg Config
	// set is replaced as a whole, under changing.
	set      atomic.Pointer[set]
	changing sync.Mutex

	progress progress
	current  batcher
	dispatch *dispatcher

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	// askers are the watchers whose requests for progress are not answered yet; asks wakes the goroutine that does.
	asking sync.Mutex
	askers []*Watcher
	asks   chan struct{}
}

// New returns a cache that is empty until Start.
func New(cfg Config) *Cache {
	c := &Cache{cfg: cfg, asks: make(chan struct{}, 1), dispatch: newDispatcher()}
	c.progress.init()
	c.current.ask = cfg.Store.Revision
	all := &set{byPath: map[string]*Collection{}}
	for _, k := range cfg.Kinds {
		col := newCollection(c, k)
		col.kinds.Store(&Versions{Storage: k, Others: cfg.Others[k.StoragePath]})
		all.byPath[k.StoragePath] = col
		all.list = append(all.list, col)
	}
	c.set.Store(all)
	return c
}

// Collection returns the cache of a stored kind; nil for others.
func (c *Cache) Collection(k *schema.Kind) *Collection { return c.set.Load().byPath[k.StoragePath] }

// Start loads everything and follows the store from there until Close. The context bounds the loading.
func (c *Cache) Start(ctx context.Context) error {
	c.ctx, c.cancel = context.WithCancel(context.Background())
	now, err := c.cfg.Store.Revision(ctx)
	if err != nil {
		c.cancel()
		return err
	}
	from, err := c.loadPast(ctx, now)
	if err != nil {
		c.cancel()
		return err
	}
	c.wg.Add(2)
	go func() { defer c.wg.Done(); c.follow(from) }()
	go func() { defer c.wg.Done(); c.bookmarks() }()
	for range servers() {
		c.wg.Go(c.dispatch.serve)
	}
	if err := c.WaitFor(ctx, now); err != nil {
		c.Close()
		return err
	}
	return nil
}

// Close ends all watchers and waits for the cache's goroutines.
func (c *Cache) Close() {
	if c.cancel == nil {
		return
	}
	c.cancel()
	c.dispatch.close()
	c.wg.Wait()
	for _, col := range c.set.Load().list {
		col.endWatchers(ErrClosed)
	}
}

// Revision is the one up to which everything has been seen.
func (c *Cache) Revision() int64 { return c.progress.load() }

// Current returns the store's revision: at least that of each write acknowledged before the call. Readers that ask at
// the same time share one question to the store.
func (c *Cache) Current(ctx context.Context) (int64, error) { return c.current.do(ctx) }

// WaitFor blocks until the cache has seen a revision.
func (c *Cache) WaitFor(ctx context.Context, revision int64) error {
	return c.progress.wait(ctx, revision)
}

// load reads the whole store at one revision, 0 is the current one, into the collections.
func (c *Cache) load(ctx context.Context, revision int64) (int64, error) {
	trees := map[*Collection]*loading{}
	r := store.Range{Prefix: Root, Limit: loadPage, Revision: revision}
	for {
		page, err := c.cfg.Store.List(ctx, r)
		if err != nil {
			return 0, fmt.Errorf("reading %s: %w", Root, err)
		}
		if r.Revision == 0 {
			r.Revision = page.Revision
		}
		for _, kv := range page.KVs {
			col, ns, name := c.locate(kv.Key)
			if col == nil {
				continue
			}
			l := trees[col]
			if l == nil {
				l = &loading{}
				trees[col] = l
			}
			it, err := col.decode(kv, ns, name)
			if err != nil {
				// It must not keep other kinds, and reads of other objects, from being served.
				l.unreadable = append(l.unreadable, col.cannotRead(kv, ns, name, err))
				continue
			}
			l.items = append(l.items, it)
		}
		if len(page.KVs) == 0 || int64(len(page.KVs)) >= page.Count {
			break
		}
		r.Start = page.KVs[len(page.KVs)-1].Key + "\x00"
	}
	for _, col := range c.set.Load().list {
		col.replace(trees[col], r.Revision)
	}
	c.progress.advance(r.Revision)
	return r.Revision, nil
}

// follow applies the store's changes until the cache is closed. When the watch cannot go on (its start is compacted),
// everything is read again and watchers have to start over.
func (c *Cache) follow(from int64) {
	for c.ctx.Err() == nil {
		err := c.followOnce(from)
		if c.ctx.Err() != nil {
			return
		}
		c.cfg.Logger.Warn("watch of the store ended; reading everything again", zap.Error(err))
		for backoff := 50 * time.Millisecond; c.ctx.Err() == nil; backoff = min(2*backoff, 5*time.Second) {
			if from, err = c.load(c.ctx, 0); err == nil {
				break
			}
			c.cfg.Logger.Error("the store cannot be read", zap.Error(err), zap.Duration("again in", backoff))
			select {
			case <-time.After(backoff):
			case <-c.ctx.Done():
			}
		}
	}
}

func (c *Cache) followOnce(from int64) error {
	w, err := c.cfg.Store.Watch(c.ctx, "", from+1)
	if err != nil {
		return err
	}
	defer w.Close()
	for {
		b, err := w.Next(c.ctx)
		if err != nil {
			return err
		}
		c.apply(b)
	}
}

// apply brings the collections to the batch's revision. Events are grouped by kind: the order within a kind is what
// its watchers are promised, and nothing is seen across kinds before the revision advances.
func (c *Cache) apply(b store.Batch) {
	var groups []*group
next:
	for _, e := range b.Events {
		col, ns, name := c.locate(e.KV.Key)
		if col == nil {
			continue
		}
		ch := pending{e: e, namespace: ns, name: name}
		for _, g := range groups {
			if g.col == col {
				g.changes = append(g.changes, ch)
				continue next
			}
		}
		groups = append(groups, &group{col: col, changes: []pending{ch}})
	}
	for _, g := range groups {
		g.col.apply(g.changes)
	}
	c.progress.advance(b.Revision)
}

type group struct {
	col     *Collection
	changes []pending
}

type pending struct {
	e               store.Event
	namespace, name string
}

// locate finds the collection and name of a key; nil for keys of nothing that is served.
func (c *Cache) locate(key string) (col *Collection, namespace, name string) {
	rest, ok := strings.CutPrefix(key, Root)
	if !ok {
		return nil, "", ""
	}
	byPath := c.set.Load().byPath
	// Storage paths have one segment, or two ("services/specs").
	first := strings.IndexByte(rest, '/')
	if first < 0 {
		return nil, "", ""
	}
	end := first
	if col = byPath[rest[:first]]; col == nil {
		second := strings.IndexByte(rest[first+1:], '/')
		if second < 0 {
			return nil, "", ""
		}
		end = first + 1 + second
		if col = byPath[rest[:end]]; col == nil {
			return nil, "", ""
		}
	}
	name = rest[end+1:]
	if col.Kind().Namespaced {
		if namespace, name, ok = strings.Cut(name, "/"); !ok {
			return nil, "", ""
		}
	}
	if name == "" || strings.Contains(name, "/") && !col.slashes {
		return nil, "", ""
	}
	return col, namespace, name
}

// Key returns the store's key of an object.
func Key(k *schema.Kind, namespace, name string) string {
	if k.Namespaced {
		return Root + k.StoragePath + "/" + namespace + "/" + name
	}
	return Root + k.StoragePath + "/" + name
}

// ask notes a watcher's request for progress and wakes the goroutine that answers it.
func (c *Cache) ask(w *Watcher) {
	c.noteAskers(w)
	c.wakeAnswerer()
}

func (c *Cache) noteAskers(ws ...*Watcher) {
	c.asking.Lock()
	defer c.asking.Unlock()
	for _, w := range ws {
		if !w.asked {
			w.asked = true
			c.askers = append(c.askers, w)
		}
	}
}

func (c *Cache) wakeAnswerer() {
	select {
	case c.asks <- struct{}{}:
	default:
	}
}

// takeAskers returns those who have asked up to now. Who asks later is for the next question to the store: the answer
// to this one may be older than theirs.
func (c *Cache) takeAskers() []*Watcher {
	c.asking.Lock()
	defer c.asking.Unlock()
	askers := c.askers
	c.askers = nil
	for _, w := range askers {
		w.asked = false
	}
	return askers
}

// bookmarks gives watchers their bookmarks: at intervals, and soon when they ask.
func (c *Cache) bookmarks() {
	tick := time.NewTicker(bookmarkEvery)
	defer tick.Stop()
	var again <-chan time.Time
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
			for _, col := range c.set.Load().list {
				col.bookmarkAll()
			}
		case <-again:
			c.wakeAnswerer()
		case <-c.asks:
			askers := c.takeAskers()
			rev, err := c.Current(c.ctx)
			if err == nil {
				err = c.WaitFor(c.ctx, rev)
			}
			if err != nil {
				c.cfg.Logger.Warn("progress of the store is not known", zap.Error(err))
				c.noteAskers(askers...)
				again = time.After(askAgain)
				continue
			}
			for _, w := range askers {
				w.c.bookmark(w)
			}
		}
	}
}
