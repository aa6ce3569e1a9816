package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// beginning is how a session of a watcher starts.
type beginning int

const (
	fromList   beginning = iota // after a list, at its revision
	resumed                     // where the last session ended
	watchList                   // sendInitialEvents
	unset                       // without resourceVersion: the present state first
	anyVersion                  // resourceVersion=0: some state first
)

func (b beginning) String() string {
	return [...]string{"a list", "the last session", "sendInitialEvents", "no resourceVersion", "resourceVersion=0"}[b]
}

// session is one watch from its beginning to its end.
type session struct {
	begin  beginning
	server string
	way    way
	// after is the revision that fromList and resumed start at.
	after int64
	// acknowledged is what the initial state of watchList and unset has to show.
	acknowledged int64
	events       []event
	err          error
	// compacted and present are bounds of the moment when err was seen.
	compacted, present int64
}

// watcher watches one selection, again and again.
type watcher struct {
	s    selection
	slow bool
	r    *rand.Rand
	w    *world

	mu       sync.Mutex
	sessions []*session
	open     *session // the one that goes on
	last     int64    // revision up to which everything was seen
}

func (w *watcher) String() string { return fmt.Sprintf("watcher of %v", w.s) }

// now describes the open session.
func (w *watcher) now() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.open
	return fmt.Sprintf("%d sessions, now by %v from %s, begun by %v after %d, with %d events: %v", len(w.sessions), s.way, s.server, s.begin, s.after, len(s.events), s.events[max(0, len(s.events)-3):])
}

// showsPresent tells whether the open session has begun by showing a state that names no revision, and this is all there
// is: the next that such a watcher is told, a change or a bookmark, may be far off.
func (w *watcher) showsPresent(h history) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open.begin != unset && w.open.begin != anyVersion {
		return false
	}
	var got []*object
	for _, e := range w.open.events {
		if e.kind != "ADDED" {
			return false
		}
		got = append(got, e.object)
	}
	slices.SortFunc(got, func(a, b *object) int { return strings.Compare(a.key(), b.key()) })
	return sameState(h.state(w.s, math.MaxInt64), got, math.MaxInt64) == nil
}

func (w *watcher) at() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

func (w *watcher) run(ctx context.Context) {
	next := pick(w.r, []beginning{fromList, watchList, unset, anyVersion})
	for ctx.Err() == nil {
		s := &session{begin: next, way: way(w.r.IntN(int(ways)))}
		w.mu.Lock()
		w.open = s
		w.mu.Unlock()
		w.follow(ctx, s)
		if ctx.Err() != nil {
			// What arrived before the end still counts.
			s.err = nil
		}
		w.mu.Lock()
		if len(s.events) > 0 || apierrors.IsResourceExpired(s.err) || apierrors.IsGone(s.err) {
			w.sessions = append(w.sessions, s)
		}
		last := w.last
		w.mu.Unlock()
		next = resumed
		switch {
		case last == 0, apierrors.IsResourceExpired(s.err), apierrors.IsGone(s.err), w.r.IntN(8) == 0:
			next = pick(w.r, []beginning{fromList, watchList, unset, anyVersion})
		}
	}
}

// follow opens a watch and takes what comes until it ends.
func (w *watcher) follow(ctx context.Context, s *session) {
	c := pick(w.r, w.w.clients)
	s.server = c.server.name
	if s.way >= byGRPC && s.begin == anyVersion && w.r.IntN(2) == 0 {
		s.begin = watchList
	}
	o := metav1.ListOptions{AllowWatchBookmarks: w.r.IntN(4) > 0}
	s.acknowledged = w.w.acks.highest.Load()
	switch s.begin {
	case fromList:
		call, cancel := context.WithTimeout(ctx, callLimit)
		p, err := c.list(call, s.way, w.s, metav1.ListOptions{})
		cancel()
		if err != nil {
			w.fail(ctx, s, err)
			return
		}
		w.w.lists.add(&listing{s: w.s, way: s.way, server: s.server, acknowledged: s.acknowledged, pages: []*page{p}})
		s.after = p.revision
		w.reached(s.after)
	case resumed:
		s.after = w.at()
	case watchList:
		o.SendInitialEvents, o.ResourceVersionMatch, o.AllowWatchBookmarks = new(true), metav1.ResourceVersionMatchNotOlderThan, true
		if w.r.IntN(3) == 0 {
			o.ResourceVersion = strconv.FormatInt(s.acknowledged, 10)
		}
	case anyVersion:
		o.ResourceVersion = "0"
	}
	if s.after > 0 {
		o.ResourceVersion = strconv.FormatInt(s.after, 10)
	}
	if w.r.IntN(6) == 0 {
		o.TimeoutSeconds = new(int64(1 + w.r.IntN(3)))
	}
	// A watch that is still open after a server's death is found out by its connection.
	in, err := c.watch(ctx, s.way, w.s, o)
	if err != nil {
		w.fail(ctx, s, err)
		return
	}
	defer in.close()
	stop := w.r.IntN(400)
	for ctx.Err() == nil {
		events, err := in.next()
		if err != nil {
			w.fail(ctx, s, err)
			return
		}
		w.mu.Lock()
		s.events = append(s.events, events...)
		w.mu.Unlock()
		for _, e := range events {
			initial := s.begin != fromList && s.begin != resumed && e.kind == "ADDED" && !slices.ContainsFunc(s.events, func(e event) bool { return e.kind != "ADDED" })
			if !initial {
				w.reached(e.revision)
			}
		}
		if len(s.events) > stop && w.at() > 0 && w.w.writing.Load() && w.r.IntN(20) == 0 {
			return
		}
		if w.slow && w.w.writing.Load() {
			pause(ctx, time.Duration(w.r.IntN(100))*time.Millisecond)
		}
	}
}

