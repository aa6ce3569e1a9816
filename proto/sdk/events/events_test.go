package events_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/events"
)

func pod(name string) *corev1.Pod {
	return &corev1.Pod{Metadata: &metav1.ObjectMeta{Namespace: "default", Name: name, Uid: "uid-" + name, ResourceVersion: "7"}}
}

// recorder is one whose events are written before the list is read.
func recorder(t *testing.T, s *apitest.Server) *events.Recorder {
	r := events.NewRecorder(s.Conn, "kubelet", "node-1")
	t.Cleanup(func() { r.Close(t.Context()) })
	return r
}

func list(t *testing.T, s *apitest.Server) []*corev1.Event {
	t.Helper()
	synctest.Wait()
	all, _, err := client.For[*corev1.Event](s.Conn).List(t.Context(), client.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b *corev1.Event) int { return cmp.Compare(a.Message, b.Message) })
	return all
}

func TestEventFields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := apitest.New(t)
		r := recorder(t, s)
		r.Event(pod("a"), events.Warning, "Failed", "container %q: 100%% wrong", "c")
		r.Event(&corev1.Node{Metadata: &metav1.ObjectMeta{Name: "n"}}, events.Normal, "NodeReady", "plain text")
		all := list(t, s)
		if len(all) != 2 {
			t.Fatalf("%d events", len(all))
		}
		e := all[0]
		o := e.InvolvedObject
		if o.Kind != "Pod" || o.ApiVersion != "v1" || o.Namespace != "default" || o.Name != "a" || o.Uid != "uid-a" || o.ResourceVersion != "7" {
			t.Errorf("involved %v", o)
		}
		if e.Metadata.Namespace != "default" || !strings.HasPrefix(e.Metadata.Name, "a.") || e.Type != "Warning" || e.Reason != "Failed" ||
			e.Message != `container "c": 100% wrong` || e.Count != 1 || e.Source.Component != "kubelet" || e.Source.Host != "node-1" ||
			e.ReportingComponent != "kubelet" || e.ReportingInstance != "node-1" || apitime.IsZero(e.FirstTimestamp) || apitime.IsZero(e.LastTimestamp) {
			t.Errorf("event %v", e)
		}
		if n := all[1]; n.Metadata.Namespace != "default" || n.InvolvedObject.Kind != "Node" || n.Message != "plain text" {
			t.Errorf("event of a node %v", n)
		}
	})
}

func TestEqualEventsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := apitest.New(t)
		r := recorder(t, s)
		start := time.Now()
		for range 5 {
			r.Event(pod("a"), events.Normal, "Pulled", "same")
			time.Sleep(10 * time.Second)
		}
		r.Event(pod("b"), events.Normal, "Pulled", "same")
		all := list(t, s)
		if len(all) != 2 {
			t.Fatalf("%d events", len(all))
		}
		i := slices.IndexFunc(all, func(e *corev1.Event) bool { return e.Count == 5 })
		if i < 0 || !apitime.Go(all[i].FirstTimestamp).Equal(start) || apitime.Go(all[i].LastTimestamp).Sub(start) != 40*time.Second {
			t.Errorf("events %v", all)
		}
	})
}

func TestSimilarEventsAreCombinedAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := apitest.New(t)
		r := recorder(t, s)
		for i := range 100 {
			r.Event(pod("a"), events.Warning, "BackOff", "attempt %d", i)
		}
		all := list(t, s)
		if len(all) != 11 {
			t.Fatalf("%d events, want 10 and one that combines the rest", len(all))
		}
		combined := all[0]
		if combined.Message != "(combined from similar events): attempt 24" || combined.Count != 15 {
			t.Errorf("combined: %s x%d, want the 25 that the bucket allows", combined.Message, combined.Count)
		}
		time.Sleep(5 * time.Minute) // one token
		r.Event(pod("a"), events.Warning, "BackOff", "later")
		r.Event(pod("a"), events.Warning, "BackOff", "too much")
		if all = list(t, s); all[0].Count != 16 {
			t.Errorf("after the refill: %s x%d", all[0].Message, all[0].Count)
		}
	})
}

func TestEventThatVanishedIsToldAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := apitest.New(t)
		r := recorder(t, s)
		r.Event(pod("a"), events.Normal, "Pulled", "same")
		all := list(t, s)
		if err := client.For[*corev1.Event](s.Conn).Delete(t.Context(), "default", all[0].Metadata.Name); err != nil {
			t.Fatal(err)
		}
		r.Event(pod("a"), events.Normal, "Pulled", "same")
		if all = list(t, s); len(all) != 1 || all[0].Count != 2 {
			t.Errorf("events %v", all)
		}
	})
}

func TestRefusedEventsDoNotStopTheRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := apitest.New(t)
		r := recorder(t, s)
		r.Event(pod("Not A Name"), events.Normal, "Pulled", "nobody will see this")
		r.Event(pod("a"), events.Normal, "Pulled", "this one yes")
		if all := list(t, s); len(all) != 1 || all[0].Message != "this one yes" {
			t.Errorf("events %v", all)
		}
	})
}

func TestCloseWritesWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := apitest.New(t)
		s.Stop()
		r := recorder(t, s)
		const n = 500
		for i := range n {
			r.Event(pod(fmt.Sprint("p", i)), events.Normal, "Pulled", "m")
		}
		s.Restart(t)
		r.Close(t.Context())
		r.Event(pod("late"), events.Normal, "Pulled", "after Close")
		if all := list(t, s); len(all) != n {
			t.Errorf("%d events", len(all))
		}
	})
}
