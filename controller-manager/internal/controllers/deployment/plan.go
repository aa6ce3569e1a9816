package deployment

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	"google.golang.org/protobuf/proto"
)

// state is what a decision about one Deployment depends on.
type state struct {
	d *appsv1.Deployment
	// sets are the ReplicaSets that the Deployment controls.
	sets []*appsv1.ReplicaSet
	// podsRun tells whether any pod of the given ReplicaSet has not finished yet, terminating ones included.
	podsRun func(*appsv1.ReplicaSet) bool
	now     time.Time
}

// decision is what to write, in this order.
type decision struct {
	create *appsv1.ReplicaSet
	update []*appsv1.ReplicaSet
	remove []*appsv1.ReplicaSet
	// revision is the Deployment's revision annotation where it has to change.
	revision string
	// scaled are the changes of size, for events.
	scaled []resize
	status *appsv1.DeploymentStatus
	// again is when the progress deadline has to be looked at; 0 where nothing is pending.
	again time.Duration
}

// resize is one ReplicaSet's change of size.
type resize struct {
	name     string
	from, to int32
}

func (r resize) String() string {
	direction := "up"
	if r.to < r.from {
		direction = "down"
	}
	return fmt.Sprintf("Scaled %s replica set %s from %d to %d", direction, r.name, r.from, r.to)
}

// member is one ReplicaSet under change: rs is the cached object until it is edited, then a copy.
type member struct {
	rs      *appsv1.ReplicaSet
	dirty   bool
	created bool
}

func (m *member) edit() *appsv1.ReplicaSet {
	if !m.dirty && !m.created {
		m.rs, m.dirty = proto.CloneOf(m.rs), true
	}
	return m.rs
}

func (m *member) size() int32 {
	if m.rs.GetSpec().Replicas == nil {
		return 1
	}
	return m.rs.GetSpec().GetReplicas()
}

// available counts pods that are available and will stay: those beyond the size are about to be deleted, even where the
// status does not show it yet.
func (m *member) available() int32 { return min(m.rs.GetStatus().GetAvailableReplicas(), m.size()) }

// rollout is the model that a plan works on.
type rollout struct {
	state
	all   []*member
	fresh *member // of the current template, nil where there is none yet
	conds conditions
	out   decision
}

// plan decides about one Deployment.
func plan(s state) decision {
	r := newRollout(s)
	switch {
	case s.d.GetMetadata().GetDeletionTimestamp() != nil:
		r.out.status = r.status()
		return r.finish()
	case s.d.GetSpec().GetPaused() || r.wasScaled():
		r.markPaused()
		r.syncRevision(false)
		r.scale()
		if s.d.GetSpec().GetPaused() {
			r.cleanUp()
		}
		r.out.status = r.status()
		return r.finish()
	}
	r.markPaused()
	if rolling(s.d) {
		r.roll()
	} else {
		r.recreate()
	}
	r.out.status = r.rolloutStatus()
	return r.finish()
}

func newRollout(s state) *rollout {
	r := &rollout{state: s, conds: conditions(s.d.GetStatus().GetConditions())}
	fresh := findNew(s.d, s.sets)
	for _, rs := range s.sets {
		m := &member{rs: rs}
		if rs == fresh {
			r.fresh = m
		}
		r.all = append(r.all, m)
	}
	slices.SortFunc(r.all, func(a, b *member) int {
		if older(a.rs, b.rs) {
			return -1
		}
		return 1
	})
	return r
}

// old lists the ReplicaSets of earlier templates, oldest first.
func (r *rollout) old() []*member {
	out := make([]*member, 0, len(r.all))
	for _, m := range r.all {
		if m != r.fresh {
			out = append(out, m)
		}
	}
	return out
}

// active lists the ReplicaSets that want pods.
func active(members []*member) []*member {
	out := make([]*member, 0, len(members))
	for _, m := range members {
		if m.size() > 0 {
			out = append(out, m)
		}
	}
	return out
}

