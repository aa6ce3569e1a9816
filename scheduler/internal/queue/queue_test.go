package queue

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"

	"github.com/keelson/keelson/scheduler/internal/framework"
)

func pod(uid string, priority int32) *corev1.Pod {
	return &corev1.Pod{Metadata: &metav1.ObjectMeta{Uid: uid}, Spec: &corev1.PodSpec{Priority: &priority}}
}

func pop(t *testing.T, q *Queue, want string) *Item {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	it, err := q.Pop(ctx)
	if err != nil {
		t.Fatalf("waiting for %s: %v", want, err)
	}
	if got := it.Pod.GetMetadata().GetUid(); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	return it
}

func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New()
		q.Add(pod("early", 0))
		time.Sleep(time.Millisecond)
		q.Add(pod("late", 0))
		q.Add(pod("urgent", 10))
		for _, want := range []string{"urgent", "early", "late"} {
			pop(t, q, want)
		}
	})
}

func TestParkedPodWaitsForItsEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New()
		q.Add(pod("a", 0))
		q.Park(pop(t, q, "a"), framework.PodGone)
		q.Happened(framework.NodeChanged)
		if _, _, parked := q.Len(); parked != 1 {
			t.Fatal("an event that cannot help moved the pod")
		}
		time.Sleep(time.Minute)
		before := time.Now()
		q.Happened(framework.PodGone)
		pop(t, q, "a")
		if waited := time.Since(before); waited > 0 {
			t.Errorf("waited %v after the event although the back-off was long over", waited)
		}
	})
}

func TestEventDuringDecisionIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New()
		q.Add(pod("a", 0))
		it := pop(t, q, "a")
		q.Happened(framework.PodGone)
		q.Park(it, framework.PodGone)
		begin := time.Now()
		pop(t, q, "a")
		if waited := time.Since(begin); waited != initialBackoff {
			t.Errorf("waited %v, want the back-off %v", waited, initialBackoff)
		}
	})
}

func TestBackoffDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New()
		q.Add(pod("a", 0))
		it := pop(t, q, "a")
		for _, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
			begin := time.Now()
			q.Requeue(it)
			it = pop(t, q, "a")
			if waited := time.Since(begin); waited != want*time.Second {
				t.Errorf("waited %v, want %v s", waited, want)
			}
		}
	})
}

func TestRemovedPodIsNotParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New()
		q.Add(pod("a", 0))
		it := pop(t, q, "a")
		q.Remove("a")
		q.Park(it, framework.PodGone)
		if a, b, p := q.Len(); a+b+p != 0 {
			t.Errorf("%d pods are still queued", a+b+p)
		}
	})
}
