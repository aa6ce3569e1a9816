package fairness

// waiter is a request that waits for seats.
type waiter struct {
	schema     *schema
	queue      *queue
	hash       uint64
	width      int
	ready      chan struct{} // closed once it has its seats
	started    bool
	startedAt  int64
	next, prev *waiter
}

// queue is one queue of a level. Flows share it where their hands do.
type queue struct {
	head, tail *waiter
	// length is how many wait, want how many seats they want, used how many are taken by requests that came through here.
	length, want, used int
	// executing is how many requests hold those.
	executing int
	// virtual is when, in the level's virtual time, the queue has used up what it was given: the smaller, the sooner is
	// its turn.
	virtual float64
	// dealt is the level's when the queue was made.
	dealt int
}

func (q *queue) idle() bool { return q.length == 0 && q.executing == 0 }

func (q *queue) push(w *waiter) {
	w.queue = q
	w.prev, w.next = q.tail, nil
	if q.tail != nil {
		q.tail.next = w
	} else {
		q.head = w
	}
	q.tail = w
	q.length++
	q.want += w.width
}

func (q *queue) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.tail = w.prev
	}
	w.next, w.prev = nil, nil
	q.length--
	q.want -= w.width
}

// maxHand bounds how many queues a flow is dealt.
const maxHand = 16

// deal draws a hand of distinct queues out of n by a hash and calls f with each.
func deal(hash uint64, n, hand int, f func(i int)) {
	var drawn [maxHand]int // sorted
	for k := range min(hand, n, maxHand) {
		left := uint64(n - k)
		card := int(hash % left)
		hash /= left
		// Skip over the cards that are out already: they are fewer than card by as many as stand below it.
		i := 0
		for i < k && drawn[i] <= card {
			card++
			i++
		}
		copy(drawn[i+1:k+1], drawn[i:k])
		drawn[i] = card
		f(card)
	}
}
