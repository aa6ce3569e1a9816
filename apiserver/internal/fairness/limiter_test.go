package fairness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	flowcontrolv1 "github.com/keelson/keelson/proto/gen/keelson/flowcontrol/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

func user(name string, groups ...string) *identity.User {
	return &identity.User{Name: name, Groups: append(groups, identity.GroupAuthenticated)}
}

func TestClassify(t *testing.T) {
	l := New(Options{})
	masters, node := user("admin", identity.GroupMasters), user("system:node:a", identity.GroupNodes)
	for _, tt := range []struct {
		want string
		r    Request
	}{
		{"exempt", Request{User: masters, Verb: "list", Resource: "pods"}},
		{"probes", Request{User: user("jane"), Verb: "get", Path: "/readyz"}},
		{"global-default", Request{User: user("jane"), Verb: "get", Path: "/readyz/etcd"}},
		{"system-leader-election", Request{User: user("system:kube-scheduler"), Verb: "update", Group: "coordination.k8s.io", Resource: "leases", Namespace: "kube-system"}},
		{"system-leader-election", Request{User: user("system:serviceaccount:kube-system:x"), Verb: "get", Group: "coordination.k8s.io", Resource: "leases", Namespace: "a"}},
		{"kube-scheduler", Request{User: user("system:kube-scheduler"), Verb: "create", Resource: "pods", Subresource: "binding", Namespace: "a"}},
		{"kube-scheduler", Request{User: user("system:kube-scheduler"), Verb: "list", Group: "coordination.k8s.io", Resource: "leases"}},
		{"system-node-high", Request{User: node, Verb: "patch", Resource: "nodes", Subresource: "status"}},
		{"system-node-high", Request{User: node, Verb: "update", Group: "coordination.k8s.io", Resource: "leases", Namespace: "kube-node-lease"}},
		{"system-nodes", Request{User: node, Verb: "patch", Resource: "nodes", Subresource: "proxy"}},
		{"system-nodes", Request{User: node, Verb: "get", Path: "/api"}},
		{"kube-system-service-accounts", Request{User: user("system:serviceaccount:kube-system:x", identity.GroupServiceAccounts), Verb: "get", Resource: "pods", Namespace: "a"}},
		{"service-accounts", Request{User: user("system:serviceaccount:a:x", identity.GroupServiceAccounts), Verb: "get", Resource: "pods", Namespace: "a"}},
		{"global-default", Request{User: user("jane"), Verb: "get", Resource: "pods"}},
		{"catch-all", Request{User: &identity.User{Name: "nobody"}, Verb: "get", Resource: "pods"}},
	} {
		if got := l.configuration.Load().classify(&tt.r); got.name != tt.want {
			t.Errorf("%+v: got %s, want %s", tt.r, got.name, tt.want)
		}
	}
}

// limited is a level with one queue a flow, as far as hashes allow.
func limited(name string, shares, lends int32) *flowcontrolv1.PriorityLevelConfiguration {
	return newLevel(name, &flowcontrolv1.PriorityLevelConfigurationSpec{Type: "Limited", Limited: &flowcontrolv1.LimitedPriorityLevelConfiguration{
		NominalConcurrencyShares: &shares, LendablePercent: &lends, BorrowingLimitPercent: proto.Int32(0),
		LimitResponse: &flowcontrolv1.LimitResponse{Type: "Queue", Queuing: &flowcontrolv1.QueuingConfiguration{Queues: 64, HandSize: 4, QueueLengthLimit: 20}},
	}})
}

func for1(name, level string, names ...string) *flowcontrolv1.FlowSchema {
	return newSchema(name, level, 10, byUser, users(names...), everything())
}

func get(name string) *Request {
	return &Request{User: user(name), Verb: "get", Resource: "pods", Namespace: "a"}
}

