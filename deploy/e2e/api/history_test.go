package api

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// world is what writers, watchers and listers share.
type world struct {
	clients   []*clients
	acks      acknowledged
	lists     listings
	compacted atomic.Int64
	writing   atomic.Bool
	// etcd is nil where it is embedded.
	etcd     *members
	interval time.Duration
	watchers []*watcher
}

// present is a revision that is not in the future.
func (w *world) present() int64 { return w.acks.highest.Load() }

func (w *world) selection(r *rand.Rand) selection {
	s := selection{kind: pick(r, kinds)}
	if s.kind.namespaced && r.IntN(3) > 0 {
		s.namespace = pick(r, namespaces)
	}
	if r.IntN(2) == 0 {
		s.color, s.not = pick(r, colors), r.IntN(3) == 0
	}
	if s.kind.fields && r.IntN(2) == 0 {
		s.node = fmt.Sprint("node-", r.IntN(2))
	}
	if s.kind.fields && r.IntN(3) == 0 {
		s.phase = pick(r, []string{"Running", "Failed", "Pending"})
	}
	return s
}

// prepare makes what the writers' objects need.
func prepare(t *testing.T, s *apiserver) {
	t.Helper()
	c := kubernetes.NewForConfigOrDie(s.config(t))
	for _, ns := range namespaces {
		must[*corev1.Namespace](t)(c.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, metav1.CreateOptions{}))
		must[*corev1.ServiceAccount](t)(c.CoreV1().ServiceAccounts(ns).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, metav1.CreateOptions{}))
	}
}

// Two API servers on an external etcd are killed in turn while the history is compacted behind the readers.
func TestHistoryExternal(t *testing.T) {
	etcd := startEtcd(t, 1)
	rec := newRecord()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); <-rec.stopped })
	rec.follow(ctx, etcd.client)
	first := startServer(t, "first", nil, etcd.flag())
	second := startServer(t, "second", first, etcd.flag())
	prepare(t, first)
	w := &world{etcd: etcd, clients: []*clients{connect(t, first), connect(t, second)}}
	w.run(t, rec, []*apiserver{first, second})
}

// The embedded etcd dies with its API server.
func TestHistoryEmbedded(t *testing.T) {
	s := startServer(t, "embedded", nil)
	prepare(t, s)
	w := &world{clients: []*clients{connect(t, s)}}
	w.run(t, newRecord(), []*apiserver{s})
}

func (w *world) run(t *testing.T, rec *record, servers []*apiserver) {
	const writers, watchers, listers = 6, 40, 4
	n, limit := seed(t), seconds(t, 20)
	w.interval = 100 * time.Millisecond
	w.writing.Store(true)
	var writing, reading sync.WaitGroup
	ctx, stopWriting := context.WithTimeout(t.Context(), limit)
	defer stopWriting()
	readers, stopReading := context.WithCancel(t.Context())
	defer func() { stopReading(); reading.Wait() }()
	source := func(i int) *rand.Rand { return rand.New(rand.NewPCG(n, uint64(i))) }
	for i := range writers {
		wr := &writer{id: i, r: source(i), clients: w.clients, acks: &w.acks}
		writing.Go(func() { wr.run(ctx) })
	}
	for i := range watchers {
		r := source(1000 + i)
		wt := &watcher{s: w.selection(r), slow: i%8 == 0, r: r, w: w}
		w.watchers = append(w.watchers, wt)
		reading.Go(func() { wt.run(readers) })
	}
	for i := range listers {
		l := &lister{r: source(2000 + i), w: w}
		writing.Go(func() { l.run(ctx) })
	}
	kills := w.chaos(ctx, t, source(3000), servers)
	writing.Wait()
	w.writing.Store(false)
	if err := w.complete(t, rec, servers); err != nil {
		t.Error(err)
	} else if err := eventually(t.Context(), "every watcher has seen everything", func() bool { return w.behind(rec) == "" }); err != nil {
		t.Errorf("%v: %s", err, w.behind(rec))
	}
	stopReading()
	reading.Wait()
	w.check(t, rec)
	t.Logf("%d kills, compacted to %d of %d", kills, w.compacted.Load(), rec.seen)
}

