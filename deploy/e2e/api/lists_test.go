package api

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// listing is one list, of one or more pages.
type listing struct {
	s      selection
	way    way
	server string
	o      metav1.ListOptions
	// acknowledged is what a consistent list has to show.
	acknowledged int64
	// asked is the revision named by the request.
	asked int64
	pages []*page
	err   error
	// compacted and present are bounds of the moment when err was seen.
	compacted, present int64
}

func (l *listing) String() string {
	return fmt.Sprintf("list of %v by %v from %s, version %q %s, limit %d", l.s, l.way, l.server, l.o.ResourceVersion, l.o.ResourceVersionMatch, l.o.Limit)
}

// listings are all that were made.
type listings struct {
	mu  sync.Mutex
	all []*listing
}

func (l *listings) add(one *listing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, one)
}

// lister reads random lists.
type lister struct {
	r *rand.Rand
	w *world
}

func (l *lister) run(ctx context.Context) {
	for ctx.Err() == nil {
		one := l.one(ctx)
		if ctx.Err() == nil {
			l.w.lists.add(one)
			pause(ctx, 0)
		}
	}
}

func (l *lister) one(ctx context.Context) *listing {
	c := pick(l.r, l.w.clients)
	one := &listing{s: l.w.selection(l.r), way: way(l.r.IntN(int(ways))), server: c.server.name, acknowledged: l.w.acks.highest.Load()}
	present := l.w.present()
	switch l.r.IntN(6) {
	case 0:
		one.o.ResourceVersion = "0"
	case 1:
		one.asked = one.acknowledged
	case 2:
		one.asked, one.o.ResourceVersionMatch = present, metav1.ResourceVersionMatchNotOlderThan
	case 3, 4:
		// Somewhere in the past, perhaps before the compaction.
		one.asked, one.o.ResourceVersionMatch = max(1, present-l.r.Int64N(1500)), metav1.ResourceVersionMatchExact
	}
	if one.asked > 0 {
		one.o.ResourceVersion = strconv.FormatInt(one.asked, 10)
	}
	if l.r.IntN(2) == 0 {
		one.o.Limit = 1 + l.r.Int64N(9)
	}
	o := one.o
	for {
		call, cancel := context.WithTimeout(ctx, callLimit)
		p, err := c.list(call, one.way, one.s, o)
		cancel()
		if err != nil {
			one.err, one.compacted, one.present = err, l.w.compacted.Load(), l.w.present()
			return one
		}
		one.pages = append(one.pages, p)
		if p.next == "" {
			return one
		}
		o = metav1.ListOptions{Limit: o.Limit, Continue: p.next}
		// Another server knows the token as well.
		c = pick(l.r, l.w.clients)
		if l.r.IntN(3) == 0 {
			pause(ctx, rand.N(l.w.interval))
		}
	}
}

// check holds a list against the history.
func (l *listing) check(h history) error {
	if apierrors.IsResourceExpired(l.err) || apierrors.IsGone(l.err) {
		from := l.asked
		if len(l.pages) > 0 {
			from = l.pages[0].revision
		} else if l.o.ResourceVersionMatch != metav1.ResourceVersionMatchExact {
			return fmt.Errorf("a list of the present has expired: %w", l.err)
		}
		if from >= l.compacted {
			return fmt.Errorf("revision %d is expired (%v), although nothing after %d is compacted", from, l.err, l.compacted)
		}
		return nil
	}
	if len(l.pages) == 0 || l.err != nil {
		return nil // a server was away
	}
	revision := l.pages[0].revision
	switch {
	case l.o.ResourceVersionMatch == metav1.ResourceVersionMatchExact:
		if revision != l.asked {
			return fmt.Errorf("revision %d, not exactly %d", revision, l.asked)
		}
	case l.o.ResourceVersion == "" && revision < l.acknowledged:
		return fmt.Errorf("revision %d, although %d was acknowledged before", revision, l.acknowledged)
	case revision < l.asked:
		return fmt.Errorf("revision %d is older than %d", revision, l.asked)
	}
	var objects []*object
	for i, p := range l.pages {
		if p.revision != revision {
			return fmt.Errorf("page %d is of revision %d, the first of %d", i, p.revision, revision)
		}
		if l.o.Limit > 0 && int64(len(p.objects)) > l.o.Limit {
			return fmt.Errorf("page %d has %d objects", i, len(p.objects))
		}
		objects = append(objects, p.objects...)
	}
	return sameState(h.state(l.s, revision), objects, revision)
}

// sameState compares objects with what they have to be, order included.
func sameState(want, got []*object, revision int64) error {
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			return fmt.Errorf("state at %d: %d objects, want %d: %v is missing", revision, len(got), len(want), want[i])
		case i >= len(want):
			return fmt.Errorf("state at %d: %d objects, want %d: %v is not there", revision, len(got), len(want), got[i])
		case want[i].key() != got[i].key() || want[i].revision != got[i].revision || want[i].labels[token] != got[i].labels[token]:
			return fmt.Errorf("state at %d: got %v at place %d, want %v", revision, got[i], i, want[i])
		}
	}
	return nil
}
