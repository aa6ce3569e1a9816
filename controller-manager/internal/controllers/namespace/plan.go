package namespace

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"google.golang.org/protobuf/proto"
)

// Conditions and their reasons, in the order in which they are reported.
const (
	discoveryFailure    = "NamespaceDeletionDiscoveryFailure"
	parsingFailure      = "NamespaceDeletionGroupVersionParsingFailure"
	contentFailure      = "NamespaceDeletionContentFailure"
	contentRemaining    = "NamespaceContentRemaining"
	finalizersRemaining = "NamespaceFinalizersRemaining"
)

// named bounds how many objects of a kind a message names.
const named = 5

// left is what is left of one kind.
type left struct {
	resource   string // "pods.", "replicasets.apps"
	names      []string
	finalizers map[string]int
}

// report is what a pass found.
type report struct {
	left   []left
	errors []string
}

// empty reports whether the namespace may go.
func (r report) empty() bool { return len(r.left) == 0 && len(r.errors) == 0 }

// conditions returns the namespace's conditions after a pass; those without news are kept as they are.
func (r report) conditions(old []*corev1.NamespaceCondition, now time.Time) []*corev1.NamespaceCondition {
	out := slices.Clone(old)
	set := func(kind string, bad bool, badReason, badMessage, goodReason, goodMessage string) {
		c := &corev1.NamespaceCondition{
			Type: kind, Status: "False", Reason: goodReason, Message: goodMessage, LastTransitionTime: apitime.Of(now),
		}
		if bad {
			c.Status, c.Reason, c.Message = "True", badReason, badMessage
		}
		i := slices.IndexFunc(out, func(have *corev1.NamespaceCondition) bool { return have.GetType() == kind })
		if i < 0 {
			out = append(out, c)
			return
		}
		if out[i].GetStatus() == c.Status {
			c.LastTransitionTime = out[i].GetLastTransitionTime()
		}
		out[i] = c
	}
	set(discoveryFailure, false, "", "", "ResourcesDiscovered", "All resources successfully discovered")
	set(parsingFailure, false, "", "", "ParsedGroupVersions", "All legacy kube types successfully parsed")
	set(contentFailure, len(r.errors) > 0, "ContentDeletionFailed",
		fmt.Sprintf("Failed to delete all resource types, %d remaining: %s", len(r.errors), strings.Join(r.errors, ", ")),
		"ContentDeleted", "All content successfully deleted, may be waiting on finalization")
	set(contentRemaining, len(r.left) > 0, "SomeResourcesRemain", "Some resources are remaining: "+r.remaining(),
		"ContentRemoved", "All content successfully removed")
	finalizers := r.finalizers()
	set(finalizersRemaining, finalizers != "", "SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: "+finalizers,
		"ContentHasNoFinalizers", "All content-preserving finalizers finished")
	return out
}

// remaining is "configmaps. has 2 resource instances (a, b), pods. has 1 resource instances (web-0)".
func (r report) remaining() string {
	sorted := slices.SortedFunc(slices.Values(r.left), func(a, b left) int { return cmp.Compare(a.resource, b.resource) })
	parts := make([]string, 0, len(sorted))
	for _, l := range sorted {
		names := slices.Sorted(slices.Values(l.names))
		if len(names) > named {
			names = append(names[:named], "...")
		}
		parts = append(parts, fmt.Sprintf("%s has %d resource instances (%s)", l.resource, len(l.names), strings.Join(names, ", ")))
	}
	return strings.Join(parts, ", ")
}

// finalizers is "example.com/hold in 2 resource instances".
func (r report) finalizers() string {
	sum := map[string]int{}
	for _, l := range r.left {
		for f, n := range l.finalizers {
			sum[f] += n
		}
	}
	parts := make([]string, 0, len(sum))
	for _, f := range slices.Sorted(maps.Keys(sum)) {
		parts = append(parts, fmt.Sprintf("%s in %d resource instances", f, sum[f]))
	}
	return strings.Join(parts, ", ")
}

func sameConditions(a, b []*corev1.NamespaceCondition) bool {
	return proto.Equal(&corev1.NamespaceStatus{Conditions: a}, &corev1.NamespaceStatus{Conditions: b})
}
