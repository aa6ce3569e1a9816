package fairness

import (
	"math"
	"time"

	flowcontrolv1 "github.com/keelson/keelson/proto/gen/keelson/flowcontrol/v1"
)

// guess is what a request is charged before it is known how long it takes; what is too much is given back at its end.
const guess = 3 * time.Millisecond

// Settings that an object may leave out.
const (
	defaultShares = 30
	defaultQueues = 64
	defaultHand   = 8
	defaultLength = 50
	// maxQueues bounds the memory of a level, whatever an object says.
	maxQueues = 10_000
)

// levelConfig is a PriorityLevelConfiguration as the limiter uses it.
type levelConfig struct {
	name, uid string
	exempt    bool
	shares    int
	// lendable is in percent; borrowing too, negative for no limit.
	lendable, borrowing int
	// queues is 0 where requests beyond the limit are refused at once.
	queues, hand, length int
}

// compileLevel reads an object.
func compileLevel(o *flowcontrolv1.PriorityLevelConfiguration) levelConfig {
	c := levelConfig{name: o.GetMetadata().GetName(), uid: o.GetMetadata().GetUid(), borrowing: -1}
	if o.GetSpec().GetType() == "Exempt" {
		c.exempt = true
		c.shares = int(max(o.GetSpec().GetExempt().GetNominalConcurrencyShares(), 0))
		c.lendable = percent(o.GetSpec().GetExempt().GetLendablePercent())
		return c
	}
	l := o.GetSpec().GetLimited()
	c.shares = defaultShares
	if l != nil && l.NominalConcurrencyShares != nil {
		c.shares = int(max(*l.NominalConcurrencyShares, 0))
	}
	c.lendable = percent(l.GetLendablePercent())
	if l != nil && l.BorrowingLimitPercent != nil {
		c.borrowing = int(max(*l.BorrowingLimitPercent, 0))
	}
	if l.GetLimitResponse().GetType() == "Reject" {
		return c
	}
	q := l.GetLimitResponse().GetQueuing()
	c.queues = min(orDefault(q.GetQueues(), defaultQueues), maxQueues)
	c.hand = min(orDefault(q.GetHandSize(), defaultHand), maxHand, c.queues)
	c.length = orDefault(q.GetQueueLengthLimit(), defaultLength)
	return c
}

func percent(v int32) int { return int(min(max(v, 0), 100)) }

func orDefault(v int32, def int) int {
	if v <= 0 {
		return def
	}
	return int(v)
}

// level is a priority level at run time. Everything is guarded by the limiter's lock.
type level struct {
	levelConfig
	// nominal is the level's part of all seats, lends how many of those others may have, borrows how many of others' it
	// may have.
	nominal, lends, borrows int
	// gone is set where the object has been deleted; the level ends with its last request.
	gone bool

	queues []queue
	// used seats, those wanted by who waits, and how many those are.
	used, want, waiting int
	executing           int
	active              int // queues that are not idle
	dealt               int // counts how often the queues have been made anew

	// virtual time advances by the seat-seconds that each active queue has a claim to.
	virtual float64
	at      int64 // when virtual was last brought up to date, in nanoseconds
}

// configure takes the seats' split; requests go on.
func (l *level) configure(c levelConfig, nominal, total int) {
	resized := len(l.queues) != max(c.queues, 1) || l.hand != c.hand
	l.levelConfig, l.nominal, l.gone = c, nominal, false
	l.lends = int(math.Round(float64(nominal) * float64(c.lendable) / 100))
	l.borrows = total
	if c.borrowing >= 0 {
		l.borrows = min(int(math.Round(float64(nominal)*float64(c.borrowing)/100)), total)
	}
	if resized {
		l.requeue(c.queues)
	}
}

// requeue deals who waits to new queues. Those that are being served stay with the old ones, which nobody asks any more.
func (l *level) requeue(n int) {
	old := l.queues
	l.queues, l.active = make([]queue, max(n, 1)), 0
	l.dealt++
	for i := range l.queues {
		l.queues[i].virtual, l.queues[i].dealt = l.virtual, l.dealt
	}
	for i := range old {
		for w := old[i].head; w != nil; {
			next := w.next
			q := l.pick(w.hash)
			l.wake(q)
			q.push(w)
			w = next
		}
	}
}

// pick returns the queue of the flow's hand in which least is going on.
func (l *level) pick(hash uint64) *queue {
	best := &l.queues[0]
	if len(l.queues) == 1 {
		return best
	}
	least := math.MaxInt
	deal(hash, len(l.queues), l.hand, func(i int) {
		if q := &l.queues[i]; q.want+q.used < least {
			best, least = q, q.want+q.used
		}
	})
	return best
}

// wake makes a queue active. What it did not use while it was idle is lost: nobody saves up seats.
func (l *level) wake(q *queue) {
	if q.idle() {
		l.active++
		q.virtual = max(q.virtual, l.virtual)
	}
}

// advance brings the virtual time up to date.
func (l *level) advance(now int64) {
	d := now - l.at
	l.at = max(now, l.at)
	if d <= 0 || l.active == 0 {
		return
	}
	seats := min(l.used+l.want, max(l.nominal, l.used, 1))
	l.virtual += time.Duration(d).Seconds() * float64(seats) / float64(l.active)
}

// first returns who is next: the head of the queue that would be done first if each got its share.
func (l *level) first() *waiter {
	var best *queue
	var at float64
	for i := range l.queues {
		q := &l.queues[i]
		if q.length == 0 {
			continue
		}
		if end := q.virtual + guess.Seconds()*float64(q.head.width); best == nil || end < at {
			best, at = q, end
		}
	}
	if best == nil {
		return nil
	}
	return best.head
}

// start charges a request to its queue.
func (l *level) start(q *queue, width int) {
	l.used += width
	l.executing++
	q.used += width
	q.executing++
	q.virtual += guess.Seconds() * float64(width)
}

// end gives seats back, and what the request was charged too much.
func (l *level) end(q *queue, width int, took time.Duration) {
	l.used -= width
	l.executing--
	q.used -= width
	q.executing--
	q.virtual += (took - guess).Seconds() * float64(width)
	if q.idle() && q.dealt == l.dealt {
		l.active--
	}
}
