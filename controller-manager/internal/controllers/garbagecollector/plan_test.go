package garbagecollector

import (
	"testing"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

func TestDecide(t *testing.T) {
	for _, tc := range []struct {
		name       string
		finalizers []string
		states     []ownerState
		dependents bool
		want       action
		policy     string
	}{
		{"owner exists", nil, []ownerState{solid}, false, nothing, ""},
		{"owner gone", nil, []ownerState{dangling}, false, remove, "Background"},
		{"one of two gone", nil, []ownerState{dangling, solid}, false, unlink, ""},
		{"one of two going", nil, []ownerState{waiting, solid}, true, unlink, ""},
		{"owner of an unknown kind", nil, []ownerState{unknown}, false, nothing, ""},
		{"gone beside unknown", nil, []ownerState{dangling, unknown}, false, unlink, ""},
		{"owner going", nil, []ownerState{waiting}, false, remove, "Background"},
		{"owner going, with dependents", nil, []ownerState{waiting}, true, remove, "Foreground"},
		{"gone, asks to orphan", []string{"orphan"}, []ownerState{dangling}, true, remove, "Orphan"},
		{"gone, asks for foreground", []string{"foregroundDeletion"}, []ownerState{dangling}, true, remove, "Foreground"},
	} {
		a, policy := decide(&metav1.ObjectMeta{Finalizers: tc.finalizers}, tc.states, tc.dependents)
		if a != tc.want || policy != tc.policy {
			t.Errorf("%s: %v %q, want %v %q", tc.name, a, policy, tc.want, tc.policy)
		}
	}
}
