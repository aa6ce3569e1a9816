// Package apitime converts between Go's times and the API's, in which an empty message is no time at all.
package apitime

import (
	"time"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// Now returns the present as an API time.
func Now() *metav1.Time { return Of(time.Now()) }

// Of returns t with the precision of JSON, one second; nil for the zero time.
func Of(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	seconds := t.Unix()
	return &metav1.Time{Seconds: &seconds, Nanos: new(int32)}
}

// Go returns the time; the zero time for nil and for the empty message.
func Go(t *metav1.Time) time.Time {
	if t == nil || t.Seconds == nil && t.Nanos == nil {
		return time.Time{}
	}
	return time.Unix(t.GetSeconds(), int64(t.GetNanos())).UTC()
}

// IsZero tells whether there is no time.
func IsZero(t *metav1.Time) bool { return t == nil || t.Seconds == nil && t.Nanos == nil }

// NowMicro returns the present as an API time of micro-second precision.
func NowMicro() *metav1.MicroTime { return OfMicro(time.Now()) }

// OfMicro returns t with the precision of a micro-second; nil for the zero time.
func OfMicro(t time.Time) *metav1.MicroTime {
	if t.IsZero() {
		return nil
	}
	seconds, nanos := t.Unix(), int32(t.Nanosecond()/1000*1000)
	return &metav1.MicroTime{Seconds: &seconds, Nanos: &nanos}
}

// GoMicro returns the time; the zero time for nil and for the empty message.
func GoMicro(t *metav1.MicroTime) time.Time {
	if t == nil || t.Seconds == nil && t.Nanos == nil {
		return time.Time{}
	}
	return time.Unix(t.GetSeconds(), int64(t.GetNanos())).UTC()
}
