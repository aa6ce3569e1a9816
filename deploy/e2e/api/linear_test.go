package api

import (
	"context"
	"encoding/json"
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

	"github.com/anishathalye/porcupine"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// checkLimit bounds the search for an order; it mostly takes less than a second.
const checkLimit = 2 * time.Minute

// run is one test of linearizability.
type run struct {
	clients []*clients
	began   time.Time
	mu      sync.Mutex
	ops     []porcupine.Operation
	values  atomic.Int64
}

// One API server and its etcd are killed together.
func TestLinearizableEmbedded(t *testing.T) {
	s := startServer(t, "embedded", nil)
	r := prepareRun(t, s)
	kills := r.race(t, func(ctx context.Context, rng *rand.Rand) error {
		s.kill()
		return s.again(ctx)
	})
	s.signal(syscall.SIGTERM)
	rec := newRecord()
	if err := rec.readDatabase(s.dir); err != nil {
		t.Fatal(err)
	}
	r.check(t, rec, kills)
}

// Two API servers and three members of etcd, the leader too, are killed one at a time.
func TestLinearizableCluster(t *testing.T) {
	etcd := startEtcd(t, 3)
	rec := newRecord()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); <-rec.stopped })
	rec.follow(ctx, etcd.client)
	first := startServer(t, "first", nil, etcd.flag())
	second := startServer(t, "second", first, etcd.flag())
	r := prepareRun(t, first, second)
	kills := r.race(t, func(ctx context.Context, rng *rand.Rand) error {
		switch rng.IntN(4) {
		case 0:
			s := pick(rng, []*apiserver{first, second})
			s.kill()
			return s.again(ctx)
		case 1:
			m := pick(rng, etcd.list)
			m.kill()
			pause(ctx, time.Duration(rng.IntN(1000))*time.Millisecond)
			return m.start()
		}
		leader := etcd.leader(ctx)
		if leader == nil {
			return nil
		}
		leader.kill()
		pause(ctx, time.Duration(500+rng.IntN(1500))*time.Millisecond)
		return leader.start()
	})
	call, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	resp, err := etcd.client.Put(call, "end", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := eventually(call, "the record is complete", func() bool { return rec.reached(resp.Header.Revision) }); err != nil {
		t.Fatal(err)
	}
	r.check(t, rec, kills)
}

func prepareRun(t *testing.T, servers ...*apiserver) *run {
	t.Helper()
	r := &run{began: time.Now()}
	for _, s := range servers {
		r.clients = append(r.clients, connect(t, s))
	}
	c := kubernetes.NewForConfigOrDie(servers[0].config(t))
	must[*corev1.Namespace](t)(c.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: registers}}, metav1.CreateOptions{}))
	return r
}

func (r *run) now() int64 { return int64(time.Since(r.began)) }

// race lets clients work while faults happen.
func (r *run) race(t *testing.T, fault func(context.Context, *rand.Rand) error) (kills int) {
	const workers = 8
	n := seed(t)
	ctx, cancel := context.WithTimeout(t.Context(), seconds(t, 15))
	defer cancel()
	var wg sync.WaitGroup
	for i := range workers {
		w := &racer{run: r, id: i, r: rand.New(rand.NewPCG(n, uint64(i))), known: map[int]int64{}}
		wg.Go(func() { w.work(ctx) })
	}
	rng := rand.New(rand.NewPCG(n, 1000))
	for {
		pause(ctx, time.Duration(500+rng.IntN(1500))*time.Millisecond)
		if ctx.Err() != nil {
			break
		}
		kills++
		if err := fault(context.WithoutCancel(ctx), rng); err != nil {
			t.Error(err)
			break
		}
	}
	wg.Wait()
	return kills
}

// check looks for an order of all operations that explains what each returned.
func (r *run) check(t *testing.T, rec *record, kills int) {
	t.Helper()
	for _, b := range rec.broken {
		t.Error(b)
	}
	ops, open := r.settle(rec.of(kinds[0]))
	result, info := porcupine.CheckOperationsVerbose(model, ops, checkLimit)
	t.Logf("%d operations, %d of them without answer, %d faults: %s", len(ops), open, kills, result)
	if result != porcupine.Ok {
		base := filepath.Join(outputs(t), t.Name())
		_ = porcupine.VisualizePath(model, info, base+".html")
		if b, err := json.MarshalIndent(ops, "", " "); err == nil {
			_ = os.WriteFile(base+".json", b, 0o644)
		}
		t.Errorf("the history is not linearizable (%s): see %s.html and .json", result, base)
	}
	if len(ops) < 500 || kills < 2 {
		t.Error("too little has happened to say anything")
	}
}

// settle uses the record to tell which of the writes without answer were made: each writes a value of its own. They may
// have been made at any time after the call. What has not been made is left out.
func (r *run) settle(h history) (ops []porcupine.Operation, open int) {
	written, removed := map[string]int64{}, map[string]int{}
	for _, c := range h {
		name, ok := strings.CutPrefix(c.key, registers+"/")
		switch {
		case !ok:
		case c.object == nil:
			removed[name]++
		default:
			written[c.object.labels[token]] = c.revision
		}
	}
	for _, op := range r.ops {
		if in, out := op.Input.(input), op.Output.(output); in.Op == opDelete && out.Result == done {
			removed[register(in.Key)]--
		}
	}
	for _, op := range r.ops {
		in, out := op.Input.(input), op.Output.(output)
		if out.Result == unknown {
			switch rev := written[in.Value]; {
			case in.Op == opDelete && removed[register(in.Key)] > 0:
			case in.Op != opDelete && rev > 0:
				out.Revision = rev
			default:
				continue
			}
			open++
			op.Return = int64(time.Hour)
			op.Output = out
		}
		ops = append(ops, op)
	}
	return ops, open
}

func register(i int) string { return fmt.Sprint("r", i) }
