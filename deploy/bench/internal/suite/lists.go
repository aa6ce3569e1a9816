package suite

import (
	"context"
	"fmt"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/door"
	"github.com/keelson/keelson/deploy/bench/internal/floor"
	"github.com/keelson/keelson/deploy/bench/internal/load"
	"github.com/keelson/keelson/deploy/bench/internal/pods"
	"github.com/keelson/keelson/deploy/bench/internal/report"
)

// lists reads all pods, one list after the other. The first list is not counted: it may build what later ones reuse.
func (s *Suite) lists(ctx context.Context) error {
	return s.each(ctx, fmt.Sprintf("list %s pods", report.Thousands(s.o.Objects)), func(ctx context.Context, d door.Door) (load.Result, string, error) {
		first, took, err := s.list(ctx, d, "", s.o.Objects)
		if err != nil {
			return load.Result{}, "", err
		}
		s.listed[d.Name()] = first.Bytes
		begin(ctx)
		defer end(ctx)
		r, err := load.Run(ctx, 1, s.o.Lists, s.o.Limit, func(ctx context.Context, _ int) error {
			_, _, err := s.list(ctx, d, "", s.o.Objects)
			return err
		})
		return r, fmt.Sprintf("%.1f MB; the first list took %s", float64(first.Bytes)/1e6, report.Duration(took)), err
	})
}

// crowd is how many lists are made at once.
const crowd = 8

// crowds reads all pods for several clients at once: what it does to the server's memory is of interest.
func (s *Suite) crowds(ctx context.Context) error {
	name := fmt.Sprintf("list %s pods, %d at once", report.Thousands(s.o.Objects), crowd)
	return s.each(ctx, name, func(ctx context.Context, d door.Door) (load.Result, string, error) {
		begin(ctx)
		defer end(ctx)
		r, err := load.Run(ctx, crowd, 2*crowd, s.o.Limit, func(ctx context.Context, _ int) error {
			_, _, err := s.list(ctx, d, "", s.o.Objects)
			return err
		})
		return r, "", err
	})
}

// shortLists is how many times more often than a whole list one by label is read: enough of them that it does not decide
// the figure whether a collection of garbage falls among them.
const shortLists = 60

// labels reads the hundredth part of the pods by its label.
func (s *Suite) labels(ctx context.Context) error {
	name := fmt.Sprintf("list 1%% of %s pods by label", report.Thousands(s.o.Objects))
	return s.each(ctx, name, func(ctx context.Context, d door.Door) (load.Result, string, error) {
		begin(ctx)
		defer end(ctx)
		r, err := load.Run(ctx, 1, s.o.Lists*shortLists, s.o.Limit, func(ctx context.Context, i int) error {
			_, _, err := s.list(ctx, d, pods.Cohort(i), cohort(s.o.Objects, i))
			return err
		})
		return r, "", err
	})
}

// cohort is how many of n pods have the label of cohort i.
func cohort(n, i int) int { return (n + pods.Cohorts - 1 - i%pods.Cohorts) / pods.Cohorts }

// list reads a list and checks that it is whole.
func (s *Suite) list(ctx context.Context, d door.Door, labels string, want int) (door.Listed, time.Duration, error) {
	start := time.Now()
	l, err := d.List(ctx, stored, labels)
	if err == nil && l.Pods != want {
		err = fmt.Errorf("the list has %d pods, not %d", l.Pods, want)
	}
	return l, time.Since(start), err
}

// Floors measures what TLS alone costs for the bytes that lists and events had.
func (s *Suite) Floors() ([]string, error) {
	var out []string
	for _, d := range s.doors {
		if n := s.listed[d.Name()]; n > 0 {
			const chunk = 32 << 10
			cpu, err := floor.Cost(int(n/chunk)+1, chunk)
			if err != nil {
				return nil, err
			}
			s.floor(fmt.Sprintf("list %s pods", report.Thousands(s.o.Objects)), d.Name(), cpu)
			out = append(out, fmt.Sprintf("sending the %.1f MB of one list (%s) in pieces of 32 KiB: %s of CPU", float64(n)/1e6, d.Name(), report.Duration(cpu)))
		}
		if n := s.sizes[d.Name()]; n > 0 {
			const times = 5000
			cpu, err := floor.Cost(times, n)
			if err != nil {
				return nil, err
			}
			steady := fmt.Sprintf("event to one of %d watchers, %d updates/s", s.o.Watchers, s.o.UpdatesPerSecond)
			s.floor(steady+report.Shared, d.Name(), cpu/times)
			out = append(out, fmt.Sprintf("sending one event of %s bytes (%s) after another: %s of CPU", report.Thousands(n), d.Name(), report.Duration(cpu/times)))
			pause := time.Second / time.Duration(s.o.UpdatesPerSecond)
			asleep, err := floor.Asleep(s.o.Watchers, n, max(1, int(time.Second/pause)), pause)
			if err != nil {
				return nil, err
			}
			s.floor(steady, d.Name(), asleep)
			out = append(out, fmt.Sprintf("sending it to each of %d connections, %s apart, whose readers sleep: %s of CPU", s.o.Watchers, pause, report.Duration(asleep)))
		}
	}
	return out, nil
}

// floor notes what bare TLS costs for a workload's bytes.
func (s *Suite) floor(workload, door string, cpu time.Duration) {
	for i := range s.rows {
		if s.rows[i].Workload == workload && s.rows[i].Door == door {
			s.rows[i].Floor = cpu
		}
	}
}

// Sizes are the bytes of one stored pod, by door.
func (s *Suite) Sizes() map[string]int { return s.sizes }
