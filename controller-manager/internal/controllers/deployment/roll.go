package deployment

import (
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
)

// roll moves a RollingUpdate one step: the new ReplicaSet up as far as the surge allows, then the old ones down as far
// as availability allows. Both may happen in one pass, because the second step counts the pods that the first one
// asked for as unavailable.
func (r *rollout) roll() {
	r.syncRevision(true)
	if !r.fresh.created {
		r.resizeIfNeeded(r.fresh, r.freshSize())
	}
	r.shrinkOld()
	if complete(r.d, r.d.GetStatus()) {
		r.cleanUp()
	}
}

// recreate stops everything old before it starts anything new.
func (r *rollout) recreate() {
	r.syncRevision(false)
	running := false
	for _, m := range r.old() {
		if m.size() > 0 {
			r.resize(m, 0)
			running = true
		}
		running = running || r.podsRun(m.rs)
	}
	if running {
		return
	}
	if r.fresh == nil {
		r.syncRevision(true)
	} else {
		r.resizeIfNeeded(r.fresh, replicas(r.d))
	}
	if complete(r.d, r.d.GetStatus()) {
		r.cleanUp()
	}
}

// resizeIfNeeded leaves the annotations of a member that has its size alone.
func (r *rollout) resizeIfNeeded(m *member, to int32) {
	if m.size() != to {
		r.resize(m, to)
	}
}

// freshSize is how large the new ReplicaSet may be now.
func (r *rollout) freshSize() int32 {
	want := replicas(r.d)
	if !rolling(r.d) {
		return want
	}
	have := r.fresh.size()
	if have >= want {
		return want
	}
	surge, _ := bounds(r.d)
	sum := total(r.all)
	if r.fresh.created {
		sum, have = total(r.old()), 0
	}
	room := want + surge - sum
	if room <= 0 {
		return have
	}
	return have + min(room, want-have)
}

// shrinkOld takes pods from the old ReplicaSets, unhealthy ones first: they serve nobody.
func (r *rollout) shrinkOld() {
	old := active(r.old())
	if len(old) == 0 {
		return
	}
	freshMissing := r.fresh.size() - r.fresh.available()
	budget := total(r.all) - minAvailable(r.d) - freshMissing
	if budget <= 0 {
		return
	}
	for _, m := range old {
		if unhealthy := m.size() - m.available(); unhealthy > 0 && budget > 0 {
			n := min(unhealthy, budget)
			r.resize(m, m.size()-n)
			budget -= n
		}
	}
	spare := -minAvailable(r.d)
	for _, m := range r.all {
		spare += m.available()
	}
	for _, m := range old {
		if m.size() > 0 && spare > 0 {
			n := min(m.size(), spare)
			r.resize(m, m.size()-n)
			spare -= n
		}
	}
}

// cleanUp removes the oldest ReplicaSets beyond the history limit. Only those are removed that have no pods and whose
// own controller has seen that they want none.
func (r *rollout) cleanUp() {
	limit := r.d.GetSpec().RevisionHistoryLimit
	if limit == nil {
		return
	}
	var candidates []*member
	for _, m := range r.old() {
		if m.rs.GetMetadata().GetDeletionTimestamp() == nil {
			candidates = append(candidates, m)
		}
	}
	surplus := len(candidates) - int(*limit)
	if surplus <= 0 {
		return
	}
	for _, m := range byRevision(candidates)[:surplus] {
		rs := m.rs
		if m.dirty || rs.GetStatus().GetReplicas() != 0 || m.size() != 0 ||
			rs.GetMetadata().GetGeneration() > rs.GetStatus().GetObservedGeneration() {
			continue
		}
		r.out.remove = append(r.out.remove, rs)
	}
}

// complete reports whether status shows the current spec fully rolled out.
func complete(d *appsv1.Deployment, status *appsv1.DeploymentStatus) bool {
	want := replicas(d)
	return status.GetUpdatedReplicas() == want && status.GetReplicas() == want && status.GetAvailableReplicas() == want &&
		status.GetObservedGeneration() >= d.GetMetadata().GetGeneration()
}