// configured has 100 seats on level "a" (60) and "b" (40), but for what catch-all needs.
func configured(t *testing.T, o Options, lends int32, borrows bool) *Limiter {
	t.Helper()
	if o.Seats == 0 {
		o.Seats = 105
	}
	l := New(o)
	a, b := limited("a", 60, lends), limited("b", 40, lends)
	if borrows {
		a.Spec.Limited.BorrowingLimitPercent, b.Spec.Limited.BorrowingLimitPercent = nil, nil
	}
	l.Configure([]*flowcontrolv1.FlowSchema{for1("a", "a", "anna", "arno"), for1("b", "b", "bert", "bella")},
		[]*flowcontrolv1.PriorityLevelConfiguration{a, b})
	return l
}

// take gets n seats at once; the test fails where one has to wait.
func take(t *testing.T, l *Limiter, name string, n int) (out []*Seat) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range n {
		s, err := l.Acquire(ctx, get(name))
		if err != nil {
			t.Fatalf("seat %d of %s: %v", len(out), name, err)
		}
		out = append(out, s)
	}
	return out
}

// mustWait checks that there is no seat at once.
func mustWait(t *testing.T, l *Limiter, name string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := l.Acquire(ctx, get(name)); err == nil {
		s.Release()
		t.Errorf("%s did not have to wait", name)
	}
}

func TestLimits(t *testing.T) {
	l := configured(t, Options{}, 0, false)
	seats := take(t, l, "anna", 60)
	mustWait(t, l, "anna")
	mustWait(t, l, "arno")
	take(t, l, "bert", 40)
	mustWait(t, l, "bert")
	seats[0].Release()
	seats[0].Release() // counts once
	take(t, l, "arno", 1)
	mustWait(t, l, "arno")
}

func TestBorrowing(t *testing.T) {
	l := configured(t, Options{}, 50, true)
	// a has 60 of its own and may borrow the half of b's 40 that b lends.
	seats := take(t, l, "anna", 80)
	mustWait(t, l, "anna")
	// b always has what it does not lend.
	take(t, l, "bert", 20)
	mustWait(t, l, "bert")
	// What a gives back is b's before it is a's.
	order := make(chan string, 2)
	var wg sync.WaitGroup
	for _, name := range []string{"anna", "bella"} {
		wg.Go(func() {
			if _, err := l.Acquire(context.WithoutCancel(t.Context()), get(name)); err != nil {
				t.Error(err)
			}
			order <- name
		})
		awaitWaiting(t, l, map[string]int{"anna": 1, "bella": 2}[name])
	}
	seats[0].Release()
	if got := <-order; got != "bella" {
		t.Errorf("%s was first", got)
	}
	for _, s := range seats[1:] {
		s.Release()
	}
	wg.Wait()
}

func awaitWaiting(t *testing.T, l *Limiter, n int) {
	t.Helper()
	for {
		l.mu.Lock()
		have := l.waiting
		l.mu.Unlock()
		if have == n {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatal("nobody waits")
		case <-time.After(time.Millisecond):
		}
	}
}

// A client with hundreds of requests in line does not keep another one from its part of the level.
func TestNoisyClient(t *testing.T) {
	l := configured(t, Options{Seats: 9}, 0, false)
	var clock atomic.Int64
	l.now = clock.Load
	held := take(t, l, "anna", l.find("a").nominal)
	type turn struct {
		name string
		seat *Seat
	}
	turns := make(chan turn, 100)
	var wg sync.WaitGroup
	ask := func(name string, n int) {
		for range n {
			before := l.waitingNow()
			wg.Go(func() {
				s, err := l.Acquire(context.WithoutCancel(t.Context()), get(name))
				if err != nil {
					t.Error(err)
					return
				}
				turns <- turn{name, s}
			})
			awaitWaiting(t, l, before+1)
		}
	}
	ask("anna", 50)
	ask("arno", 5)
	for _, s := range held {
		s.Release()
	}
	// As seats come free one by one, arno's five are served among the first dozen.
	var last int64
	for range 55 {
		v := <-turns
		if v.name == "arno" {
			last = max(last, v.seat.since)
		}
		clock.Add(int64(10 * time.Millisecond))
		v.seat.Release()
	}
	wg.Wait()
	if turn := last / int64(10*time.Millisecond); turn > 20 {
		t.Errorf("the quiet client's last request was served after %d of 55", turn)
	}
}

func (l *Limiter) find(name string) *level {
	for _, v := range l.levels {
		if v.name == name {
			return v
		}
	}
	return nil
}

