package events

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.uber.org/zap"
)

// Types of events.
const (
	Normal  = "Normal"
	Warning = "Warning"
)

// QueueLength is how many occurrences may wait to be written. Further ones are dropped and counted: events are worth
// less than the work that they tell of.
const QueueLength = 4096

var dropped = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "keelson_events_dropped_total", Help: "Events that were not written, by why.",
}, []string{"why"})

// occurrence is something that happened once.
type occurrence struct {
	ref                   *corev1.ObjectReference
	kind, reason, message string
	at                    time.Time
}

// Recorder records the events of one component. Safe for concurrent use.
type Recorder struct {
	component, host string
	log             *zap.Logger
	queue           chan occurrence
	loop            sync.WaitGroup
	cancel          context.CancelFunc
	closing         chan struct{}
	once            sync.Once
}

// NewRecorder returns a recorder; host is the node that the component runs on, or empty. Close it.
func NewRecorder(c *client.Conn, component, host string) *Recorder {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Recorder{
		component: component, host: host, log: c.Logger().Named("events"),
		queue: make(chan occurrence, QueueLength), closing: make(chan struct{}), cancel: cancel,
	}
	w := newWriter(ctx, c, r)
	r.loop.Go(w.run)
	return r
}

// Event records that something happened to the object. kind is Normal or Warning, reason one word in camel case.
func (r *Recorder) Event(obj client.Object, kind, reason, format string, args ...any) {
	r.EventRef(Ref(obj), kind, reason, format, args...)
}

// EventRef is Event for what a reference names, such as one container of a pod by its field path.
func (r *Recorder) EventRef(ref *corev1.ObjectReference, kind, reason, format string, args ...any) {
	message := format
	if len(args) > 0 {
		message = fmt.Sprintf(format, args...)
	}
	select {
	case <-r.closing:
		return
	default:
	}
	select {
	case r.queue <- occurrence{ref, kind, reason, message, time.Now()}:
	default:
		dropped.WithLabelValues("queue full").Inc()
	}
}

// Close writes what was recorded, until the context ends, and stops. What is recorded later is dropped.
func (r *Recorder) Close(ctx context.Context) {
	r.once.Do(func() { close(r.closing) })
	stop := context.AfterFunc(ctx, r.cancel)
	defer stop()
	r.loop.Wait()
	r.cancel()
}

// Ref returns a reference to an object.
func Ref(obj client.Object) *corev1.ObjectReference {
	k, m := client.KindOf(obj), obj.GetMetadata()
	return &corev1.ObjectReference{
		Kind: k.Kind, ApiVersion: k.APIVersion(), Namespace: m.GetNamespace(), Name: m.GetName(),
		Uid: m.GetUid(), ResourceVersion: m.GetResourceVersion(),
	}
}
