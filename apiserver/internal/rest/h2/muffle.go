package h2

import (
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Go's clients answer every event of more than 4 KB by two frames that widen windows. Where an event goes to hundreds of
// connections, these answers come one by one, and each wakes a goroutine, if not the whole server, to learn nothing: that
// costs more than sending the event. So once a connection has shown how long its answers are, the kernel is told to wake
// its reader when more has come than the answers that are still expected. They are read then, or when there are
// maxAnswers of them.
//
// A guess that is wrong, because the client is late or has answered two events at once, could make something short wait
// that is no answer. That is why a muffler looks after each connection: what has not come after muffledFor does not
// keep its reader asleep. It is also why only connections are treated so on which no request has come for quietAfter,
// and why windows must be so wide that nothing waits for them.
const (
	// answeredFrom is how many bytes of one response are answered by themselves.
	answeredFrom = 4 << 10
	// proofs is how often in turn an answer has to have the same length.
	proofs = 4
	// longestAnswer bounds what is taken for one: two frames in a record of TLS have 48 bytes.
	longestAnswer = 64
	maxAnswers    = 16
	muffledFor    = 40 * time.Millisecond
	quietAfter    = time.Second
	wideWindow    = 256 << 10
)

// answers is what a gate knows of what its client sends back.
type answers struct {
	// length of an answer, and how often in turn it was that.
	length, proofs int
	// events is how many were sent since the last read.
	events int
	// expected is how many bytes of answers are expected, while muffled; due those of them that the muffler looks for.
	expected, due int
	muffled       bool
	// watched is set while the gate is in the muffler's list.
	watched bool
}

// sending notes that an event is sent, and lets the reader sleep through the answer where that is known. It does not where
// sure is false.
func (g *gate) sending(sure bool, m *muffler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := &g.answers
	if a.events++; !sure || a.proofs < proofs || a.expected >= maxAnswers*a.length {
		g.unmuffle()
		return
	}
	a.expected += a.length
	if a.muffled = g.wakeAt(a.expected + 1); a.muffled && !a.watched {
		a.watched, a.due = true, a.expected
		m.watch(g)
	}
}

// received notes that the client has sent something.
func (g *gate) received(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := &g.answers
	switch {
	case a.muffled:
		g.unmuffle()
	case a.events != 1:
	case n == a.length:
		a.proofs++
	case n <= longestAnswer:
		a.length, a.proofs = n, 1
	default:
		a.proofs = 0
	}
	a.events = 0
}

// unmuffle wakes the reader if there is anything for it. The lock is held.
func (g *gate) unmuffle() {
	if g.answers.muffled {
		g.answers.muffled, g.answers.expected = false, 0
		g.wakeAt(1)
	}
}

// wakeAt sets how many bytes make the connection readable for who waits; bytes that are there already count.
func (g *gate) wakeAt(bytes int) bool {
	return g.control(func(fd int) error {
		return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, bytes)
	})
}

func (g *gate) control(f func(fd int) error) bool {
	var err error
	cerr := g.raw.Control(func(fd uintptr) { err = f(int(fd)) })
	return err == nil && cerr == nil
}

// look compares what has come with what is due, and tells whether to look again.
func (g *gate) look() (again bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := &g.answers
	if a.muffled {
		come := 0
		ok := g.control(func(fd int) (err error) {
			come, err = unix.IoctlGetInt(fd, unix.SIOCINQ)
			return err
		})
		if !ok || come < a.due {
			a.proofs = 0
			g.unmuffle()
		}
	}
	a.watched = a.muffled && a.expected > a.due
	a.due = a.expected
	return a.watched
}

// muffler looks after the gates whose readers sleep.
type muffler struct {
	// after is how long it lets them sleep.
	after time.Duration

	mu sync.Mutex
	// queue holds them in the order in which they are to be looked at.
	queue []muffled
	timer *time.Timer
	armed bool
}

type muffled struct {
	g  *gate
	at time.Time
}

// watch has a gate looked at.
func (m *muffler) watch(g *gate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = append(m.queue, muffled{g, time.Now().Add(m.after)})
	m.arm()
}

func (m *muffler) arm() {
	switch {
	case m.armed || len(m.queue) == 0:
		return
	case m.timer == nil:
		m.timer = time.AfterFunc(time.Until(m.queue[0].at), m.look)
	default:
		m.timer.Reset(time.Until(m.queue[0].at))
	}
	m.armed = true
}

// look looks at the gates whose time has come, or comes soon.
func (m *muffler) look() {
	now := time.Now().Add(m.after / 8)
	m.mu.Lock()
	n := 0
	for n < len(m.queue) && m.queue[n].at.Before(now) {
		n++
	}
	gates := append([]muffled(nil), m.queue[:n]...)
	rest := m.queue[:copy(m.queue, m.queue[n:])]
	clear(m.queue[len(rest):])
	m.queue = rest
	m.mu.Unlock()
	again := gates[:0]
	for _, w := range gates {
		if w.g.look() {
			again = append(again, muffled{w.g, now.Add(m.after)})
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = append(m.queue, again...)
	m.armed = false
	m.arm()
}
