package apitime_test

import (
	"testing"
	"time"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
)

func TestRoundTrip(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 30, 15, 123456789, time.UTC)
	if got := apitime.Go(apitime.Of(at)); !got.Equal(at.Truncate(time.Second)) {
		t.Errorf("Time: %v", got)
	}
	if got := apitime.GoMicro(apitime.OfMicro(at)); !got.Equal(at.Truncate(time.Microsecond)) {
		t.Errorf("MicroTime: %v", got)
	}
}

func TestZeroIsNotTheEpoch(t *testing.T) {
	epoch := time.Unix(0, 0).UTC()
	for _, c := range []struct {
		in   *metav1.Time
		want time.Time
	}{{nil, time.Time{}}, {&metav1.Time{}, time.Time{}}, {apitime.Of(epoch), epoch}} {
		if got := apitime.Go(c.in); !got.Equal(c.want) {
			t.Errorf("%v: %v", c.in, got)
		}
		if apitime.IsZero(c.in) != c.want.IsZero() {
			t.Errorf("IsZero(%v)", c.in)
		}
	}
	if apitime.Of(time.Time{}) != nil || apitime.OfMicro(time.Time{}) != nil || !apitime.GoMicro(&metav1.MicroTime{}).IsZero() {
		t.Error("the zero time is not nil")
	}
}
