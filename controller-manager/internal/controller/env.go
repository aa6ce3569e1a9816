package controller

import (
	"context"
	"time"

	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"go.uber.org/zap"
)

// Recorder writes the events that users see in `kubectl describe`.
type Recorder interface {
	// Event records what happened to an object. kind is Normal or Warning.
	Event(obj client.Object, kind, reason, format string, args ...any)
}

// Kinds of events.
const (
	Normal  = "Normal"
	Warning = "Warning"
)

// Env is what every controller is made of.
type Env struct {
	Conn *client.Conn
	// Pipeline carries all controllers' batches.
	Pipeline *client.Pipeline
	// Caches are the shared informers.
	Caches *informer.Group
	// Own are informers of one controller only; the manager runs them with the shared ones.
	Own []Runnable
	// Recorder returns the recorder of events that are said to come from a component.
	Recorder func(component string) Recorder
	Registry *schema.Registry
	Logger   *zap.Logger
	// Now is the clock.
	Now func() time.Time
}

// Runnable is an informer of any kind.
type Runnable interface {
	Run(ctx context.Context) error
}

// RunnerOf makes a runner for a controller.
func RunnerOf[K comparable](e *Env, name string, workers int, reads ...Source) *Runner[K] {
	return NewRunner[K](Options{Name: name, Workers: workers, Reads: reads, Logger: e.Logger})
}
