package conformance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

// watcher reads a watch of config maps one event at a time.
type watcher struct {
	*client.Watch[*corev1.ConfigMap]
	e       *env
	pending []client.WatchEvent[*corev1.ConfigMap]
}

func (e *env) watch(o client.WatchOptions) *watcher {
	e.Helper()
	if o.Namespace == "" {
		o.Namespace = e.ns
	}
	w := must(e.maps.Watch(e.ctx, o))(e)
	e.Cleanup(w.Close)
	return &watcher{Watch: w, e: e}
}

// next returns the next event as text, "ADDED a 1": type, name and the value of "k"; bookmarks are "BOOKMARK" or "END".
func (w *watcher) next() (string, client.WatchEvent[*corev1.ConfigMap]) {
	w.e.Helper()
	for {
		for len(w.pending) == 0 {
			events, err := w.Next()
			if err != nil {
				w.e.Fatalf("watch ended: %v", err)
			}
			w.pending = events
		}
		ev := w.pending[0]
		w.pending = w.pending[1:]
		switch {
		case ev.InitialEventsEnd:
			return "END", ev
		case ev.Type == client.Bookmark:
			return "BOOKMARK", ev
		case ev.Object.Metadata.Name == "kube-root-ca.crt":
			continue // the cluster's own
		}
		text := strings.TrimPrefix(ev.Type.String(), "EVENT_TYPE_") + " " + ev.Object.Metadata.Name
		if v, ok := ev.Object.Data["k"]; ok {
			text += " " + v
		}
		return text, ev
	}
}

// expect reads events and compares; bookmarks that nobody asked for are passed over.
func (w *watcher) expect(want ...string) (last client.WatchEvent[*corev1.ConfigMap]) {
	w.e.Helper()
	for _, s := range want {
		got, ev := w.next()
		for got == "BOOKMARK" && s != "BOOKMARK" {
			got, ev = w.next()
		}
		if got != s {
			w.e.Fatalf("event %q, want %q", got, s)
		}
		if ev.Revision < last.Revision || got != "BOOKMARK" && got != "END" && client.Revision(ev.Object) != ev.Revision {
			w.e.Errorf("%s at %d, after %d, object at %s", got, ev.Revision, last.Revision, ev.Object.GetMetadata().GetResourceVersion())
		}
		last = ev
	}
	return last
}

// change updates a config map's "k".
func (e *env) change(name, value string) *corev1.ConfigMap {
	e.Helper()
	return must(e.maps.Update(e.ctx, e.configMap(name, "k", value)))(e)
}

func (e *env) remove(name string) {
	e.Helper()
	must(0, e.maps.Delete(e.ctx, e.ns, name))(e)
}

