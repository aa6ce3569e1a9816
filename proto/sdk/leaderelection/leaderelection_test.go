package leaderelection_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "github.com/keelson/keelson/proto/gen/keelson/coordination/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/leaderelection"
	"google.golang.org/protobuf/proto"
)

// candidate is one process. It leads until its own context ends.
type candidate struct {
	leading atomic.Bool
	seen    atomic.Value // string: the last leader
	stop    context.CancelFunc
	ended   chan error
}

func run(t *testing.T, c *client.Conn, identity string, leaders *atomic.Int64) *candidate {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &candidate{stop: cancel, ended: make(chan error, 1)}
	go func() {
		p.ended <- leaderelection.Run(ctx, leaderelection.Config{
			Conn: c, Name: "test", Identity: identity,
			OnStarted: func(ctx context.Context) {
				if leaders.Add(1) > 1 {
					t.Error("two leaders")
				}
				p.leading.Store(true)
				<-ctx.Done()
				p.leading.Store(false)
				leaders.Add(-1)
			},
			OnNewLeader: func(id string) { p.seen.Store(id) },
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
	})
	return p
}

// finish ends a candidate and returns what its Run returned.
func (p *candidate) finish() error {
	p.stop()
	err := <-p.ended
	p.ended <- err
	return err
}

func lease(t *testing.T, s *apitest.Server) *coordinationv1.Lease {
	t.Helper()
	l, err := client.For[*coordinationv1.Lease](s.Conn).Get(t.Context(), "kube-system", "test")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestOneLeadsAndHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := apitest.New(t)
		var leaders atomic.Int64
		a := run(t, s.Conn, "a", &leaders)
		time.Sleep(time.Second)
		if !a.leading.Load() {
			t.Fatal("nobody leads")
		}
		b := run(t, s.Conn, "b", &leaders)
		time.Sleep(time.Minute) // many lease durations
		if !a.leading.Load() || b.leading.Load() {
			t.Fatal("the lead changed although it was renewed")
		}
		l := lease(t, s)
		if l.Spec.GetHolderIdentity() != "a" || l.Spec.GetLeaseDurationSeconds() != 15 || l.Spec.GetLeaseTransitions() != 0 ||
			time.Since(apitime.GoMicro(l.Spec.RenewTime)) > 3*time.Second {
			t.Errorf("lease %v", l.Spec)
		}
		released := time.Now()
		if err := a.finish(); err != nil {
			t.Errorf("a regular end: %v", err)
		}
		for !b.leading.Load() {
			time.Sleep(10 * time.Millisecond)
		}
		if d := time.Since(released); d > time.Second {
			t.Errorf("a released lease was taken over after %v", d)
		}
		l = lease(t, s)
		if l.Spec.GetHolderIdentity() != "b" || l.Spec.GetLeaseTransitions() != 1 {
			t.Errorf("lease %v", l.Spec)
		}
		if b.seen.Load() != "b" {
			t.Errorf("b saw %v lead", b.seen.Load())
		}
	})
}

func TestExpiredLeaseIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := apitest.New(t)
		// A leader that died long ago by its own clock, which is not to be trusted.
		apitest.Create(t, s, dead(time.Now().Add(-time.Hour)))
		var leaders atomic.Int64
		b := run(t, s.Conn, "b", &leaders)
		start := time.Now()
		for !b.leading.Load() {
			time.Sleep(10 * time.Millisecond)
		}
		if d := time.Since(start); d < 15*time.Second || d > 16*time.Second {
			t.Errorf("taken over after %v, want the lease's 15s since it was first seen", d)
		}
	})
}

func TestLeaderWithoutServerStopsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := apitest.New(t)
		var leaders atomic.Int64
		a := run(t, s.Conn, "a", &leaders)
		time.Sleep(5 * time.Second)
		if !a.leading.Load() {
			t.Fatal("nobody leads")
		}
		renewed := apitime.GoMicro(lease(t, s).Spec.RenewTime)
		s.Stop()
		err := <-a.ended
		a.ended <- err
		if !errors.Is(err, leaderelection.ErrLost) || a.leading.Load() {
			t.Errorf("Run returned %v", err)
		}
		if d := time.Since(renewed); d >= 15*time.Second {
			t.Errorf("led until %v after its last renewal", d)
		}
	})
}

func TestServerRestartKeepsTheLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := apitest.New(t)
		var leaders atomic.Int64
		a := run(t, s.Conn, "a", &leaders)
		time.Sleep(3 * time.Second)
		s.Stop()
		time.Sleep(5 * time.Second)
		s.Restart(t)
		time.Sleep(time.Minute)
		if !a.leading.Load() || lease(t, s).Spec.GetLeaseTransitions() != 0 {
			t.Error("the lead was lost in a short outage")
		}
	})
}

func TestTakenLeaseIsLostAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := apitest.New(t)
		var leaders atomic.Int64
		a := run(t, s.Conn, "a", &leaders)
		time.Sleep(time.Second)
		l := proto.CloneOf(lease(t, s))
		l.Spec.HolderIdentity = proto.String("usurper")
		if _, err := client.For[*coordinationv1.Lease](s.Conn).Update(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		err := <-a.ended
		a.ended <- err
		if !errors.Is(err, leaderelection.ErrLost) || time.Since(start) > 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestDeletedLeaseIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := apitest.New(t)
		var leaders atomic.Int64
		a := run(t, s.Conn, "a", &leaders)
		time.Sleep(time.Second)
		if err := client.For[*coordinationv1.Lease](s.Conn).Delete(t.Context(), "kube-system", "test"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if !a.leading.Load() || lease(t, s).Spec.GetHolderIdentity() != "a" {
			t.Error("the lead was lost with the object")
		}
	})
}

func TestLeaderThatReturnsReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := apitest.New(t)
		stopped := false
		err := leaderelection.Run(t.Context(), leaderelection.Config{
			Conn: s.Conn, Name: "test", Identity: "a",
			OnStarted: func(context.Context) {}, OnStopped: func() { stopped = true },
		})
		if err != nil || !stopped || lease(t, s).Spec.GetHolderIdentity() != "" {
			t.Errorf("%v, stopped %v, lease %v", err, stopped, lease(t, s).Spec)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	c := client.NewConn(nil)
	good := leaderelection.Config{Conn: c, Name: "n", Identity: "i", OnStarted: func(context.Context) {}}
	for want, change := range map[string]func(*leaderelection.Config){
		"required":                   func(c *leaderelection.Config) { c.Identity = "" },
		"greater than RenewDeadline": func(c *leaderelection.Config) { c.LeaseDuration = 10 * time.Second },
		"greater than RetryPeriod":   func(c *leaderelection.Config) { c.RetryPeriod = 10 * time.Second },
		"LeaseDuration (900ms) must be at ": func(c *leaderelection.Config) {
			c.LeaseDuration, c.RenewDeadline, c.RetryPeriod = 900*time.Millisecond, 500*time.Millisecond, 100*time.Millisecond
		},
	} {
		cfg := good
		change(&cfg)
		if err := leaderelection.Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func dead(renewed time.Time) *coordinationv1.Lease {
	return &coordinationv1.Lease{
		Metadata: &metav1.ObjectMeta{Namespace: "kube-system", Name: "test"},
		Spec: &coordinationv1.LeaseSpec{
			HolderIdentity: proto.String("dead"), LeaseDurationSeconds: proto.Int32(15),
			AcquireTime: apitime.OfMicro(renewed), RenewTime: apitime.OfMicro(renewed),
		},
	}
}
