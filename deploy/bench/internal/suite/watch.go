package suite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/door"
	"github.com/keelson/keelson/deploy/bench/internal/load"
	"github.com/keelson/keelson/deploy/bench/internal/report"
)

// updaters make a watch's updates; each has heldEach pods, so that no two update the same.
const (
	updaters = 8
	heldEach = 8
)

// arriveWithin is how long after the last update the last event may come; openWithin is how long all watches may take to
// be open.
const (
	arriveWithin = 30 * time.Second
	openWithin   = time.Minute
)

// show is what watchers are shown.
type show struct {
	name              string
	watchers, updates int
	// perSecond is how many updates are made in a second; 0: as many as go.
	perSecond int
	// together is how many watchers share a connection.
	together int
}

// sharing is how many watches a connection carries at most where clients share: kube-apiserver allows 100 requests on one,
// and client-go fills it up before it begins another. report.Shared says so.
const sharing = 100

// crowdRate is how many updates a second a crowd of watchers sees.
const crowdRate = 10

// watches updates pods while many watch them all: at a steady rate, as fast as possible, and for a crowd. Each watcher has
// its own connection, as clients on many machines have, or shares one, as those of one process do.
func (s *Suite) watches(ctx context.Context) error {
	seconds := s.o.WatchFor.Seconds()
	steady := show{fmt.Sprintf("event to one of %d watchers, %d updates/s", s.o.Watchers, s.o.UpdatesPerSecond), s.o.Watchers,
		max(1, int(seconds*float64(s.o.UpdatesPerSecond))), s.o.UpdatesPerSecond, 1}
	fast := show{fmt.Sprintf("event to one of %d watchers, updates as fast as possible", s.o.Watchers), s.o.Watchers, 2 * steady.updates, 0, 1}
	crowd := show{fmt.Sprintf("event to one of %s watchers, %d updates/s", report.Thousands(s.o.Crowd), crowdRate), s.o.Crowd,
		max(1, int(seconds*crowdRate)), crowdRate, 1}
	shows := []show{steady, fast}
	if !s.o.HTTP1 {
		shows = []show{steady, steady.shared(), fast, fast.shared()}
	}
	for _, w := range shows {
		if err := s.each(ctx, w.name, func(ctx context.Context, d door.Door) (load.Result, string, error) { return s.watch(ctx, d, w) }); err != nil {
			return err
		}
	}
	for _, d := range []door.Door{s.doors[0], s.grpc} {
		if err := s.one(ctx, crowd.name, d.Name(), func(ctx context.Context) (load.Result, string, error) { return s.watch(ctx, d, crowd) }); err != nil {
			return err
		}
	}
	return nil
}

func (w show) shared() show {
	w.name += report.Shared
	w.together = sharing
	return w
}

// audience is the watchers of one measurement.
type audience struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	group  sync.WaitGroup
	opened sync.WaitGroup
	// connections are closed once all have left.
	connections []door.Connection
	// full is of watchers that have not got all their events.
	full sync.WaitGroup
	mu   sync.Mutex
	all  []time.Duration
	last time.Time
}

