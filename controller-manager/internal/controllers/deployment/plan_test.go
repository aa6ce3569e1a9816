package deployment

import (
	"math/rand"
	"testing"
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"google.golang.org/protobuf/proto"
)

func TestBounds(t *testing.T) {
	for _, tc := range []struct {
		n                  int32
		surge, unavailable *metav1.IntOrString
		wantS, wantU       int32
	}{
		{10, percent("25%"), percent("25%"), 3, 2},
		{1, percent("25%"), percent("25%"), 1, 0},
		{3, number(0), number(0), 0, 1},
		{3, percent("0%"), percent("10%"), 0, 1},
		{4, number(2), number(9), 2, 4},
		{0, number(2), number(1), 0, 0},
		{3, percent("100%"), number(0), 3, 0},
	} {
		s, u := bounds(deployment(tc.n, tc.surge, tc.unavailable))
		if s != tc.wantS || u != tc.wantU {
			t.Errorf("bounds(%d, %v, %v) = %d, %d, want %d, %d", tc.n, tc.surge, tc.unavailable, s, u, tc.wantS, tc.wantU)
		}
	}
}

func TestFirstRollout(t *testing.T) {
	w := newWorld(deployment(3, number(1), number(0)))
	out, _ := w.step()
	if out.create == nil || out.create.GetSpec().GetReplicas() != 3 || out.revision != "1" {
		t.Fatalf("first pass: %+v", out)
	}
	meta := out.create.GetMetadata()
	if meta.Annotations[annotationRevision] != "1" || meta.Annotations[annotationDesired] != "3" || meta.Annotations[annotationMax] != "4" {
		t.Errorf("annotations: %v", meta.Annotations)
	}
	sum := meta.Labels[labelHash]
	if sum == "" || meta.Name != "web-"+sum || out.create.Spec.Selector.MatchLabels[labelHash] != sum || out.create.Spec.Template.Metadata.Labels[labelHash] != sum {
		t.Errorf("the hash is not everywhere: %v", out.create)
	}
	if c := conditions(out.status.Conditions).get(conditionProgressing); c.GetReason() != reasonNewReplicaSet {
		t.Errorf("Progressing: %v", c)
	}
	if c := conditions(out.status.Conditions).get(conditionAvailable); c.GetStatus() != statusFalse {
		t.Errorf("Available: %v", c)
	}
	w.settle(nil)
	w.run()
	s := w.d.Status
	if s.Replicas != 3 || s.UpdatedReplicas != 3 || s.AvailableReplicas != 3 || s.UnavailableReplicas != 0 || s.ObservedGeneration != 1 {
		t.Errorf("status: %v", s)
	}
	if c := conditions(s.Conditions).get(conditionProgressing); c.GetReason() != reasonComplete || c.GetMessage() != `ReplicaSet "`+meta.Name+`" has successfully progressed.` {
		t.Errorf("Progressing: %v", c)
	}
	if len(w.events) != 1 || w.events[0] != "Scaled up replica set "+meta.Name+" from 0 to 3" {
		t.Errorf("events: %q", w.events)
	}
}

func TestRollback(t *testing.T) {
	w := newWorld(deployment(3, percent("25%"), percent("25%")))
	w.run()
	first := w.of("v1").Metadata.Name
	w.setImage("v2")
	w.run()
	if got := w.of("v2").Spec.GetReplicas(); got != 3 || w.of("v1").Spec.GetReplicas() != 0 {
		t.Fatalf("after the update: v2 has %d, v1 %d", got, w.of("v1").Spec.GetReplicas())
	}
	w.setImage("v1")
	w.run()
	back := w.of("v1")
	if back.Metadata.Name != first || back.Spec.GetReplicas() != 3 {
		t.Fatalf("rollback made %s with %d", back.Metadata.Name, back.Spec.GetReplicas())
	}
	if a := back.Metadata.Annotations; a[annotationRevision] != "3" || a[annotationRevisionHistory] != "1" {
		t.Errorf("annotations of the old template: %v", a)
	}
	if got := w.d.Metadata.Annotations[annotationRevision]; got != "3" {
		t.Errorf("revision of the deployment = %s", got)
	}
}

func TestRecreate(t *testing.T) {
	d := deployment(2, nil, nil)
	d.Spec.Strategy = &appsv1.DeploymentStrategy{Type: strategyRecreate}
	w := newWorld(d)
	w.run()
	w.setImage("v2")
	old := w.of("v1").Metadata.Name
	if out, _ := w.step(); out.create != nil || len(out.update) != 1 {
		t.Fatalf("the old one is not stopped first: %+v", out)
	}
	w.settle(nil)
	w.running[old] = true // terminating
	if out, _ := w.step(); out.create != nil {
		t.Fatal("started the new one while an old pod is terminating")
	}
	w.running[old] = false
	if out, _ := w.step(); out.create == nil || out.create.Spec.GetReplicas() != 2 {
		t.Fatal("the new one is not started at full size")
	}
}

func TestPausedDoesNotRollOut(t *testing.T) {
	w := newWorld(deployment(2, number(1), number(0)))
	w.run()
	w.setImage("v2")
	w.d.Spec.Paused = true
	w.d.Spec.Replicas = proto.Int32(5)
	w.run()
	if w.of("v2") != nil || w.of("v1").Spec.GetReplicas() != 5 {
		t.Fatalf("paused: sets %v", w.sets)
	}
	if c := conditions(w.d.Status.Conditions).get(conditionProgressing); c.GetReason() != reasonPaused || c.GetStatus() != statusUnknown {
		t.Errorf("Progressing: %v", c)
	}
	w.d = proto.CloneOf(w.d)
	w.d.Spec.Paused = false
	w.run()
	if w.of("v2").Spec.GetReplicas() != 5 {
		t.Fatalf("resumed: sets %v", w.sets)
	}
}

