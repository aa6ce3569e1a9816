package quota

import (
	"time"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// Counter adds up what objects use of one quota. The zero counter of a kind that the quota does not count stays empty.
type Counter struct {
	spec  *corev1.ResourceQuotaSpec
	names []string
	now   time.Time
	// Used has an amount for each of the quota's resources, 0 where nothing is used.
	Used Amounts
}

// NewCounter returns a counter for a quota's specification. Pods whose end was due before now do not count.
func NewCounter(spec *corev1.ResourceQuotaSpec, now time.Time) *Counter {
	c := &Counter{spec: spec, names: Parse(spec.GetHard()).Names(), now: now, Used: Amounts{}}
	for _, name := range c.names {
		c.Used[name] = number(0)
	}
	return c
}

// Counts tells whether the quota has a resource that objects of a kind use: then each of them is to be added.
func (c *Counter) Counts(group, plural string) bool { return len(Relevant(group, plural, c.names)) > 0 }

// Add adds what an object uses.
func (c *Counter) Add(group, plural string, obj proto.Message) {
	if InScope(c.spec, obj) {
		c.Used.Add(Usage(group, plural, obj, c.now).Only(Relevant(group, plural, c.names)))
	}
}
