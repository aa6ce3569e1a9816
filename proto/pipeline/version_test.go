package pipeline_test

import (
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	eventsv1 "github.com/keelson/keelson/proto/gen/keelson/events/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// Events are stored once and served in two groups.
func TestEventsInTwoGroups(t *testing.T) {
	h := start(t)
	w := h.watch(&resourcev1.WatchOpen{Selection: selection("events.k8s.io", "events", "default")})
	h.mustCreate(ref("", "events", "default", ""), &corev1.Event{
		Metadata:       &metav1.ObjectMeta{Name: "e", Namespace: "default"},
		InvolvedObject: &corev1.ObjectReference{Kind: "Pod", Name: "p", Namespace: "default"},
		Reason:         "Started", Message: "started it", Type: "Normal", Count: 1,
	})
	if got := h.events(w, 1); got[0] != "ADDED e" {
		t.Fatal(got)
	}
	it, err := h.get(ref("events.k8s.io", "events", "default", "e"))
	if err != nil {
		t.Fatal(err)
	}
	e := into(t, it, &eventsv1.Event{})
	if e.Note != "started it" || e.Regarding.GetName() != "p" || e.Metadata.ResourceVersion == "" {
		t.Fatalf("seen as %v", e)
	}
	e.Note = "started it again"
	_, err = h.update(ref("events.k8s.io", "events", "default", "e"), e)
	wantErr(t, err, `message: Invalid value: "started it again": field is immutable`)
	again := into(t, it, &eventsv1.Event{}) // the core group has no such rule
	if _, err := h.update(ref("", "events", "default", "e"), &corev1.Event{
		Metadata: again.Metadata, InvolvedObject: again.Regarding, Reason: again.Reason, Message: "started it again", Type: "Normal", Count: 2,
	}); err != nil {
		t.Fatal(err)
	}
	sel := selection("", "events", "default")
	sel.FieldSelector = "involvedObject.name=p,reason=Started,type=Normal"
	list, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: sel})
	if err != nil || len(list.Items) != 1 || into(t, list.Items[0], &corev1.Event{}).Message != "started it again" {
		t.Fatalf("%v, %v", list, err)
	}
}

func TestBootstrap(t *testing.T) {
	h := start(t)
	for _, r := range []*resourcev1.ObjectRef{
		ref("", "namespaces", "", "default"), ref("", "namespaces", "", "kube-system"), ref("", "namespaces", "", "kube-public"),
		ref("", "namespaces", "", "kube-node-lease"), ref("scheduling.k8s.io", "priorityclasses", "", "system-node-critical"),
		ref("scheduling.k8s.io", "priorityclasses", "", "system-cluster-critical"),
	} {
		if _, err := h.get(r); err != nil {
			t.Error(err)
		}
	}
}