var watch = group{"watch", []behaviour{
	{"every change in order", func(e *env) {
		start := e.put(e.configMap("start"))
		w := e.watch(client.WatchOptions{ResourceVersion: start.Metadata.ResourceVersion})
		e.put(e.configMap("a", "k", "1"))
		e.change("a", "2")
		e.put(e.configMap("b", "k", "1"))
		e.remove("a")
		e.change("b", "2")
		w.expect("ADDED a 1", "MODIFIED a 2", "ADDED b 1", "DELETED a 2", "MODIFIED b 2")
	}},
	{"from the past", func(e *env) {
		start := e.put(e.configMap("start"))
		e.put(e.configMap("a", "k", "1"))
		mid := e.change("a", "2")
		e.change("a", "3")
		e.remove("a")
		e.watch(client.WatchOptions{ResourceVersion: start.Metadata.ResourceVersion}).expect("ADDED a 1", "MODIFIED a 2", "MODIFIED a 3", "DELETED a 3")
		e.watch(client.WatchOptions{ResourceVersion: mid.Metadata.ResourceVersion}).expect("MODIFIED a 3", "DELETED a 3")
	}},
	{"present state first without a revision", func(e *env) {
		e.put(e.configMap("a", "k", "1"))
		e.put(e.configMap("b", "k", "1"))
		w := e.watch(client.WatchOptions{})
		var initial []string
		for range 2 {
			got, _ := w.next()
			initial = append(initial, got)
		}
		slices.Sort(initial)
		if !slices.Equal(initial, []string{"ADDED a 1", "ADDED b 1"}) {
			e.Errorf("initial state %v", initial)
		}
		e.change("a", "2")
		w.expect("MODIFIED a 2")
	}},
	{"list and watch in one stream", func(e *env) {
		var last int64
		for i := range 20 {
			last = client.Revision(e.put(e.configMap(fmt.Sprintf("m-%02d", i))))
		}
		w := e.watch(client.WatchOptions{SendInitialEvents: true, AllowBookmarks: true})
		var seen []string
		for {
			got, ev := w.next()
			if got == "END" {
				if ev.Revision < last {
					e.Errorf("initial state ends at %d, last write was %d", ev.Revision, last)
				}
				break
			}
			seen = append(seen, got)
		}
		slices.Sort(seen)
		if len(slices.Compact(seen)) != 20 {
			e.Errorf("initial state %v", seen)
		}
		e.put(e.configMap("new", "k", "1"))
		w.expect("ADDED new 1")
	}},
	{"deletion carries the last state", func(e *env) {
		m := e.put(e.configMap("a", "k", "1"))
		w := e.watch(client.WatchOptions{ResourceVersion: m.Metadata.ResourceVersion})
		e.remove("a")
		ev := w.expect("DELETED a 1")
		if ev.Revision <= client.Revision(m) || ev.Object.Metadata.Uid != m.Metadata.Uid {
			e.Errorf("deleted %v at %d", ev.Object, ev.Revision)
		}
	}},
	{"selector's borders", func(e *env) {
		start := e.put(e.configMap("start"))
		w := e.watch(client.WatchOptions{ResourceVersion: start.Metadata.ResourceVersion, LabelSelector: "in=yes"})
		m := e.put(e.labelled("a", "in", "no"))
		set := func(value, k string) {
			in := proto.CloneOf(m)
			in.Metadata.Labels["in"], in.Data = value, map[string]string{"k": k}
			m = must(e.maps.Update(e.ctx, in))(e)
		}
		set("yes", "1")
		set("yes", "2")
		set("no", "3")
		set("no", "4")
		set("yes", "5")
		e.remove("a")
		w.expect("ADDED a 1", "MODIFIED a 2")
		left := w.expect("DELETED a 2")
		if left.Object.Metadata.Labels["in"] != "yes" {
			e.Errorf("left the selection as %v, want the last state that matched", left.Object)
		}
		w.expect("ADDED a 5", "DELETED a 5")
	}},
	{"one object by its name", func(e *env) {
		start := e.put(e.configMap("start"))
		w := e.watch(client.WatchOptions{ResourceVersion: start.Metadata.ResourceVersion, FieldSelector: "metadata.name=b"})
		e.put(e.configMap("a", "k", "1"))
		e.put(e.configMap("b", "k", "1"))
		e.change("a", "2")
		e.change("b", "2")
		w.expect("ADDED b 1", "MODIFIED b 2")
	}},
	{"one namespace", func(e *env) {
		start := e.put(e.configMap("start"))
		w := e.watch(client.WatchOptions{ResourceVersion: start.Metadata.ResourceVersion})
		elsewhere := newEnv(e.T, e.Server)
		elsewhere.put(elsewhere.configMap("a", "k", "elsewhere"))
		e.put(e.configMap("a", "k", "here"))
		w.expect("ADDED a here")
	}},
	{"progress on request", func(e *env) {
		w := e.watch(client.WatchOptions{SendInitialEvents: true, AllowBookmarks: true})
		w.expect("END")
		for range 10 {
			// A write that this watch does not see, except by the server's progress.
			p := must(e.pods.Create(e.ctx, e.pod("p")))(e)
			must(0, e.pods.Delete(e.ctx, e.ns, "p"))(e)
			must(0, w.RequestProgress())(e)
			for {
				ev := w.expect("BOOKMARK")
				if ev.Revision >= client.Revision(p) {
					break
				}
			}
		}
	}},
	{"no bookmarks unless allowed", func(e *env) {
		start := e.put(e.configMap("start"))
		w := e.watch(client.WatchOptions{ResourceVersion: start.Metadata.ResourceVersion})
		e.put(e.configMap("a", "k", "1"))
		if got, _ := w.next(); got != "ADDED a 1" {
			e.Errorf("event %q", got)
		}
	}},
	{"nonsense", func(e *env) {
		for _, o := range []client.WatchOptions{
			{Namespace: e.ns, ResourceVersion: "yesterday"}, {Namespace: e.ns, LabelSelector: "a in (b"}, {Namespace: e.ns, FieldSelector: "spec.colour=red"},
		} {
			err := e.refusal(o)
			if !apierrors.IsBadRequest(err) && !apierrors.IsInvalid(err) {
				e.Errorf("%+v: %v", o, err)
			}
		}
	}},
	{"status and metadata of objects are complete", func(e *env) {
		in := e.labelled("a", "x", "y")
		in.Metadata.Annotations = map[string]string{"note": "text"}
		in.BinaryData = map[string][]byte{"b": {0, 255}}
		m := e.put(in)
		ev := e.watch(client.WatchOptions{SendInitialEvents: true, AllowBookmarks: true}).expect("ADDED a")
		if !proto.Equal(ev.Object, m) {
			e.Errorf("watched %v, created %v", ev.Object, m)
		}
	}},
}}
