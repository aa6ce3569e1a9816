package informer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"github.com/keelson/keelson/proto/sdk/internal/memconn"
	"github.com/keelson/keelson/proto/sdk/internal/scripted"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func pod(name string, revision int64) *corev1.Pod { return podOn(name, "", revision) }

func podOn(name, node string, revision int64) *corev1.Pod {
	return &corev1.Pod{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: name, Uid: name, ResourceVersion: fmt.Sprint(revision)},
		Spec:     &corev1.PodSpec{NodeName: node},
	}
}

func reborn(name string, revision int64) *corev1.Pod {
	p := pod(name, revision)
	p.Metadata.Uid = name + "'"
	return p
}

func added(p *corev1.Pod) *resourcev1.WatchEvent    { return scripted.Event(client.Added, p) }
func modified(p *corev1.Pod) *resourcev1.WatchEvent { return scripted.Event(client.Modified, p) }
func deleted(p *corev1.Pod) *resourcev1.WatchEvent  { return scripted.Event(client.Deleted, p) }

// play is an informer with the server's side in the test's hands.
type play struct {
	*informer.Informer[*corev1.Pod]
	t       *testing.T
	watches chan *scripted.Watch
	events  chan string
	stop    func()
}

func start(t *testing.T, o informer.Options[*corev1.Pod]) *play {
	t.Helper()
	watches := make(chan *scripted.Watch)
	l := memconn.New(t, &scripted.Service{Watches: watches})
	p := &play{Informer: informer.New(l.Conn, o), t: t, watches: watches, events: make(chan string, 1000)}
	p.OnEvent(func(e informer.Event[*corev1.Pod]) {
		p.events <- fmt.Sprintf("%s %s %d", e.Type, e.Object().Metadata.Name, e.Revision)
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	p.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		ended <- nil
	}
	t.Cleanup(p.stop)
	return p
}

// open returns the watch that the informer opens next and checks where it starts; "" is a snapshot.
func (p *play) open(after string) *scripted.Watch {
	p.t.Helper()
	w := <-p.watches
	if w.Open.ResourceVersion != after || w.Open.SendInitialEvents != (after == "") || !w.Open.AllowBookmarks {
		p.t.Fatalf("watch opened with %v, want it after %q", w.Open, after)
	}
	return w
}

func (p *play) expect(want ...string) {
	p.t.Helper()
	for _, w := range want {
		if got := <-p.events; got != w {
			p.t.Fatalf("event %q, want %q", got, w)
		}
	}
}

func (p *play) holds(want string) {
	p.t.Helper()
	var names []string
	for _, o := range p.List() {
		names = append(names, fmt.Sprintf("%s@%d", o.Metadata.Name, client.Revision(o)))
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != want {
		p.t.Fatalf("store holds %q, want %q", got, want)
	}
}

func TestListThenWatch(t *testing.T) {
	p := start(t, informer.Options[*corev1.Pod]{Trim: true, LabelSelector: "app=web", FieldSelector: "spec.nodeName=n", Namespace: "default"})
	w := p.open("")
	if s := w.Open.Selection; s.LabelSelector != "app=web" || s.FieldSelector != "spec.nodeName=n" || s.Namespace != "default" || !w.Open.Trim.ManagedFields || w.Open.ResourceVersionMatch != "NotOlderThan" {
		t.Errorf("opened with %v", w.Open)
	}
	w.Send(t, added(pod("b", 3)), added(pod("a", 5)))
	p.holds("") // nothing is shown before it is complete
	if p.Revision() != 0 {
		t.Error("a revision before the snapshot")
	}
	w.Send(t, scripted.Bookmark(7, true), added(pod("c", 8)))
	if err := p.WaitForSync(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.expect("Added b 3", "Added a 5", "Added c 8")
	w.Send(t, modified(pod("a", 9)), deleted(pod("b", 10)))
	p.expect("Updated a 9", "Deleted b 10")
	p.holds("a@9 c@8")
	if o, ok := p.Get("default", "a"); !ok || client.Revision(o) != 9 {
		t.Errorf("Get = %v, %v", o, ok)
	}
	if _, ok := p.Get("default", "b"); ok || p.Len() != 2 || p.Revision() != 10 {
		t.Errorf("Len = %d, Revision = %d", p.Len(), p.Revision())
	}
}

func TestResumesAfterACut(t *testing.T) {
	for name, cut := range map[string]error{"regular end": nil, "failure": status.Error(codes.Unavailable, "cut")} {
		t.Run(name, func(t *testing.T) {
			p := start(t, informer.Options[*corev1.Pod]{})
			w := p.open("")
			w.Send(t, added(pod("a", 1)), scripted.Bookmark(2, true))
			p.expect("Added a 1")
			w.Send(t, scripted.Bookmark(6, false))
			w.End(cut)
			w = p.open("6")
			w.Send(t, modified(pod("a", 7)))
			p.expect("Updated a 7")
			w.End(cut)
			p.open("7")
		})
	}
}

func TestCutBeforeTheSnapshotIsComplete(t *testing.T) {
	p := start(t, informer.Options[*corev1.Pod]{})
	w := p.open("")
	w.Send(t, added(pod("a", 1)))
	w.End(status.Error(codes.Unavailable, "cut"))
	w = p.open("")
	w.Send(t, added(pod("b", 2)), scripted.Bookmark(3, true))
	p.expect("Added b 2")
	p.holds("b@2")
}

func TestExpiredListsAgain(t *testing.T) {
	p := start(t, informer.Options[*corev1.Pod]{})
	w := p.open("")
	w.Send(t, added(pod("gone", 1)), added(pod("same", 2)), added(pod("changed", 3)), added(pod("replaced", 4)), scripted.Bookmark(5, true))
	p.expect("Added gone 1", "Added same 2", "Added changed 3", "Added replaced 4")
	same, _ := p.Get("default", "same")
	w.End(apierrors.ToGRPC(apierrors.NewTooOldResourceVersion(5, 100)))
	w = p.open("")
	w.Send(t, added(pod("same", 2)), added(pod("new", 110)))
	p.holds("changed@3 gone@1 replaced@4 same@2") // the old view serves until the new one is complete
	w.Send(t, added(reborn("replaced", 105)), added(pod("changed", 103)), scripted.Bookmark(120, true))
	p.expect("Deleted gone 120", "Updated changed 103", "Deleted replaced 105", "Added replaced 105", "Added new 110")
	p.holds("changed@103 new@110 replaced@105 same@2")
	if again, _ := p.Get("default", "same"); again != same {
		t.Error("an unchanged object was exchanged")
	}
	if p.Revision() != 120 {
		t.Errorf("Revision = %d", p.Revision())
	}
}

func TestStoreNeverGoesBack(t *testing.T) {
	p := start(t, informer.Options[*corev1.Pod]{})
	w := p.open("")
	w.Send(t, added(pod("a", 5)), scripted.Bookmark(5, true))
	w.Send(t, modified(pod("a", 4)), deleted(pod("a", 3)), added(pod("a", 5)), modified(pod("a", 6)))
	p.expect("Added a 5", "Updated a 6")
}

func TestDeletedAndCreatedAgainInOneStep(t *testing.T) {
	p := start(t, informer.Options[*corev1.Pod]{})
	w := p.open("")
	w.Send(t, added(pod("a", 5)), scripted.Bookmark(5, true), modified(reborn("a", 9)))
	p.expect("Added a 5", "Deleted a 9", "Added a 9")
}

func TestServersRestoredFromABackup(t *testing.T) {
	p := start(t, informer.Options[*corev1.Pod]{})
	w := p.open("")
	w.Send(t, added(pod("a", 50)), added(pod("b", 10)), scripted.Bookmark(60, true))
	p.expect("Added b 10", "Added a 50")
	w.End(apierrors.ToGRPC(apierrors.NewTooLargeResourceVersion(60, 30, 1)))
	w = p.open("")
	waited := make(chan error, 1)
	w.Send(t, added(pod("a", 20)), added(pod("b", 10)), scripted.Bookmark(30, true))
	p.expect("Deleted a 30", "Added a 20")
	p.holds("a@20 b@10")
	if p.Revision() != 30 {
		t.Errorf("Revision = %d", p.Revision())
	}
	// Somebody waits for a write that the backup does not have; the next complete view releases them.
	go func() { waited <- p.WaitFor(t.Context(), 60) }()
	<-w.Requests // the informer asks how far the server is, so it knows of the waiter
	w.End(apierrors.ToGRPC(apierrors.NewTooOldResourceVersion(30, 40)))
	w = p.open("")
	w.Send(t, scripted.Bookmark(45, true))
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

func TestIndexes(t *testing.T) {
	p := start(t, informer.Options[*corev1.Pod]{Indexers: map[string]func(*corev1.Pod) []string{
		"node": func(p *corev1.Pod) []string { return []string{p.GetSpec().GetNodeName()} },
	}})
	on := func(node string) string {
		var names []string
		for _, o := range p.ByIndex("node", node) {
			names = append(names, fmt.Sprintf("%s@%d", o.Metadata.Name, client.Revision(o)))
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	w := p.open("")
	w.Send(t, added(podOn("a", "n1", 1)), added(podOn("b", "n1", 2)), added(podOn("c", "", 3)), scripted.Bookmark(3, true))
	p.expect("Added a 1", "Added b 2", "Added c 3")
	if on("n1") != "a@1 b@2" || on("") != "c@3" || on("n2") != "" {
		t.Errorf("n1: %s; none: %s; n2: %s", on("n1"), on(""), on("n2"))
	}
	w.Send(t, modified(podOn("c", "n2", 4)), modified(podOn("a", "n1", 5)), deleted(podOn("b", "n1", 6)))
	p.expect("Updated c 4", "Updated a 5", "Deleted b 6")
	if on("n1") != "a@5" || on("") != "" || on("n2") != "c@4" {
		t.Errorf("n1: %s; none: %s; n2: %s", on("n1"), on(""), on("n2"))
	}
	defer func() {
		if recover() == nil {
			t.Error("an index that does not exist is served")
		}
	}()
	p.ByIndex("zone", "")
}

func TestAcknowledgementsReachEveryServer(t *testing.T) {
	p := start(t, informer.Options[*corev1.Pod]{Acknowledger: "proxy/n1"})
	w := p.open("")
	if w.Open.Acknowledger != "proxy/n1" {
		t.Errorf("acknowledger %q", w.Open.Acknowledger)
	}
	w.Send(t, scripted.Bookmark(5, true))
	if err := p.WaitForSync(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Acknowledge(5)
	if r := <-w.Requests; r.GetAcknowledge().GetRevision() != 5 {
		t.Errorf("sent %v", r)
	}
	p.Acknowledge(3) // never back
	w.End(nil)
	w = p.open("5")
	if r := <-w.Requests; r.GetAcknowledge().GetRevision() != 5 {
		t.Errorf("sent to the next server: %v", r)
	}
}

func TestStopped(t *testing.T) {
	p := start(t, informer.Options[*corev1.Pod]{})
	w := p.open("")
	waits := make(chan error, 2)
	go func() { waits <- p.WaitForSync(t.Context()) }()
	go func() { waits <- p.WaitFor(t.Context(), 5) }()
	p.stop()
	<-w.Gone
	for range 2 {
		if err := <-waits; !errors.Is(err, informer.ErrStopped) {
			t.Errorf("waiting for a stopped informer: %v", err)
		}
	}
	if err := p.Run(t.Context()); err == nil {
		t.Error("Run twice")
	}
}