func (s *Suite) watch(ctx context.Context, d door.Door, w show) (load.Result, string, error) {
	updates := w.updates
	held, err := s.hold(ctx, d, min(updaters*heldEach, s.o.Objects))
	if err != nil {
		return load.Result{}, "", err
	}
	alone, err := s.alone(ctx, d, held, w.perSecond)
	if err != nil {
		return load.Result{}, "", err
	}
	after, err := s.grpc.Revision(ctx, stored)
	if err != nil {
		return load.Result{}, "", err
	}
	a := &audience{}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	defer a.leave()
	for i := 0; i < w.watchers; i += w.together {
		c, err := d.Connect(a.ctx)
		if err != nil {
			return load.Result{}, "", err
		}
		a.connections = append(a.connections, c)
		for range min(w.together, w.watchers-i) {
			a.admit(c.Watcher(stored, after), updates)
		}
	}
	if err := a.wait(&a.opened, openWithin); err != nil {
		return load.Result{}, "", fmt.Errorf("opening %d watches: %w", w.watchers, err)
	}
	begin(ctx)
	start := time.Now()
	if err := s.publish(a.ctx, held, updates, w.perSecond); err != nil {
		return load.Result{}, "", err
	}
	err = a.wait(&a.full, arriveWithin)
	end(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	r := load.Summarize(a.all, a.last.Sub(start))
	if err != nil {
		return r, "", fmt.Errorf("%d of %d events arrived: %w", r.Done, updates*w.watchers, err)
	}
	return r, s.watchNote(ctx, alone, updates, r), nil
}

// leave ends the watches.
func (a *audience) leave() {
	a.cancel(nil)
	a.group.Wait()
	for _, c := range a.connections {
		c.Close()
	}
}

// aloneFor is how long updates are made without watchers.
const aloneFor = 2 * time.Second

// pace is that of updates through a door.
type pace struct {
	door      string
	perSecond int
}

// alone returns what the server spends on an update that nobody watches, at the same pace: it costs a server several times
// as much where it goes to sleep in between. 0 is not known.
func (s *Suite) alone(ctx context.Context, d door.Door, held []door.Held, perSecond int) (time.Duration, error) {
	if perSecond == 0 {
		return s.updateCPU[d.Name()], nil
	}
	p := pace{d.Name(), perSecond}
	if cpu, ok := s.alonePace[p]; ok {
		return cpu, nil
	}
	before, err := s.server.CPU()
	if err != nil {
		return 0, err
	}
	updates := max(1, int(aloneFor.Seconds()*float64(perSecond)))
	if err := s.publish(ctx, held, updates, perSecond); err != nil {
		return 0, err
	}
	after, err := s.server.CPU()
	s.alonePace[p] = (after - before) / time.Duration(updates)
	return s.alonePace[p], err
}

// watchNote tells the event's own cost from that of the updates.
func (s *Suite) watchNote(ctx context.Context, alone time.Duration, updates int, r load.Result) string {
	total, err := ctx.Value(meterKey{}).(*meter).each(r.Done)
	if alone == 0 || err != nil {
		return ""
	}
	share := alone * time.Duration(updates) / time.Duration(r.Done)
	ctx.Value(meterKey{}).(*meter).own = total - share
	return fmt.Sprintf("%s of CPU each without the updates' own share (%s: one that nobody watches costs %s)",
		report.Duration(total-share), report.Duration(share), report.Duration(alone))
}

// admit runs a watcher until it has seen its events and the measurement is over.
func (a *audience) admit(w door.Watcher, events int) {
	a.opened.Add(1)
	a.full.Add(1)
	a.group.Go(func() {
		own := make([]time.Duration, 0, events)
		opened := sync.OnceFunc(a.opened.Done)
		full := sync.OnceFunc(a.full.Done)
		err := w.Run(a.ctx, opened, func(mark time.Time) {
			now := time.Now()
			if own = append(own, now.Sub(mark)); len(own) == events {
				a.add(own, now)
				full()
			}
		})
		if err != nil {
			a.cancel(err)
		}
		if len(own) < events {
			a.add(own, time.Now())
		}
		opened()
		full()
	})
}

func (a *audience) add(own []time.Duration, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, own...)
	if at.After(a.last) {
		a.last = at
	}
}

// wait returns once the group is done, or with the reason why it will not be. The watchers are told to end then.
func (a *audience) wait(g *sync.WaitGroup, atMost time.Duration) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.Wait()
	}()
	timeout := time.NewTimer(atMost)
	defer timeout.Stop()
	select {
	case <-done:
	case <-a.ctx.Done():
	case <-timeout.C:
		a.cancel(errors.New("not within " + atMost.String()))
	}
	if err := context.Cause(a.ctx); err != nil {
		a.group.Wait()
		<-done
		return err
	}
	return nil
}

// publish makes the updates, evenly spread over time or as fast as they go.
func (s *Suite) publish(ctx context.Context, held []door.Held, updates, perSecond int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	due := make(chan struct{}, updates)
	var group sync.WaitGroup
	n := min(updaters, len(held))
	for k := range n {
		own := held[k*len(held)/n : (k+1)*len(held)/n]
		group.Go(func() {
			i := 0
			for range due {
				if err := own[i%len(own)].Update(ctx, time.Now()); err != nil {
					cancel(err)
					return
				}
				i++
			}
		})
	}
	if perSecond == 0 {
		perSecond = 1e6 // the channel takes them all, whoever is free makes the next
	}
	pace := time.NewTicker(time.Second / time.Duration(perSecond))
	defer pace.Stop()
	for i := 0; i < updates && ctx.Err() == nil; i++ {
		due <- struct{}{}
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
	}
	close(due)
	group.Wait()
	return context.Cause(ctx)
}
