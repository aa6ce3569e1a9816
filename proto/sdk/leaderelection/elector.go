package leaderelection

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	coordinationv1 "github.com/keelson/keelson/proto/gen/keelson/coordination/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"go.uber.org/zap"
)

type elector struct {
	Config
	leases   *client.Client[*coordinationv1.Lease]
	observed *observed
	// held is the lease as this process wrote it last, and since when it counts as renewed; of the leader only.
	held    *coordinationv1.Lease
	renewed time.Time
}

// Run waits for the lead, leads, and returns when that is over: nil after the context ended or OnStarted returned by
// itself, ErrLost when the lease was lost. OnStarted has returned by then.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.complete(); err != nil {
		return err
	}
	e := newElector(cfg)
	if !e.acquire(ctx) {
		return nil
	}
	e.Logger.Info("became leader")
	leaderGauge.WithLabelValues(e.Name).Set(1)
	defer leaderGauge.WithLabelValues(e.Name).Set(0)
	return e.lead(ctx)
}

func newElector(cfg Config) *elector {
	return &elector{
		Config: cfg, leases: client.For[*coordinationv1.Lease](cfg.Conn),
		observed: &observed{changed: make(chan struct{}, 1), notify: cfg.OnNewLeader},
	}
}

// acquire watches the lease until it has it; false when the context ends.
func (e *elector) acquire(ctx context.Context) bool {
	watchCtx, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer stop()
	i := informer.New(e.Conn, informer.Options[*coordinationv1.Lease]{
		Namespace: e.Namespace, FieldSelector: "metadata.name=" + e.Name, Logger: e.Logger,
	})
	i.OnEvent(func(ev informer.Event[*coordinationv1.Lease]) { e.observed.see(ev.New) })
	watch.Go(func() { _ = i.Run(watchCtx) })
	if i.WaitForSync(ctx) != nil {
		return false
	}
	for {
		lease, held := e.observed.get(e.Identity)
		if held == 0 {
			if e.take(ctx, lease) {
				return true
			}
			held = e.RetryPeriod // unless the lease changes first
		}
		// Candidates do not all try in the same instant.
		held += rand.N(e.RetryPeriod/10 + 1)
		timer := time.NewTimer(held)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-e.observed.changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// take makes the lease, which is free or absent as far as known, this process' own.
func (e *elector) take(ctx context.Context, old *coordinationv1.Lease) bool {
	ctx, cancel := context.WithTimeout(ctx, e.RenewDeadline)
	defer cancel()
	start := time.Now()
	var got *coordinationv1.Lease
	var err error
	if old == nil {
		got, err = e.leases.Create(ctx, e.fresh())
	} else {
		got, err = e.leases.Update(ctx, e.claimed(old))
	}
	switch {
	case err == nil:
		e.keep(got, start)
		return true
	case apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err):
		e.Logger.Debug("another candidate was faster")
	case ctx.Err() == nil:
		e.Logger.Warn("cannot acquire the lease", zap.Error(err))
	}
	return false
}

// keep remembers the lease that a write at the time returned.
func (e *elector) keep(l *coordinationv1.Lease, at time.Time) {
	e.held, e.renewed = l, at
	e.observed.see(l)
}

// lead runs OnStarted while the lease is renewed.
func (e *elector) lead(ctx context.Context) error {
	leading, stop := context.WithCancel(ctx)
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		e.OnStarted(leading)
	}()
	lost := !e.renewUntil(leading, returned)
	stop()
	<-returned
	if e.OnStopped != nil {
		e.OnStopped()
	}
	if lost {
		e.Logger.Error("lost the lead")
		return ErrLost
	}
	e.release()
	return nil
}

// renewUntil renews the lease until the context ends or the leader has returned; false when the lease is lost.
func (e *elector) renewUntil(ctx context.Context, returned <-chan struct{}) bool {
	ticker := time.NewTicker(e.RetryPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return true
		case <-returned:
			return true
		case <-ticker.C:
		}
		err := e.renew(ctx)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return true
		case err == ErrLost:
			return false
		default:
			e.Logger.Warn("cannot renew the lease", zap.Error(err))
		}
		if time.Since(e.renewed) >= e.RenewDeadline {
			return false
		}
	}
}

// renew writes the lease once more, before it must be given up. ErrLost means that it belongs to somebody else.
func (e *elector) renew(ctx context.Context) error {
	ctx, cancel := context.WithDeadline(ctx, e.renewed.Add(e.RenewDeadline))
	defer cancel()
	start := time.Now()
	got, err := e.leases.Update(ctx, e.again(e.held))
	if apierrors.IsConflict(err) {
		// Somebody edited it, or an earlier renewal whose answer was lost took effect.
		current, readErr := e.leases.Get(ctx, e.Namespace, e.Name)
		switch {
		case apierrors.IsNotFound(readErr):
			err = readErr // somebody deleted it
		case readErr != nil:
			return readErr
		case current.GetSpec().GetHolderIdentity() != e.Identity:
			e.observed.see(current)
			return ErrLost
		default:
			got, err = e.leases.Update(ctx, e.again(current))
		}
	}
	if apierrors.IsNotFound(err) {
		got, err = e.leases.Create(ctx, e.fresh())
		if apierrors.IsAlreadyExists(err) {
			return ErrLost
		}
	}
	if err != nil {
		return err
	}
	e.keep(got, start)
	return nil
}

// release gives the lease up so that another candidate need not wait for it to expire.
func (e *elector) release() {
	ctx, cancel := context.WithTimeout(context.Background(), e.RenewDeadline-e.RetryPeriod)
	defer cancel()
	if _, err := e.leases.Update(ctx, e.released(e.held)); err != nil {
		e.Logger.Warn("cannot release the lease", zap.Error(err))
	}
}
