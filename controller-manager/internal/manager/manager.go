// Package manager runs the controllers of one process: it makes them, fills their caches, waits for the lead, starts
// them, and stops everything in order.
//
//	make controllers ──▶ caches fill ──▶ stand by ──▶ lead: controllers run ──▶ lead lost or ctx ends
//	                                                                              │
//	          return ◀── pipeline closes ◀── caches stop ◀── events written ◀── controllers end
//
// Caches are kept while standing by, so that a new leader starts at once. A manager that lost the lead is over; its
// controllers have ended, and whoever owns it may make another one.
package manager

import (
	"context"
	"fmt"
	"time"

	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/events"
	"github.com/keelson/keelson/proto/sdk/informer"
	"github.com/keelson/keelson/proto/sdk/leaderelection"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/controllers/nodeipam"
	"github.com/keelson/keelson/controller-manager/internal/controllers/nodelifecycle"
)

const (
	leaseName = "keelson-controller-manager"
	// farewell bounds how long the last events and the release of the lease may take.
	farewell = 3 * time.Second
)

// Config of a manager. It is complete and valid: embed fills it.
type Config struct {
	Conn   *client.Conn
	Logger *zap.Logger
	// Identity names this process among candidates and in events.
	Identity string
	// LeaderElect is false where there is certainly no other controller manager.
	LeaderElect bool
	// Controllers are the names of those to run.
	Controllers []string
	// NodeMonitorGracePeriod is how long a kubelet may be silent.
	NodeMonitorGracePeriod time.Duration
	// Pace bounds how fast nodes in trouble are emptied.
	Pace nodelifecycle.Pace
	// NodeRanges are what nodes get their pods' ranges from.
	NodeRanges nodeipam.Pool
	// TerminatedPods is how many finished pods are kept; 0 is all.
	TerminatedPods int
	// RootCA is the authority that is published to pods, in PEM.
	RootCA []byte
	// Now is the clock.
	Now func() time.Time
}

// Manager owns the controllers.
type Manager struct {
	cfg         Config
	env         *controller.Env
	recorders   []*events.Recorder
	controllers []controller.Controller
	synced      chan struct{}
}

// New makes the controllers; nothing runs yet.
func New(cfg Config) *Manager {
	m := &Manager{cfg: cfg, synced: make(chan struct{})}
	m.env = &controller.Env{
		Conn:     cfg.Conn,
		Pipeline: cfg.Conn.Pipeline(context.Background()), // outlives the controllers; Run closes it
		Caches:   informer.NewGroup(cfg.Conn),
		Recorder: m.recorder,
		Registry: schema.Builtin(),
		Logger:   cfg.Logger,
		Now:      cfg.Now,
	}
	wanted := map[string]bool{}
	for _, name := range cfg.Controllers {
		wanted[name] = true
	}
	for _, in := range initializers {
		if wanted[in.name] {
			m.controllers = append(m.controllers, in.make(m.env, cfg))
		}
	}
	return m
}

// recorder makes the recorder of one component; users see its name beside each event.
func (m *Manager) recorder(component string) controller.Recorder {
	r := events.NewRecorder(m.cfg.Conn, component, "")
	m.recorders = append(m.recorders, r)
	return r
}

// Synced is closed once all caches are complete.
func (m *Manager) Synced() <-chan struct{} { return m.synced }

// Run works until ctx ends, and returns nil then; until the lead is lost (leaderelection.ErrLost); or until something
// fails for good. A manager runs once.
func (m *Manager) Run(ctx context.Context) error {
	defer m.env.Pipeline.Close()
	caches, stopCaches := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCaches()
	filled, giveUp := errgroup.WithContext(caches)
	filled.Go(func() error { return m.env.Caches.Run(giveUp) })
	for _, own := range m.env.Own {
		filled.Go(func() error { return own.Run(giveUp) })
	}
	announced := make(chan struct{})
	go func() {
		defer close(announced)
		m.announce(ctx)
	}()
	err := m.lead(ctx)
	<-announced
	goodbye, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	for _, r := range m.recorders {
		r.Close(goodbye)
	}
	stopCaches()
	if cacheErr := filled.Wait(); err == nil && cacheErr != nil && ctx.Err() == nil {
		err = cacheErr
	}
	return err
}

// announce closes synced once the shared caches are complete.
func (m *Manager) announce(ctx context.Context) {
	begin := time.Now()
	if m.env.Caches.WaitForSync(ctx) == nil {
		m.cfg.Logger.Info("caches complete", zap.Duration("took", time.Since(begin)))
		close(m.synced)
	}
}

func (m *Manager) lead(ctx context.Context) error {
	if !m.cfg.LeaderElect {
		return m.runControllers(ctx)
	}
	var failed error
	err := leaderelection.Run(ctx, leaderelection.Config{
		Conn:     m.cfg.Conn,
		Name:     leaseName,
		Identity: m.cfg.Identity,
		Logger:   m.cfg.Logger,
		OnStarted: func(ctx context.Context) {
			failed = m.runControllers(ctx)
		},
	})
	if failed != nil {
		return failed
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// runControllers returns when all controllers have; the first that fails stops the others.
func (m *Manager) runControllers(ctx context.Context) error {
	m.cfg.Logger.Info("controllers start", zap.Int("count", len(m.controllers)))
	running, ctx := errgroup.WithContext(ctx)
	for _, c := range m.controllers {
		running.Go(func() error {
			if err := c.Run(ctx); err != nil {
				return fmt.Errorf("controller %s: %w", c.Name(), err)
			}
			return nil
		})
	}
	err := running.Wait()
	m.cfg.Logger.Info("controllers stopped")
	return err
}
