package conformance

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
)

// inform runs an informer of the behaviour's config maps until it ends.
func (e *env) inform(handlers ...func(informer.Event[*corev1.ConfigMap])) *informer.Informer[*corev1.ConfigMap] {
	e.Helper()
	i := informer.New(e.Conn, informer.Options[*corev1.ConfigMap]{Namespace: e.ns, FieldSelector: "metadata.name!=kube-root-ca.crt"})
	for _, h := range handlers {
		i.OnEvent(h)
	}
	ctx, cancel := context.WithCancel(e.ctx)
	var loop sync.WaitGroup
	loop.Go(func() { _ = i.Run(ctx) })
	e.Cleanup(func() {
		cancel()
		loop.Wait()
	})
	must(0, i.WaitForSync(e.ctx))(e)
	return i
}

var informers = group{"informer", []behaviour{
	{"shows one's own writes", func(e *env) {
		i := e.inform()
		for n := range 50 {
			m := e.put(e.configMap(fmt.Sprint("m-", n)))
			must(0, i.WaitFor(e.ctx, client.Revision(m)))(e)
			if _, ok := i.Get(e.ns, m.Metadata.Name); !ok {
				e.Fatalf("%s is not shown", m.Metadata.Name)
			}
		}
	}},
	{"waits for writes that it does not see", func(e *env) {
		i := e.inform()
		for range 5 {
			p := must(e.pods.Create(e.ctx, e.pod("p")))(e)
			must(0, i.WaitFor(e.ctx, client.Revision(p)))(e)
			must(0, e.pods.Delete(e.ctx, e.ns, "p"))(e)
		}
	}},
}}

// refusal is the error of a watch that is not to be. A server that has come back may be asked once more over a connection
// whose end has not arrived yet.
func (e *env) refusal(o client.WatchOptions) error {
	e.Helper()
	for {
		w := must(e.maps.Watch(e.ctx, o))(e)
		_, err := w.Next()
		w.Close()
		if !apierrors.IsServiceUnavailable(err) {
			return err
		}
	}
}

var disturbed = group{"disturbed", []behaviour{
	{"informer resumes after cuts", func(e *env) {
		var mu sync.Mutex
		last, deleted := -1, 0
		i := e.inform(func(ev informer.Event[*corev1.ConfigMap]) {
			mu.Lock()
			defer mu.Unlock()
			if ev.Type == informer.Deleted {
				deleted++
				return
			}
			k, _ := strconv.Atoi(ev.New.Data["k"])
			if k != last+1 {
				e.Errorf("saw %d after %d", k, last)
			}
			last = k
		})
		e.put(e.configMap("a", "k", "0"))
		var m *corev1.ConfigMap
		for n := 1; n < 60; n++ {
			if n%20 == 10 {
				e.Cut()
			}
			m = e.persist("a", strconv.Itoa(n))
		}
		must(0, i.WaitFor(e.ctx, client.Revision(m)))(e)
		mu.Lock()
		defer mu.Unlock()
		if last != 59 || deleted != 0 {
			e.Errorf("saw up to %d, %d deletions", last, deleted)
		}
	}},
	{"revisions that are forgotten", func(e *env) {
		old := e.put(e.configMap("a", "k", "1"))
		o := e.here()
		o.FieldSelector, o.Limit = "", 1
		e.put(e.configMap("b"))
		page := must(e.maps.ListPage(e.ctx, o))(e)
		if page.Continue == "" {
			e.Fatal("no second page")
		}
		e.change("a", "2")
		e.Forget()
		err := e.refusal(client.WatchOptions{Namespace: e.ns, ResourceVersion: old.Metadata.ResourceVersion})
		e.wants(err, apierrors.IsResourceExpired, "too old resource version")
		o.Continue = page.Continue
		_, err = e.maps.ListPage(e.ctx, o)
		e.wants(err, apierrors.IsResourceExpired, "The provided continue parameter is too old")
		o = e.here()
		o.ResourceVersion, o.ResourceVersionMatch = old.Metadata.ResourceVersion, "Exact"
		_, _, err = e.maps.List(e.ctx, o)
		e.wants(err, apierrors.IsResourceExpired, "")
		if items, _ := e.list(e.here()); names(items) != "a b" || items[0].Data["k"] != "2" {
			e.Errorf("the present is lost: %v", items)
		}
	}},
	{"informer lists again what is forgotten", func(e *env) {
		for _, n := range []string{"stays", "goes", "changes"} {
			e.put(e.configMap(n, "k", "1"))
		}
		events := make(chan string, 100)
		i := e.inform(func(ev informer.Event[*corev1.ConfigMap]) {
			events <- fmt.Sprint(ev.Type, " ", ev.Object().Metadata.Name, " ", ev.Object().Data["k"])
		})
		for range 3 {
			<-events
		}
		e.remove("goes")
		e.put(e.configMap("comes", "k", "1"))
		m := e.change("changes", "2")
		e.Forget()
		must(0, i.WaitFor(e.ctx, client.Revision(m)))(e)
		seen := map[string]bool{}
		for range 3 {
			seen[<-events] = true
		}
		for _, want := range []string{"Deleted goes 1", "Added comes 1", "Updated changes 2"} {
			if !seen[want] {
				e.Errorf("saw %v, want %s", seen, want)
			}
		}
		if len(i.List()) != 3 {
			e.Errorf("holds %d", i.Len())
		}
	}},
}}

// persist updates a config map's "k" however often the connection breaks. The value says whether a write whose answer
// was lost took effect.
func (e *env) persist(name, value string) *corev1.ConfigMap {
	e.Helper()
	for {
		m, err := e.maps.Update(e.ctx, e.configMap(name, "k", value))
		if err == nil {
			return m
		}
		if !apierrors.IsServiceUnavailable(err) {
			e.Fatal(err)
		}
	}
}
