package controller

import (
	"context"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"go.uber.org/zap"

	"github.com/keelson/keelson/controller-manager/internal/allkinds"
)

// Recorder writes the events that users see in `kubectl describe`.
type Recorder interface {
	// Event records what happened to an object. kind is Normal or Warning.
	Event(obj client.Object, kind, reason, format string, args ...any)
	// EventRef is Event for an object that is known by a reference only.
	EventRef(ref *corev1.ObjectReference, kind, reason, format string, args ...any)
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
	// Everything are the caches of all kinds' metadata; nil until the first controller asks for them by All.
	Everything *allkinds.Set
	// Own are informers of one controller only; the manager runs them with the shared ones.
	Own []Runnable
	// Recorder returns the recorder of events that are said to come from a component.
	Recorder func(component string) Recorder
	Registry *schema.Registry
	Logger   *zap.Logger
	// Now is the clock.
	Now func() time.Time
}

// All returns the caches of all kinds' metadata. Controllers that do not ask for them do not cost their memory.
func (e *Env) All() *allkinds.Set {
	if e.Everything == nil {
		e.Everything = allkinds.New(e.Conn, e.Registry, e.Logger)
		e.Own = append(e.Own, e.Everything)
	}
	return e.Everything
}

// Runnable is an informer of any kind.
type Runnable interface {
	Run(ctx context.Context) error
}

// RunnerOf makes a runner for a controller.
func RunnerOf[K comparable](e *Env, name string, workers int, reads ...Source) *Runner[K] {
	return NewRunner[K](Options{Name: name, Workers: workers, Reads: reads, Logger: e.Logger})
}
