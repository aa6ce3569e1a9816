package events

import (
	"strings"
	"time"
)

// Limits, those of Kubernetes' recorder.
const (
	// remembered bounds what is known of earlier events, in objects and in events.
	remembered = 4096
	// similarLimit is how many different messages an object may get for one reason within similarWindow before they
	// are combined.
	similarLimit  = 10
	similarWindow = 10 * time.Minute
	// burst and refill are the token bucket of each object.
	burst  = 25
	refill = 5 * time.Minute
)

// combined begins the message of an event that stands for several.
const combined = "(combined from similar events): "

// correlator decides which event an occurrence belongs to.
type correlator struct {
	similar *lru[string, *similar]
	buckets *lru[string, *bucket]
}

type similar struct {
	messages map[string]struct{}
	last     time.Time
}

type bucket struct {
	tokens float64
	last   time.Time
}

func newCorrelator() *correlator {
	return &correlator{similar: newLRU[string, *similar](remembered), buckets: newLRU[string, *bucket](remembered)}
}

// place returns the key of the occurrence's event and its message, or false where there are too many already.
func (c *correlator) place(o occurrence) (key, message string, ok bool) {
	object := join(o.ref.GetApiVersion(), o.ref.GetKind(), o.ref.GetNamespace(), o.ref.GetName(), o.ref.GetUid(), o.ref.GetFieldPath())
	group := join(object, o.kind, o.reason)
	s, found := c.similar.get(group)
	if !found || o.at.Sub(s.last) > similarWindow {
		s = &similar{messages: map[string]struct{}{}}
		c.similar.put(group, s)
	}
	s.last = o.at
	if _, known := s.messages[o.message]; known || len(s.messages) < similarLimit {
		s.messages[o.message] = struct{}{}
		key, message = join(group, o.message), o.message
	} else {
		key, message = group, combined+o.message
	}
	return key, message, c.allow(object, o.at)
}

// allow takes a token from the object's bucket.
func (c *correlator) allow(object string, now time.Time) bool {
	b, ok := c.buckets.get(object)
	if !ok {
		b = &bucket{tokens: burst, last: now}
		c.buckets.put(object, b)
	}
	b.tokens = min(burst, b.tokens+now.Sub(b.last).Seconds()/refill.Seconds())
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func join(parts ...string) string { return strings.Join(parts, "\x00") }
