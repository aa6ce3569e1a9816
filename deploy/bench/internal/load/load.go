// Package load runs one operation many times from several workers and says how long each took.
package load

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Result of a run.
type Result struct {
	// Done operations, within Elapsed.
	Done    int
	Elapsed time.Duration
	// P50 and P99 of a single operation.
	P50, P99 time.Duration
}

// Rate is operations per second.
func (r Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Done) / r.Elapsed.Seconds()
}

// Run calls op with 0 to n-1 from the workers. It ends early, without an error, when the limit has passed; operations
// being made are finished. The first error of an operation ends it too and is returned.
func Run(ctx context.Context, workers, n int, limit time.Duration, op func(ctx context.Context, i int) error) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var mu sync.Mutex
	var all []time.Duration
	var group sync.WaitGroup
	start := time.Now()
	for range workers {
		group.Go(func() {
			var own []time.Duration
			for ctx.Err() == nil && time.Since(start) < limit {
				i := int(next.Add(1)) - 1
				if i >= n {
					break
				}
				began := time.Now()
				if err := op(ctx, i); err != nil {
					cancel(err)
					break
				}
				own = append(own, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, own...)
		})
	}
	group.Wait()
	r := Summarize(all, time.Since(start))
	if err := context.Cause(ctx); err != nil {
		return r, err
	}
	if r.Done == 0 {
		return r, errors.New("no operation was finished in time")
	}
	return r, nil
}

// Summarize makes a result of single durations; it sorts them.
func Summarize(all []time.Duration, elapsed time.Duration) Result {
	slices.Sort(all)
	return Result{Done: len(all), Elapsed: elapsed, P50: Percentile(all, 50), P99: Percentile(all, 99)}
}

// Percentile of sorted durations, by nearest rank; 0 of none.
func Percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(rank, 1)-1]
}
