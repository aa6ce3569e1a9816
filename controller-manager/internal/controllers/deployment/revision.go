package deployment

import (
	"maps"
	"strconv"
	"strings"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// historyLength bounds the revision-history annotation in bytes; the oldest entries are dropped first.
const historyLength = 2000

// revision reads an object's revision; 0 where it has none or it is not a number.
func revision(m *metav1.ObjectMeta) int64 {
	n, err := strconv.ParseInt(m.GetAnnotations()[annotationRevision], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// nextRevision is one more than the highest revision of the old ReplicaSets.
func nextRevision(old []*appsv1.ReplicaSet) int64 {
	var highest int64
	for _, rs := range old {
		highest = max(highest, revision(rs.GetMetadata()))
	}
	return highest + 1
}

// private annotations describe one object and are never copied from a Deployment to its ReplicaSets.
func private(key string) bool {
	switch key {
	case annotationLastApplied, annotationRevision, annotationRevisionHistory, annotationDesired, annotationMax, annotationRollbackTo:
		return true
	}
	return false
}

// annotate brings the new ReplicaSet's annotations up to date: the Deployment's own, the revision, and the history of
// revisions under which the template ran before. It returns whether anything changed.
func annotate(d *appsv1.Deployment, rs *appsv1.ReplicaSet, next int64, exists bool) bool {
	before := maps.Clone(rs.GetMetadata().GetAnnotations())
	a := rs.Metadata.Annotations
	if a == nil {
		a = map[string]string{}
		rs.Metadata.Annotations = a
	}
	for k, v := range d.GetMetadata().GetAnnotations() {
		if !private(k) {
			a[k] = v
		}
	}
	if old := revision(rs.GetMetadata()); old < next {
		if exists && old > 0 {
			a[annotationRevisionHistory] = appendHistory(a[annotationRevisionHistory], old)
		}
		a[annotationRevision] = strconv.FormatInt(next, 10)
	}
	if !exists {
		annotateSizes(rs, d)
	}
	return !maps.Equal(before, a)
}

func appendHistory(history string, old int64) string {
	entry := strconv.FormatInt(old, 10)
	if history == "" {
		return entry
	}
	history += "," + entry
	for len(history) > historyLength {
		_, rest, found := strings.Cut(history, ",")
		if !found {
			break
		}
		history = rest
	}
	return history
}

// annotateSizes records the desired and the greatest number of pods at the time of scaling: how a later pass sees that
// the Deployment was scaled in the middle of a rollout, and in which proportion. It returns whether anything changed.
func annotateSizes(rs *appsv1.ReplicaSet, d *appsv1.Deployment) bool {
	surge, _ := bounds(d)
	desired := strconv.Itoa(int(replicas(d)))
	most := strconv.Itoa(int(replicas(d) + surge))
	a := rs.GetMetadata().GetAnnotations()
	if a[annotationDesired] == desired && a[annotationMax] == most {
		return false
	}
	if a == nil {
		a = map[string]string{}
		rs.Metadata.Annotations = a
	}
	a[annotationDesired], a[annotationMax] = desired, most
	return true
}

// recorded reads one of the numbers that annotateSizes wrote.
func recorded(rs *appsv1.ReplicaSet, key string) (int32, bool) {
	n, err := strconv.ParseInt(rs.GetMetadata().GetAnnotations()[key], 10, 32)
	return int32(n), err == nil
}