// chaos kills servers and compacts the history until the context ends.
func (w *world) chaos(ctx context.Context, t *testing.T, r *rand.Rand, servers []*apiserver) (kills int) {
	for ctx.Err() == nil {
		pause(ctx, time.Duration(500+r.IntN(2500))*time.Millisecond)
		if w.etcd != nil && r.IntN(2) == 0 {
			if to := w.present() - r.Int64N(1500); to > w.compacted.Load() {
				// Readers must not be surprised: what they may blame on the compaction comes first.
				w.compacted.Store(to)
				if _, err := w.etcd.client.Compact(ctx, to); err != nil && ctx.Err() == nil {
					t.Errorf("compaction to %d: %v", to, err)
				}
			}
		}
		if ctx.Err() != nil {
			return kills
		}
		s := pick(r, servers)
		s.kill()
		kills++
		if err := s.again(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
			return kills
		}
	}
	return kills
}

// complete makes the record complete.
func (w *world) complete(t *testing.T, rec *record, servers []*apiserver) error {
	if w.etcd == nil {
		s := servers[0]
		s.signal(syscall.SIGTERM)
		if err := rec.readDatabase(s.dir); err != nil {
			return err
		}
		return s.again(t.Context())
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp, err := w.etcd.client.Put(ctx, "end", "", clientv3.WithPrevKV())
	if err != nil {
		return err
	}
	return eventually(ctx, "the record is complete", func() bool { return rec.reached(resp.Header.Revision) })
}

// behind names a watcher that has not seen all.
func (w *world) behind(rec *record) string {
	for _, wt := range w.watchers {
		h := rec.of(wt.s.kind)
		if missing := h.events(wt.s, wt.at()); len(missing) > 0 && !wt.showsPresent(h) {
			return fmt.Sprintf("%v is at %d and has not seen %d events, the first is %v; %s", wt, wt.at(), len(missing), missing[0], wt.now())
		}
	}
	return ""
}

// check holds everything that was seen against the record.
func (w *world) check(t *testing.T, rec *record) {
	t.Helper()
	for _, b := range rec.broken {
		t.Error(b)
	}
	type at struct {
		plural, key string
		revision    int64
	}
	stored := map[at]string{}
	for _, k := range kinds {
		for _, c := range rec.of(k) {
			if c.object != nil {
				stored[at{k.plural, c.key, c.revision}] = c.object.labels[token]
			}
		}
	}
	for _, a := range w.acks.writes {
		if got := stored[at{a.kind.plural, a.key, a.revision}]; got != a.token {
			t.Errorf("the acknowledged write %s of %s %s at %d is lost; there is %q", a.token, a.kind.plural, a.key, a.revision, got)
		}
	}
	var problems []string
	sessions, events, expired := map[beginning]int{}, 0, 0
	for _, wt := range w.watchers {
		h := rec.of(wt.s.kind)
		for i, s := range wt.sessions {
			sessions[s.begin]++
			if events += len(s.events); s.err != nil && s.begin <= resumed && len(s.events) == 0 {
				expired++
			}
			if err := s.check(h, wt.s); err != nil {
				problems = append(problems, fmt.Sprintf("%v, session %d by %v from %s, begun by %v after %d: %v", wt, i, s.way, s.server, s.begin, s.after, err))
			}
		}
	}
	complete, gone := 0, 0
	for _, l := range w.lists.all {
		if l.err == nil {
			complete++
		} else if strings.Contains(l.err.Error(), "too old") || strings.Contains(l.err.Error(), "expired") {
			gone++
		}
		if err := l.check(rec.of(l.s.kind)); err != nil {
			problems = append(problems, fmt.Sprintf("%v: %v", l, err))
		}
	}
	t.Logf("%d writes acknowledged, %d not; sessions %v, %d of them expired, %d events; %d lists complete of %d, %d expired",
		len(w.acks.writes), w.acks.failed.Load(), sessions, expired, events, complete, len(w.lists.all), gone)
	if len(problems) > 0 {
		file := filepath.Join(outputs(t), t.Name()+".problems")
		_ = os.WriteFile(file, []byte(strings.Join(problems, "\n")), 0o644)
		t.Errorf("%d problems, all in %s; the first ones:\n%s", len(problems), file, strings.Join(problems[:min(len(problems), 8)], "\n"))
	}
	if len(w.acks.writes) < 100 || complete < 50 || events < 1000 {
		t.Error("too little has happened to say anything")
	}
}
