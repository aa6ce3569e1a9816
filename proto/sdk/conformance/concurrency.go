package conformance

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

var batch = group{"batch", []behaviour{
	{"each write has its own result and revision", func(e *env) {
		const n = 500
		b := e.maps.Batch(e.ctx)
		defer b.Close()
		var mu sync.Mutex
		revisions := map[int64]string{}
		e.put(e.configMap("taken"))
		var taken, missing error
		for i := range n {
			name := fmt.Sprintf("m-%03d", i)
			must(0, b.Create(e.configMap(name, "k", "1"), func(m *corev1.ConfigMap, err error) {
				mu.Lock()
				defer mu.Unlock()
				if err != nil || m.Metadata.Name != name {
					e.Errorf("%s: %v, %v", name, m, err)
					return
				}
				if other, ok := revisions[client.Revision(m)]; ok {
					e.Errorf("%s and %s share revision %d", name, other, client.Revision(m))
				}
				revisions[client.Revision(m)] = name
			}))(e)
		}
		must(0, b.Create(e.configMap("taken"), func(_ *corev1.ConfigMap, err error) { taken = err }))(e)
		must(0, b.Delete(e.ns, "missing", func(err error) { missing = err }))(e)
		b.Wait()
		e.wants(taken, apierrors.IsAlreadyExists, `configmaps "taken" already exists`)
		e.wants(missing, apierrors.IsNotFound, `configmaps "missing" not found`)
		items, _ := e.list(e.here())
		if len(items) != n+1 || len(revisions) != n {
			e.Errorf("%d stored, %d revisions", len(items), len(revisions))
		}
	}},
	{"all kinds of writes", func(e *env) {
		m := e.put(e.configMap("a", "k", "1"))
		e.put(e.configMap("b"))
		must(e.pods.Create(e.ctx, e.pod("p")))(e)
		p := e.Conn.Pipeline(e.ctx)
		defer p.Close()
		maps, pods := e.maps.BatchOn(p), e.pods.BatchOn(p)
		in := proto.CloneOf(m)
		in.Data["k"] = "2"
		ok := func(what string) func(error) {
			return func(err error) {
				if err != nil {
					e.Errorf("%s: %v", what, err)
				}
			}
		}
		must(0, maps.Update(in, func(_ *corev1.ConfigMap, err error) { ok("update")(err) }))(e)
		must(0, maps.Delete(e.ns, "b", ok("delete")))(e)
		must(0, pods.Patch(e.ns, "p", client.MergePatch, []byte(`{"metadata":{"labels":{"x":"y"}}}`), func(p *corev1.Pod, err error) {
			if err != nil || p.Metadata.Labels["x"] != "y" {
				e.Errorf("patch: %v, %v", p, err)
			}
		}))(e)
		p.Wait()
		in.Data["k"] = "3" // its resourceVersion is stale now
		must(0, maps.Update(in, func(_ *corev1.ConfigMap, err error) { e.wants(err, apierrors.IsConflict, apierrors.OptimisticLock) }))(e)
		p.Wait()
		if got := must(e.maps.Get(e.ctx, e.ns, "a"))(e); got.Data["k"] != "2" {
			e.Errorf("stored %v", got)
		}
		e.gone("b")
	}},
}}

var concurrency = group{"concurrency", []behaviour{
	{"no update is lost", func(e *env) {
		const writers, rounds = 8, 15
		e.put(e.configMap("counter", "n", "0"))
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for done := 0; done < rounds; {
					m, err := e.maps.Get(e.ctx, e.ns, "counter")
					if err != nil {
						e.Error(err)
						return
					}
					n, _ := strconv.Atoi(m.Data["n"])
					m.Data["n"] = strconv.Itoa(n + 1)
					switch _, err := e.maps.Update(e.ctx, m); {
					case err == nil:
						done++
					case !apierrors.IsConflict(err):
						e.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if m := must(e.maps.Get(e.ctx, e.ns, "counter"))(e); m.Data["n"] != strconv.Itoa(writers*rounds) {
			e.Errorf("counted %s, want %d", m.Data["n"], writers*rounds)
		}
	}},
	{"patches without a resourceVersion do not conflict", func(e *env) {
		const writers = 16
		e.put(e.configMap("a"))
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				if _, err := e.maps.Patch(e.ctx, e.ns, "a", client.MergePatch, fmt.Appendf(nil, `{"data":{"k%d":"v"}}`, i)); err != nil {
					e.Error(err)
				}
			})
		}
		wg.Wait()
		if m := must(e.maps.Get(e.ctx, e.ns, "a"))(e); len(m.Data) != writers {
			e.Errorf("data %v", m.Data)
		}
	}},
	{"one of many creators wins", func(e *env) {
		const creators = 16
		var wg sync.WaitGroup
		results := make(chan error, creators)
		for range creators {
			wg.Go(func() {
				_, err := e.maps.Create(e.ctx, e.configMap("a"))
				results <- err
			})
		}
		wg.Wait()
		close(results)
		won := 0
		for err := range results {
			if err == nil {
				won++
			} else if !apierrors.IsAlreadyExists(err) {
				e.Error(err)
			}
		}
		if won != 1 {
			e.Errorf("%d creators won", won)
		}
	}},
	{"a watch misses nothing while many write", func(e *env) {
		const writers, rounds = 8, 25
		start := e.put(e.configMap("start"))
		w := e.watch(client.WatchOptions{ResourceVersion: start.Metadata.ResourceVersion})
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				name := fmt.Sprint("m-", i)
				if _, err := e.maps.Create(e.ctx, e.configMap(name, "k", "0")); err != nil {
					e.Error(err)
				}
				for r := 1; r < rounds; r++ {
					if _, err := e.maps.Update(e.ctx, e.configMap(name, "k", strconv.Itoa(r))); err != nil {
						e.Error(err)
					}
				}
			})
		}
		last := map[string]int{}
		revision := client.Revision(start)
		for range writers * rounds {
			_, ev := w.next()
			name := ev.Object.Metadata.Name
			k, _ := strconv.Atoi(ev.Object.Data["k"])
			if want, ok := last[name]; ok && k != want+1 || !ok && k != 0 {
				e.Errorf("%s went from %d to %d", name, last[name], k)
			}
			if ev.Revision <= revision {
				e.Errorf("revision %d after %d", ev.Revision, revision)
			}
			last[name], revision = k, ev.Revision
		}
		wg.Wait()
	}},
}}
