package load

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestRunCallsEachIndexOnce(t *testing.T) {
	var seen [1000]atomic.Int32
	r, err := Run(t.Context(), 8, len(seen), time.Minute, func(_ context.Context, i int) error {
		seen[i].Add(1)
		return nil
	})
	if err != nil || r.Done != len(seen) {
		t.Fatalf("%d done, %v", r.Done, err)
	}
	for i := range seen {
		if n := seen[i].Load(); n != 1 {
			t.Errorf("index %d was called %d times", i, n)
		}
	}
}

func TestRunEndsWithTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	_, err := Run(t.Context(), 4, 1<<30, time.Minute, func(_ context.Context, i int) error {
		if i == 100 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestRunEndsWithTheLimit(t *testing.T) {
	r, err := Run(t.Context(), 2, 1<<30, time.Millisecond, func(context.Context, int) error { return nil })
	if err != nil || r.Done == 0 || r.Done == 1<<30 {
		t.Errorf("%d done, %v", r.Done, err)
	}
}

func TestPercentile(t *testing.T) {
	var d []time.Duration
	for i := 1; i <= 200; i++ {
		d = append(d, time.Duration(i))
	}
	for p, want := range map[int]time.Duration{0: 1, 50: 100, 99: 198, 100: 200} {
		if got := Percentile(d, p); got != want {
			t.Errorf("p%d is %d, want %d", p, got, want)
		}
	}
	if Percentile(nil, 50) != 0 {
		t.Error("the percentile of nothing is not 0")
	}
}