func TestProportionalScaling(t *testing.T) {
	// A rollout of 10 with a surge of 3 hangs at 8 old and 5 new; it is then scaled to 15, as in the documentation.
	w := newWorld(deployment(10, number(3), number(2)))
	w.run()
	w.setImage("broken")
	for range 5 {
		w.step()
		w.settle(func(rs *appsv1.ReplicaSet) bool {
			return rs.GetSpec().GetTemplate().GetSpec().GetContainers()[0].GetImage() != "broken"
		})
	}
	if o, n := w.of("v1").Spec.GetReplicas(), w.of("broken").Spec.GetReplicas(); o != 8 || n != 5 {
		t.Fatalf("before scaling: %d old, %d new", o, n)
	}
	w.d.Spec.Replicas = proto.Int32(15)
	w.step()
	if o, n := w.of("v1").Spec.GetReplicas(), w.of("broken").Spec.GetReplicas(); o != 11 || n != 7 {
		t.Errorf("after scaling: %d old, %d new, want 11 and 7", o, n)
	}
}

func TestProgressDeadline(t *testing.T) {
	d := deployment(1, number(1), number(0))
	d.Spec.ProgressDeadlineSeconds = proto.Int32(10)
	w := newWorld(d)
	out, _ := w.step()
	if out.again <= 10*time.Second || out.again > 12*time.Second {
		t.Errorf("looks again after %s", out.again)
	}
	w.now = w.now.Add(5 * time.Second)
	w.step()
	if c := conditions(w.d.Status.Conditions).get(conditionProgressing); c.GetStatus() != statusTrue {
		t.Errorf("early: %v", c)
	}
	w.now = w.now.Add(7 * time.Second)
	out, _ = w.step()
	c := conditions(w.d.Status.Conditions).get(conditionProgressing)
	if c.GetStatus() != statusFalse || c.GetReason() != reasonDeadlineExceeded {
		t.Errorf("late: %v", c)
	}
	if out.again != 0 {
		t.Errorf("still looks again after %s", out.again)
	}
	// It heals when the pod comes after all.
	w.settle(nil)
	w.step()
	if c := conditions(w.d.Status.Conditions).get(conditionProgressing); c.GetReason() != reasonComplete {
		t.Errorf("healed: %v", c)
	}
}

func TestHistoryLimit(t *testing.T) {
	d := deployment(1, number(1), number(0))
	d.Spec.RevisionHistoryLimit = proto.Int32(2)
	w := newWorld(d)
	for _, image := range []string{"v1", "v2", "v3", "v4", "v5"} {
		w.setImage(image)
		w.run()
	}
	if len(w.sets) != 3 || w.of("v1") != nil || w.of("v2") != nil || w.of("v3") == nil {
		t.Errorf("%d sets are left", len(w.sets))
	}
}

// TestRolloutInvariants drives random rollouts in which pods come and go one by one, and checks in every step that a
// rollout never has too many pods and never gives up availability that it may not.
func TestRolloutInvariants(t *testing.T) {
	for seed := range int64(300) {
		rnd := rand.New(rand.NewSource(seed))
		n := int32(rnd.Intn(12) + 1)
		w := newWorld(deployment(n, number(int32(rnd.Intn(4))), number(int32(rnd.Intn(4)))))
		w.run()
		w.setImage("v2")
		surge, unavailable := bounds(w.d)
		done := false
		for range 2000 {
			w.now = w.now.Add(time.Second)
			if rnd.Intn(2) == 0 {
				_, wrote := w.step()
				if !wrote && settled(w) {
					done = true
					break
				}
			} else {
				drift(w, rnd)
			}
			var size, available int32
			for _, rs := range w.sets {
				size += rs.Spec.GetReplicas()
				available += min(rs.Status.GetAvailableReplicas(), rs.Spec.GetReplicas())
			}
			if size > n+surge {
				t.Fatalf("seed %d: %d pods wanted, at most %d allowed", seed, size, n+surge)
			}
			if available < n-unavailable {
				t.Fatalf("seed %d: %d pods stay available, at least %d needed", seed, available, n-unavailable)
			}
		}
		if !done || w.of("v2").Spec.GetReplicas() != n || w.of("v1").Spec.GetReplicas() != 0 {
			t.Fatalf("seed %d: the rollout did not finish", seed)
		}
	}
}

func settled(w *world) bool {
	for _, rs := range w.sets {
		if rs.Status.AvailableReplicas != rs.Spec.GetReplicas() || rs.Status.Replicas != rs.Spec.GetReplicas() {
			return false
		}
	}
	return true
}

// drift moves one ReplicaSet's status by one pod towards its spec.
func drift(w *world, rnd *rand.Rand) {
	for name, old := range w.sets {
		if rnd.Intn(2) == 0 {
			continue
		}
		rs := proto.CloneOf(old)
		switch want := rs.Spec.GetReplicas(); {
		case rs.Status.Replicas > want:
			rs.Status.Replicas--
			rs.Status.AvailableReplicas = min(rs.Status.AvailableReplicas, rs.Status.Replicas)
		case rs.Status.Replicas < want:
			rs.Status.Replicas++
		case rs.Status.AvailableReplicas < want:
			rs.Status.AvailableReplicas++
		}
		rs.Status.ReadyReplicas = rs.Status.AvailableReplicas
		w.sets[name] = rs
	}
}
