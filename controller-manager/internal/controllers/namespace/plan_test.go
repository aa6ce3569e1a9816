package namespace

import (
	"testing"
	"time"

	"github.com/keelson/keelson/proto/sdk/apitime"
)

func TestConditions(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	r := report{left: []left{
		{resource: "pods.", names: []string{"b", "a"}, finalizers: map[string]int{"example.com/hold": 1}},
		{resource: "configmaps.", names: []string{"f", "e", "d", "c", "b", "a"}, finalizers: map[string]int{"example.com/hold": 2}},
	}}
	conditions := r.conditions(nil, now)
	got := map[string]string{}
	for _, c := range conditions {
		got[c.Type] = c.Status + " " + c.Reason + ": " + c.Message
	}
	for kind, want := range map[string]string{
		discoveryFailure:    "False ResourcesDiscovered: All resources successfully discovered",
		contentFailure:      "False ContentDeleted: All content successfully deleted, may be waiting on finalization",
		contentRemaining:    "True SomeResourcesRemain: Some resources are remaining: configmaps. has 6 resource instances (a, b, c, d, e, ...), pods. has 2 resource instances (a, b)",
		finalizersRemaining: "True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/hold in 3 resource instances",
	} {
		if got[kind] != want {
			t.Errorf("%s: %s\nwant %s", kind, got[kind], want)
		}
	}
	if again := r.conditions(conditions, now.Add(time.Hour)); !sameConditions(again, conditions) {
		t.Error("conditions change without news")
	}
	done := report{}.conditions(conditions, now.Add(time.Hour))
	for _, c := range done {
		moved := apitime.Go(c.LastTransitionTime).After(now)
		if c.Status != "False" || moved != (c.Type == contentRemaining || c.Type == finalizersRemaining) {
			t.Errorf("%s: %s since %v", c.Type, c.Status, c.LastTransitionTime)
		}
	}
	failed := report{errors: []string{"pods: no"}}
	if failed.empty() || !(report{}).empty() {
		t.Error("empty is wrong")
	}
}