func total(members []*member) (size int32) {
	for _, m := range members {
		size += m.size()
	}
	return size
}

// markPaused notes that the Deployment was paused or resumed, so that the time in between does not count against the
// progress deadline. A rollout that is known to be late stays so.
func (r *rollout) markPaused() {
	current := r.conds.get(conditionProgressing)
	if !r.hasDeadline() || current.GetReason() == reasonDeadlineExceeded {
		return
	}
	paused := r.d.GetSpec().GetPaused()
	switch {
	case paused && current.GetReason() != reasonPaused:
		r.conds = r.conds.set(progressing(r.now, statusUnknown, reasonPaused, "Deployment is paused"))
	case !paused && current.GetReason() == reasonPaused:
		r.conds = r.conds.set(progressing(r.now, statusUnknown, reasonResumed, "Deployment is resumed"))
	}
}

// syncRevision gives the current template's ReplicaSet the highest revision, and makes that ReplicaSet where there is
// none and create allows.
func (r *rollout) syncRevision(create bool) {
	var old []*appsv1.ReplicaSet
	for _, m := range r.old() {
		old = append(old, m.rs)
	}
	next := nextRevision(old)
	switch {
	case r.fresh != nil:
		r.adoptRevision(next)
	case create:
		rs := newSet(r.d)
		annotate(r.d, rs, next, false)
		r.fresh = &member{rs: rs, created: true}
		rs.Spec.Replicas = proto.Int32(r.freshSize())
		r.all = append(r.all, r.fresh)
		if r.fresh.size() > 0 {
			r.out.scaled = append(r.out.scaled, resize{rs.GetMetadata().GetName(), 0, r.fresh.size()})
		}
		if r.hasDeadline() {
			r.conds = r.conds.set(progressing(r.now, statusTrue, reasonNewReplicaSet,
				fmt.Sprintf("Created new replica set %q", rs.GetMetadata().GetName())))
		}
	default:
		return
	}
	if want := strconv.FormatInt(revision(r.fresh.rs.GetMetadata()), 10); r.d.GetMetadata().GetAnnotations()[annotationRevision] != want {
		r.out.revision = want
	}
}

func (r *rollout) adoptRevision(next int64) {
	probe := &member{rs: proto.CloneOf(r.fresh.rs), created: true}
	changed := annotate(r.d, probe.rs, next, true)
	if probe.rs.GetSpec().GetMinReadySeconds() != r.d.GetSpec().GetMinReadySeconds() {
		probe.rs.Spec.MinReadySeconds = r.d.GetSpec().GetMinReadySeconds()
		changed = true
	}
	if changed {
		r.fresh.rs, r.fresh.dirty = probe.rs, true
	}
	if r.hasDeadline() && r.conds.get(conditionProgressing) == nil {
		r.conds = r.conds.set(progressing(r.now, statusTrue, reasonFoundReplicaSet,
			fmt.Sprintf("Found new replica set %q", r.fresh.rs.GetMetadata().GetName())))
	}
}

// resize sets a member's size and records it for the event.
func (r *rollout) resize(m *member, to int32) {
	from := m.size()
	if from != to {
		m.edit().Spec.Replicas = proto.Int32(to)
		r.out.scaled = append(r.out.scaled, resize{m.rs.GetMetadata().GetName(), from, to})
	}
	probe := &appsv1.ReplicaSet{Metadata: proto.CloneOf(m.rs.GetMetadata())}
	if from != to || annotateSizes(probe, r.d) {
		annotateSizes(m.edit(), r.d)
	}
}

// finish collects the writes.
func (r *rollout) finish() decision {
	for _, m := range r.all {
		switch {
		case m.created:
			r.out.create = m.rs
		case m.dirty:
			r.out.update = append(r.out.update, m.rs)
		}
	}
	return r.out
}