func (l *Limiter) waitingNow() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

func TestRefusals(t *testing.T) {
	l := configured(t, Options{Seats: 9, MaxWait: time.Millisecond}, 0, false)
	take(t, l, "anna", l.find("a").nominal)
	_, err := l.Acquire(t.Context(), get("anna"))
	s := apierrors.FromError(err)
	if !apierrors.IsTooManyRequests(err) || s.GetDetails().GetRetryAfterSeconds() != 1 || s.GetMessage() != "Too many requests, please try again later." {
		t.Errorf("%v", s)
	}
	// The catch-all level refuses at once.
	nobody := &Request{User: &identity.User{Name: "nobody"}, Verb: "get", Resource: "pods"}
	if _, err := l.Acquire(t.Context(), nobody); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Acquire(t.Context(), nobody); !apierrors.IsTooManyRequests(err) {
		t.Errorf("%v", err)
	}
	l.mu.Lock()
	got := map[string]int64{}
	for _, s := range l.metrics.all {
		for reason, n := range s.rejected {
			got[s.schema+" "+reason] = n
		}
	}
	l.mu.Unlock()
	if diff := cmp.Diff(map[string]int64{"a time-out": 1, "catch-all concurrency-limit": 1}, got); diff != "" {
		t.Error(diff)
	}
}

// Queues are bounded: what does not fit is refused at once.
func TestQueueFull(t *testing.T) {
	l := configured(t, Options{Seats: 9}, 0, false)
	take(t, l, "anna", l.find("a").nominal)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	refusals := make(chan error, 200)
	for range 200 {
		wg.Go(func() {
			if _, err := l.Acquire(ctx, get("anna")); apierrors.IsTooManyRequests(err) {
				refusals <- err
			}
		})
	}
	for range 200 - 4*20 { // a hand of four queues with twenty places
		<-refusals
	}
	cancel()
	wg.Wait()
	if n := len(refusals); n != 0 {
		t.Errorf("%d more were refused", n)
	}
	busy := 0
	for i := range l.find("a").queues {
		if !l.find("a").queues[i].idle() {
			busy++
		}
	}
	if l.waiting != 0 || l.find("a").active != busy {
		t.Errorf("%d wait, %d queues are active of %d", l.waiting, busy, l.find("a").active)
	}
}

// No configuration keeps out the administrators or the components.
func TestBrokenConfiguration(t *testing.T) {
	l := New(Options{Seats: 100})
	jail := limited("jail", 0, 0)
	for _, tt := range []struct {
		name    string
		schemas []*flowcontrolv1.FlowSchema
		levels  []*flowcontrolv1.PriorityLevelConfiguration
	}{
		{"everything is in jail", []*flowcontrolv1.FlowSchema{newSchema("jail", "jail", 1, "", users(all), everything())}, []*flowcontrolv1.PriorityLevelConfiguration{jail}},
		{"dangling", []*flowcontrolv1.FlowSchema{newSchema("x", "none", 1, "", users(all), everything())}, nil},
		{"mandatory ones altered", []*flowcontrolv1.FlowSchema{newSchema("exempt", "jail", 1, "", users("x"), everything()), newSchema("catch-all", "jail", 1, "", nil, everything())},
			[]*flowcontrolv1.PriorityLevelConfiguration{jail, limited("exempt", 0, 0), limited("catch-all", 0, 0)}},
		{"empty specs", []*flowcontrolv1.FlowSchema{{}}, []*flowcontrolv1.PriorityLevelConfiguration{{}}},
	} {
		l.Configure(tt.schemas, tt.levels)
		for _, u := range []*identity.User{user("admin", identity.GroupMasters), user("system:kube-scheduler"), user("system:node:a", identity.GroupNodes)} {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			s, err := l.Acquire(ctx, &Request{User: u, Verb: "get", Resource: "pods"})
			if err != nil {
				t.Errorf("%s: %s: %v", tt.name, u.Name, err)
			}
			s.Release()
		}
	}
	l.Configure([]*flowcontrolv1.FlowSchema{newSchema("jail", "jail", 1, "", users("jane"), everything())}, []*flowcontrolv1.PriorityLevelConfiguration{jail})
	mustWait(t, l, "jane")
}

