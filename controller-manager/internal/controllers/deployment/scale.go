package deployment

import (
	"math"
	"slices"
)

// wasScaled reports whether the number of replicas was changed since the ReplicaSets were last sized. Rollouts stop
// for a change of size: it is spread over the ReplicaSets first.
func (r *rollout) wasScaled() bool {
	for _, m := range active(r.all) {
		if desired, ok := recorded(m.rs, annotationDesired); ok && desired != replicas(r.d) {
			return true
		}
	}
	return false
}

// scale brings the total to the desired number. With one active ReplicaSet it takes everything; once the new one is
// fully there the old ones go to 0; in the middle of a rolling update each takes its share, so that a broken new
// template does not get more than it had.
func (r *rollout) scale() {
	if only := r.activeOrLatest(); only != nil {
		r.resizeIfNeeded(only, replicas(r.d))
		return
	}
	if r.saturated() {
		for _, m := range active(r.old()) {
			r.resize(m, 0)
		}
		return
	}
	if rolling(r.d) {
		r.scaleInProportion()
	}
}

// activeOrLatest is the one ReplicaSet that takes every change of size; nil where several are active.
func (r *rollout) activeOrLatest() *member {
	switch a := active(r.all); {
	case len(a) == 1:
		return a[0]
	case len(a) > 1:
		return nil
	case r.fresh != nil:
		return r.fresh
	case len(r.all) > 0:
		return r.all[len(r.all)-1]
	default:
		return nil
	}
}

// saturated reports whether the new ReplicaSet has all replicas, sized by this Deployment, and available.
func (r *rollout) saturated() bool {
	if r.fresh == nil {
		return false
	}
	desired, ok := recorded(r.fresh.rs, annotationDesired)
	want := replicas(r.d)
	return ok && r.fresh.size() == want && desired == want && r.fresh.rs.GetStatus().GetAvailableReplicas() == want
}

func (r *rollout) scaleInProportion() {
	members := active(r.all)
	var allowed int32
	if replicas(r.d) > 0 {
		surge, _ := bounds(r.d)
		allowed = replicas(r.d) + surge
	}
	missing := allowed - total(members)
	// The largest gets what rounding leaves over; of equals the newest when growing, the oldest when shrinking.
	slices.SortStableFunc(members, func(a, b *member) int {
		if a.size() != b.size() {
			return int(b.size() - a.size())
		}
		if older(a.rs, b.rs) == (missing > 0) {
			return 1
		}
		return -1
	})
	sizes := make([]int32, len(members))
	left := missing
	for i, m := range members {
		share := r.share(m, allowed)
		if missing > 0 {
			share = max(min(share, left), 0)
		} else {
			share = min(max(share, left), 0)
		}
		sizes[i] = m.size() + share
		left -= share
	}
	for i, m := range members {
		if i == 0 {
			sizes[i] = max(sizes[i]+left, 0)
		}
		r.resize(m, sizes[i])
	}
}

// share is by how much a member grows if it keeps its part of the whole. The whole is what was recorded when the member
// was last sized.
func (r *rollout) share(m *member, allowed int32) int32 {
	if replicas(r.d) == 0 {
		return -m.size()
	}
	whole, ok := recorded(m.rs, annotationMax)
	if !ok || whole <= 0 {
		whole = r.d.GetStatus().GetReplicas()
	}
	if whole == 0 {
		return 0
	}
	return int32(math.Round(float64(m.size())*float64(allowed)/float64(whole))) - m.size()
}