// reached notes how far the watcher is.
func (w *watcher) reached(revision int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = max(w.last, revision)
}

func (w *watcher) fail(ctx context.Context, s *session, err error) {
	s.compacted, s.err = w.w.compacted.Load(), err
	s.present = w.w.present()
	if ctx.Err() == nil && !apierrors.IsResourceExpired(err) {
		pause(ctx, 20*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// check holds a session against the history.
func (s *session) check(h history, sel selection) error {
	if apierrors.IsResourceExpired(s.err) || apierrors.IsGone(s.err) {
		if err := s.checkExpired(); err != nil {
			return err
		}
	}
	after, live := s.after, s.events
	switch s.begin {
	case watchList:
		end := slices.IndexFunc(s.events, func(e event) bool { return e.initialEnd })
		if end < 0 {
			return nil // cut off before the state was complete
		}
		after, live = s.events[end].revision, s.events[end+1:]
		if after < s.acknowledged {
			return fmt.Errorf("initial state at %d, although %d was acknowledged before", after, s.acknowledged)
		}
		if err := initial(h, sel, s.events[:end], after); err != nil {
			return err
		}
	case unset, anyVersion:
		// The state ends without a mark: in the order of names, then come revisions.
		end := 0
		for end < len(s.events) && s.events[end].kind == "ADDED" && (end == 0 || s.events[end-1].object.key() < s.events[end].object.key()) {
			end++
		}
		var err error
		for ; end >= 0; end-- {
			if end == len(s.events) {
				return nil // cut off, perhaps before the state was complete
			}
			after, live = s.events[end].revision-1, s.events[end:]
			if s.events[end].kind == "BOOKMARK" {
				after++
			}
			if s.begin == unset && after < s.acknowledged {
				// It may still be complete, if nothing that the selection shows has changed since.
				if missed := h.events(sel, after); len(missed) > 0 && missed[0].revision <= s.acknowledged {
					err = errors.Join(err, fmt.Errorf("initial state before %d, although %d was acknowledged before", after+1, s.acknowledged))
					continue
				}
			}
			e := initial(h, sel, s.events[:end], after)
			if e == nil {
				if e = follows(h, sel, live, after); e == nil {
					return nil
				}
			}
			err = errors.Join(err, e)
		}
		return err
	}
	return follows(h, sel, live, after)
}

// checkExpired tells whether a session could be told that its revision is too old.
func (s *session) checkExpired() error {
	// A server that was started again resumes watches of the last 5,000 changes, as far as they are not compacted. The
	// writers know the present to some changes.
	const resumable = 4800
	if s.begin == fromList || s.begin == resumed {
		if s.after < s.compacted || s.after < s.present-resumable {
			return nil
		}
		return fmt.Errorf("revision %d is expired (%v), although the history goes back to %d of %d", s.after, s.err, s.compacted, s.present)
	}
	return fmt.Errorf("a session that starts at the present has expired: %w", s.err)
}

// initial compares the initial events of a watch with the state at a revision.
func initial(h history, sel selection, got []event, revision int64) error {
	var objects []*object
	for _, e := range got {
		if e.kind != "ADDED" {
			return fmt.Errorf("%v within the initial state", e)
		}
		objects = append(objects, e.object)
	}
	return sameState(h.state(sel, revision), objects, revision)
}

// follows compares what a watcher was told with what it had to be told: a part of that, from its beginning on.
func follows(h history, sel selection, got []event, after int64) error {
	want := h.events(sel, after)
	n := 0
	for i, e := range got {
		if e.kind == "BOOKMARK" {
			if n > 0 && e.revision < want[n-1].revision {
				return fmt.Errorf("event %d: bookmark at %d behind %v", i, e.revision, want[n-1])
			}
			if n < len(want) && want[n].revision <= e.revision {
				return fmt.Errorf("event %d: bookmark at %d, but %v was never sent", i, e.revision, want[n])
			}
			continue
		}
		if n == len(want) {
			return fmt.Errorf("event %d: %v, but nothing has happened", i, e)
		}
		if !e.same(want[n]) {
			return fmt.Errorf("event %d (of %d): got %v, want %v; before: %v", i, len(got), e, want[n], got[max(0, i-3):i])
		}
		n++
	}
	return nil
}
