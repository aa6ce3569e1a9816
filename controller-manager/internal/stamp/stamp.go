// Package stamp converts between Go's time and the API's. API times have a resolution of one second, so comparisons
// against a clock should allow for the truncated part.
package stamp

import (
	"time"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// Of is t in the API's form, truncated to seconds as the JSON form has it, so that an object compares equal to itself
// after a round trip; nil for the zero time.
func Of(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	seconds, nanos := t.Unix(), int32(0)
	return &metav1.Time{Seconds: &seconds, Nanos: &nanos}
}

// Time is the Go form; zero where t is unset.
func Time(t *metav1.Time) time.Time {
	if t == nil || (t.Seconds == nil && t.Nanos == nil) {
		return time.Time{}
	}
	return time.Unix(t.GetSeconds(), int64(t.GetNanos()))
}

// Micro is the Go form of a micro-time; zero where t is unset.
func Micro(t *metav1.MicroTime) time.Time {
	if t == nil || (t.Seconds == nil && t.Nanos == nil) {
		return time.Time{}
	}
	return time.Unix(t.GetSeconds(), int64(t.GetNanos()))
}

// Before orders two API times; an unset time is before any other.
func Before(a, b *metav1.Time) bool { return Time(a).Before(Time(b)) }
