package fairness

import (
	"context"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keelson/keelson/proto/apierrors"
	flowcontrolv1 "github.com/keelson/keelson/proto/gen/keelson/flowcontrol/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// Options of a limiter.
type Options struct {
	// Seats is how many there are for all levels together. Default: 600, what Kubernetes allows for reads and writes.
	Seats int
	// MaxWait bounds how long a request waits for its seats. Default: 15 s, a quarter of the time a request may take.
	MaxWait time.Duration
	// Registerer takes the metrics; nil keeps none.
	Registerer prometheus.Registerer
}

// retryAfter is what a refused client is told to wait, in seconds.
const retryAfter = 1

// maxPart is the part of a level's seats that one request may take, and maxWidth the most of any level's.
const (
	maxPart  = 4
	maxWidth = 10
)

// Limiter hands out seats. It is safe for concurrent use.
type Limiter struct {
	options Options
	seed    maphash.Seed
	now     func() int64 // a monotonic clock, in nanoseconds
	metrics *metrics
	// configuration is replaced as a whole.
	configuration atomic.Pointer[configuration]

	// mu guards everything below, and all levels. It is held for tens of nanoseconds, twice a request.
	mu      sync.Mutex
	levels  []*level
	lent    int // seats that levels have beyond their nominal ones
	waiting int
}

// configuration is what requests are judged by.
type configuration struct {
	schemas          []*schema // in the order in which they are asked
	exempt, catchAll *schema
}

// New returns a limiter with the configuration that every cluster starts with.
func New(o Options) *Limiter {
	if o.Seats <= 0 {
		o.Seats = 600
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 15 * time.Second
	}
	start := time.Now()
	l := &Limiter{options: o, seed: maphash.MakeSeed(), now: func() int64 { return int64(time.Since(start)) }}
	l.metrics = newMetrics(l, o.Registerer)
	l.Configure(nil, nil)
	return l
}

// Configure replaces the configuration. What is mandatory is added where it is missing or altered; a schema whose level
// does not exist is left out. Requests that are being served or waiting stay.
func (l *Limiter) Configure(schemas []*flowcontrolv1.FlowSchema, levels []*flowcontrolv1.PriorityLevelConfiguration) {
	schemas, levels = complete(schemas, levels)
	l.mu.Lock()
	defer l.mu.Unlock()
	byName := l.split(levels)
	c := &configuration{}
	for _, o := range schemas {
		s := compileSchema(o)
		if s.level = byName[o.GetSpec().GetPriorityLevelConfiguration().GetName()]; s.level == nil {
			continue
		}
		s.hash = maphash.String(l.seed, s.name)
		s.stats = l.metrics.schema(s.level.name, s.name)
		c.schemas = append(c.schemas, s)
		switch s.name {
		case exempt:
			c.exempt = s
		case catchAll:
			c.catchAll = s
		}
	}
	sortSchemas(c.schemas)
	l.configuration.Store(c)
	l.pump(l.now())
}

// split shares the seats out among the levels.
func (l *Limiter) split(levels []*flowcontrolv1.PriorityLevelConfiguration) map[string]*level {
	shares := 0
	configs := make([]levelConfig, len(levels))
	for i, o := range levels {
		configs[i] = compileLevel(o)
		shares += configs[i].shares
	}
	old := make(map[string]*level, len(l.levels))
	for _, v := range l.levels {
		old[v.name] = v
		v.gone = true
	}
	byName := make(map[string]*level, len(configs))
	for _, c := range configs {
		nominal := int(math.Ceil(float64(l.options.Seats) * float64(c.shares) / float64(max(shares, 1))))
		v := old[c.name]
		if v == nil {
			v = &level{}
			l.levels = append(l.levels, v)
		}
		v.configure(c, nominal, l.options.Seats)
		byName[c.name] = v
	}
	l.sweep()
	l.recount()
	return byName
}

// recount brings the sum up to date after a change of levels.
func (l *Limiter) recount() {
	l.lent = 0
	for _, v := range l.levels {
		if !v.exempt {
			l.lent += max(v.used-v.nominal, 0)
		}
	}
}

// sweep drops levels that are gone and have nobody left.
func (l *Limiter) sweep() {
	kept := l.levels[:0]
	for _, v := range l.levels {
		if !v.gone || v.executing > 0 || v.waiting > 0 {
			kept = append(kept, v)
		}
	}
	clear(l.levels[len(kept):])
	l.levels = kept
}

// classify finds the request's schema. There is always one.
func (c *configuration) classify(r *Request) *schema {
	if r.User.InGroup(identity.GroupMasters) {
		return c.exempt
	}
	for _, s := range c.schemas {
		if s.matches(r) {
			return s
		}
	}
	return c.catchAll
}

// judge finds the request's schema and takes the lock. Requests are judged without it, so the configuration may be another
// one by then, and the schema's level one that nobody looks at any more: then the request is judged again.
func (l *Limiter) judge(r *Request) (*configuration, *schema) {
	for {
		c := l.configuration.Load()
		s := c.classify(r)
		l.mu.Lock()
		if l.configuration.Load() == c {
			return c, s
		}
		l.mu.Unlock()
	}
}

// Acquire waits until the request may be served. The seat must be released. The error is 429, or the context's where the
// client is gone.
func (l *Limiter) Acquire(ctx context.Context, r *Request) (*Seat, error) {
	c, s := l.judge(r)
	if s.level.nominal+s.level.borrows == 0 && isComponent(r.User) {
		// A level without a seat serves nobody; the cluster itself must go on.
		s = c.catchAll
	}
	v := s.level
	seat := &Seat{limiter: l, schema: s, schemaUID: s.uid, levelUID: v.uid}
	now := l.now()
	if v.exempt {
		seat.width = 1
		seat.queue = &v.queues[0]
		l.begin(seat, now)
		l.mu.Unlock()
		return seat, nil
	}
	seat.width = min(max(r.Width, 1), maxWidth, max(v.nominal/maxPart, 1))
	v.advance(now)
	hash := maphash.String(l.seed, s.flow(r)) ^ s.hash
	q := v.pick(hash)
	if v.waiting == 0 && l.fits(v, seat.width) && !l.jumps(v, seat.width) {
		v.wake(q)
		seat.queue = q
		l.begin(seat, now)
		l.mu.Unlock()
		s.stats.waited(0, true)
		return seat, nil
	}
	if reason := v.full(q); reason != "" {
		s.stats.rejected[reason]++
		l.mu.Unlock()
		return seat, refused()
	}
	w := &waiter{schema: s, hash: hash, width: seat.width, ready: make(chan struct{})}
	v.wake(q)
	q.push(w)
	v.waiting++
	v.want += w.width
	l.waiting++
	s.stats.waiting++
	l.pump(now)
	l.mu.Unlock()
	return l.wait(ctx, seat, w, now)
}

// full tells why nobody may wait in the queue any more; "" where there is room.
func (l *level) full(q *queue) string {
	switch {
	case l.levelConfig.queues == 0:
		return reasonLimit
	case q.length >= l.length:
		return reasonQueueFull
	}
	return ""
}

func refused() error {
	return apierrors.NewTooManyRequests("Too many requests, please try again later.", retryAfter)
}

// wait waits for a waiter's turn.
func (l *Limiter) wait(ctx context.Context, seat *Seat, w *waiter, since int64) (*Seat, error) {
	timer := time.NewTimer(l.options.MaxWait)
	defer timer.Stop()
	reason := reasonTimeout
	select {
	case <-w.ready:
	case <-ctx.Done():
		reason = reasonCancelled
	case <-timer.C:
	}
	l.mu.Lock()
	now := l.now()
	if w.started {
		// Also where it was called at the last moment: the seats are there, and whoever is gone gives them back.
		seat.queue, seat.since = w.queue, w.startedAt
		l.mu.Unlock()
		w.schema.stats.waited(time.Duration(w.startedAt-since), true)
		return seat, nil
	}
	v := w.schema.level
	v.advance(now)
	l.leave(v, w)
	if w.queue.idle() && w.queue.dealt == v.dealt {
		v.active--
	}
	w.schema.stats.rejected[reason]++
	l.pump(now) // who stood behind it may fit
	l.mu.Unlock()
	w.schema.stats.waited(time.Duration(now-since), false)
	if err := ctx.Err(); err != nil && reason == reasonCancelled {
		return seat, apierrors.NewTimeout("the request was given up while it waited for its turn", retryAfter)
	}
	return seat, refused()
}

// leave takes a waiter out of its queue.
func (l *Limiter) leave(v *level, w *waiter) {
	w.queue.remove(w)
	v.waiting--
	v.want -= w.width
	l.waiting--
	w.schema.stats.waiting--
}

// begin gives the seat's request what fits or who is exempt.
func (l *Limiter) begin(seat *Seat, now int64) {
	seat.since = now
	l.charge(seat.schema, seat.queue, seat.width)
}

func (l *Limiter) charge(s *schema, q *queue, width int) {
	v := s.level
	before := max(v.used-v.nominal, 0)
	v.start(q, width)
	if !v.exempt {
		l.lent += max(v.used-v.nominal, 0) - before
	}
	s.stats.start(width)
}

// finish takes the seats back and hands them on.
func (l *Limiter) finish(seat *Seat) time.Duration {
	l.mu.Lock()
	now := l.now()
	took := time.Duration(now - seat.since)
	v := seat.schema.level
	v.advance(now)
	before := max(v.used-v.nominal, 0)
	v.end(seat.queue, seat.width, took)
	if !v.exempt {
		l.lent += max(v.used-v.nominal, 0) - before
	}
	seat.schema.stats.end(seat.width)
	if v.gone && v.executing == 0 && v.waiting == 0 {
		l.sweep()
	}
	if l.waiting > 0 {
		l.pump(now)
	}
	l.mu.Unlock()
	return took
}
