// Package embed is the scheduler's only door: what its binary runs and what a test of a whole cluster runs in process.
package embed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/events"
	"github.com/keelson/keelson/proto/sdk/health"
	"github.com/keelson/keelson/proto/sdk/leaderelection"
	"github.com/keelson/keelson/scheduler/internal/loop"
)

// Config of a scheduler.
type Config struct {
	// Client says how to reach the API server. Unused where Conn is set.
	Client client.Config
	// Conn is an open connection to use instead.
	Conn *client.Conn
	// SchedulerName selects pods by spec.schedulerName. Default: "default-scheduler".
	SchedulerName string
	// LeaderElect makes one of several schedulers work at a time, by a Lease in kube-system.
	LeaderElect bool
	// Logger; default: none.
	Logger *zap.Logger
	// Health gets the scheduler's checks; may be nil.
	Health *health.Checks
	// Registerer gets its metrics. Default: prometheus.DefaultRegisterer.
	Registerer prometheus.Registerer
}

// flushTimeout bounds how long a stop waits for the last events to be written.
const flushTimeout = 2 * time.Second

func (c *Config) complete() error {
	if c.SchedulerName == "" {
		c.SchedulerName = "default-scheduler"
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.DefaultRegisterer
	}
	if c.Conn != nil {
		return nil
	}
	var err error
	c.Conn, err = client.Dial(c.Client)
	return err
}

// Start schedules until the context ends. A scheduler that loses its lead returns an error: its process should end and
// be started anew.
func Start(ctx context.Context, c Config) error {
	owned := c.Conn == nil
	if err := c.complete(); err != nil {
		return err
	}
	if owned {
		defer c.Conn.Close()
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	recorder := events.NewRecorder(c.Conn, c.SchedulerName, host)
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		recorder.Close(last)
	}()
	l := loop.New(loop.Config{
		Conn: c.Conn, SchedulerName: c.SchedulerName, Recorder: recorder, Logger: c.Logger, Metrics: loop.NewMetrics(c.Registerer),
	})
	if !c.LeaderElect {
		return l.Run(ctx)
	}
	var result error
	err = leaderelection.Run(ctx, leaderelection.Config{
		Conn: c.Conn, Name: "kube-scheduler", Identity: fmt.Sprintf("%s_%s", host, uuid.NewString()), Logger: c.Logger,
		OnStarted: func(ctx context.Context) { result = l.Run(ctx) },
	})
	return errors.Join(err, result)
}
