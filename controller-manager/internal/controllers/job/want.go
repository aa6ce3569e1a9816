package job

import (
	"slices"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/controller-manager/internal/podset"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/ranking"
)

// wish is what has to be done about pods: some removed, or some created, never both in one pass.
type wish struct {
	remove []*corev1.Pod
	// create pods of these indexes, or create number pods where the Job has none.
	indexes []int
	number  int
	// wait is how long until a failed pod may be replaced.
	wait time.Duration
}

// want compares the pods that run with those that should, for a Job that goes on.
func (t *tally) want() wish {
	if isSuspended(t.job) {
		return wish{remove: t.active}
	}
	target := parallelism(t.job)
	limit, hasLimit := completions(t.job)
	switch {
	case hasLimit:
		target = max(min(target, limit-t.succeeded), 0)
	case t.succeeded > 0:
		// One success is enough; whoever still runs may finish.
		target = t.running
	}
	if remove := t.surplus(t.running - target); len(remove) > 0 {
		return wish{remove: remove[:min(len(remove), podset.Burst)]}
	}
	missing := target - t.running
	if waitsForEnd(t.job) {
		missing -= t.terminating
	}
	if missing <= 0 {
		return wish{}
	}
	missing = min(missing, podset.Burst)
	if !perIndex(t.job) {
		n, last := failures(t.job, t.pods)
		if wait := delay(n, last, t.now); wait > 0 {
			return wish{wait: wait}
		}
	}
	if !isIndexed(t.job) {
		return wish{number: missing}
	}
	return t.nextIndexes(missing, limit)
}

// nextIndexes picks the lowest indexes that nobody works at.
func (t *tally) nextIndexes(n, limit int) wish {
	var taken []int
	for _, pod := range t.pods {
		if podstate.Active(pod) || podstate.Terminating(pod) && waitsForEnd(t.job) {
			if i, ok := indexOf(pod); ok {
				taken = append(taken, i)
			}
		}
	}
	next := t.done.union(t.broken).union(indexesOf(taken)).missing(n, limit)
	if !perIndex(t.job) {
		return wish{indexes: next}
	}
	var w wish
	for _, i := range next {
		pod := t.replaceable[i]
		if pod == nil {
			w.indexes = append(w.indexes, i)
			continue
		}
		if wait := delay(failuresBefore(pod)+1, endOf(pod), t.now); wait == 0 {
			w.indexes = append(w.indexes, i)
		} else if w.wait == 0 || wait < w.wait {
			w.wait = wait
		}
	}
	return w
}

// surplus lists at least n active pods to be removed: those with an index out of range or one that another has too,
// then those by which least is lost.
func (t *tally) surplus(n int) []*corev1.Pod {
	var out, rest []*corev1.Pod
	ranked := ranking.Rank(t.active, nil, t.now)
	if isIndexed(t.job) {
		seen := map[int]bool{}
		for _, pod := range slices.Backward(ranked) { // the best pod of an index stays
			i, _ := indexOf(pod)
			if !t.valid(pod) || seen[i] {
				out = append(out, pod)
				continue
			}
			seen[i] = true
			rest = append(rest, pod)
		}
		slices.Reverse(rest)
	} else {
		rest = ranked
	}
	if more := n - len(out); more > 0 {
		out = append(out, rest[:min(more, len(rest))]...)
	}
	return out
}