// The configuration may change while requests run and wait: none is lost, and all seats come back.
func TestReconfiguration(t *testing.T) {
	l := New(Options{Seats: 20, MaxWait: time.Minute})
	configure := func() {
		a, b := limited("a", 1+rand.Int32N(50), rand.Int32N(100)), limited("b", 1+rand.Int32N(50), rand.Int32N(100))
		a.Spec.Limited.LimitResponse.Queuing.Queues = 1 + rand.Int32N(20)
		a.Spec.Limited.LimitResponse.Queuing.QueueLengthLimit = 1000
		b.Spec.Limited.LimitResponse.Queuing.QueueLengthLimit = 1000
		if rand.N(2) == 0 {
			a.Spec.Limited.BorrowingLimitPercent, b.Spec.Limited.BorrowingLimitPercent = nil, nil
		}
		levels := []*flowcontrolv1.PriorityLevelConfiguration{b}
		if rand.N(4) > 0 {
			levels = append(levels, a)
		}
		schemas := []*flowcontrolv1.FlowSchema{for1("a", "a", "u0", "u1", "u2"), for1("b", "b", all)}
		l.Configure(schemas, levels)
	}
	configure()
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			r := get(fmt.Sprint("u", i%8))
			for n := range 100 {
				if n%10 == 0 {
					configure()
				}
				r.Width = 1 + rand.IntN(8)
				s, err := l.Acquire(t.Context(), r)
				if err != nil {
					t.Error(err)
					return
				}
				s.Release()
			}
		})
	}
	wg.Wait()
	l.Configure(nil, nil)
	for _, v := range l.levels {
		if v.used != 0 || v.waiting != 0 || v.executing != 0 || v.want != 0 || v.active != 0 {
			t.Errorf("left over: %+v", v.levelConfig)
		}
	}
	if l.lent != 0 || l.waiting != 0 {
		t.Errorf("left over: %d lent, %d waiting", l.lent, l.waiting)
	}
}

// A request may be judged by a configuration that is replaced before it gets the lock, and its level dropped: it must not
// wait in a level that nobody looks at any more.
func TestReplacedWhileJudging(t *testing.T) {
	l := New(Options{Seats: 4, MaxWait: 20 * time.Second})
	schemas := []*flowcontrolv1.FlowSchema{for1("a", "a", "jane"), for1("b", "b", all)}
	levels := []*flowcontrolv1.PriorityLevelConfiguration{limited("b", 1, 0), limited("a", 1, 0)}
	for _, v := range levels {
		v.Spec.Limited.LimitResponse.Queuing.QueueLengthLimit = 1000
	}
	var requests, changes sync.WaitGroup
	ended := make(chan struct{})
	changes.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-ended:
				return
			default:
			}
			l.Configure(schemas, levels[:1+i%2])
			runtime.Gosched()
		}
	})
	for range 16 {
		requests.Go(func() {
			for range 100 {
				s, err := l.Acquire(t.Context(), get("jane"))
				if err != nil {
					t.Error(err)
					return
				}
				runtime.Gosched()
				s.Release()
			}
		})
	}
	requests.Wait()
	close(ended)
	changes.Wait()
}

func TestDeal(t *testing.T) {
	for range 1000 {
		n, hand := 1+rand.IntN(130), 1+rand.IntN(12)
		seen := map[int]bool{}
		deal(rand.Uint64(), n, hand, func(i int) {
			if i < 0 || i >= n || seen[i] {
				t.Fatalf("card %d of %d, dealt %v", i, n, seen)
			}
			seen[i] = true
		})
		if len(seen) != min(n, hand) {
			t.Errorf("%d cards of %d", len(seen), n)
		}
	}
}

func BenchmarkAcquire(b *testing.B) {
	l := New(Options{})
	for _, name := range []string{"jane", "system:kube-scheduler"} {
		b.Run(name, func(b *testing.B) {
			r := get(name)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					s, err := l.Acquire(context.Background(), r)
					if err != nil {
						b.Fatal(err)
					}
					s.Release()
				}
			})
		})
	}
}
