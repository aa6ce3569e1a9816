package events

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"go.uber.org/zap"
)

// maxTries is how often one state of an event is sent while the server has trouble.
const maxTries = 5

// record is an Event object as this process keeps it. One write of it is under way at a time; occurrences meanwhile
// are counted and written with the next.
type record struct {
	key    string
	event  *corev1.Event
	stored bool // the server has it
	busy   bool // a write is under way
	dirty  bool // it changed since that write was sent
	tries  int
}

// outcome is the result of a write.
type outcome struct {
	record *record
	err    error
}

// writer is the goroutine behind a Recorder.
type writer struct {
	*Recorder
	ctx       context.Context
	batch     *client.Batch[*corev1.Event]
	correlate *correlator
	records   *lru[string, *record]
	// outcomes holds as many results as there may be writes under way, so that a result never waits for this goroutine
	// while this goroutine waits for room in the pipeline.
	outcomes chan outcome
	busy     int // writes under way, or done and not settled; at most the pipeline's window
	stamp    int64
}

func newWriter(ctx context.Context, c *client.Conn, r *Recorder) *writer {
	return &writer{
		Recorder: r, ctx: ctx, batch: client.For[*corev1.Event](c).Batch(ctx),
		correlate: newCorrelator(), records: newLRU[string, *record](remembered),
		outcomes: make(chan outcome, client.PipelineWindow),
	}
}

// run writes until the recorder closes and all is written, or the context ends.
func (w *writer) run() {
	defer w.batch.Close()
	queue, closing := w.queue, w.closing
	for closing != nil || w.busy > 0 || len(queue) > 0 {
		in := queue
		if w.busy >= client.PipelineWindow {
			in = nil
		}
		select {
		case o := <-in:
			w.take(o)
		case o := <-w.outcomes:
			w.settle(o)
		case <-closing:
			closing = nil
		case <-w.ctx.Done():
			return
		}
	}
}

// take counts an occurrence in its event.
func (w *writer) take(o occurrence) {
	key, message, ok := w.correlate.place(o)
	if !ok {
		dropped.WithLabelValues("too many for one object").Inc()
		return
	}
	r, ok := w.records.get(key)
	if !ok {
		r = &record{key: key, event: w.first(o)}
		w.records.put(key, r)
	}
	r.event.Message = message
	r.event.Count++
	r.event.LastTimestamp = apitime.Of(o.at)
	r.dirty = true
	w.write(r)
}

// first is the event of an occurrence, not counted yet.
func (w *writer) first(o occurrence) *corev1.Event {
	namespace := o.ref.GetNamespace()
	if namespace == "" {
		namespace = "default"
	}
	// Names are times, as Kubernetes' are, but never the same one twice.
	w.stamp = max(w.stamp+1, o.at.UnixNano())
	return &corev1.Event{
		Metadata:       &metav1.ObjectMeta{Name: fmt.Sprintf("%s.%x", o.ref.GetName(), w.stamp), Namespace: namespace},
		InvolvedObject: o.ref, Type: o.kind, Reason: o.reason, Message: o.message,
		Source:         &corev1.EventSource{Component: w.component, Host: w.host},
		FirstTimestamp: apitime.Of(o.at), LastTimestamp: apitime.Of(o.at),
		ReportingComponent: w.component, ReportingInstance: w.host,
	}
}

// write sends the record's present state unless an earlier one is still under way.
func (w *writer) write(r *record) {
	if r.busy || !r.dirty {
		return
	}
	r.busy, r.dirty = true, false
	w.busy++
	done := func(_ *corev1.Event, err error) { w.outcomes <- outcome{r, err} }
	var err error
	if r.stored {
		m := r.event.Metadata
		err = w.batch.Patch(m.Namespace, m.Name, client.MergePatch, patch(r.event), done)
	} else {
		err = w.batch.Create(r.event, done)
	}
	if err != nil { // nothing was sent: the context has ended
		r.busy = false
		w.busy--
	}
}

// patch is the merge patch of what changes when an event occurs again.
func patch(e *corev1.Event) []byte {
	b, err := json.Marshal(map[string]any{
		"count": e.Count, "message": e.Message, "lastTimestamp": apitime.Go(e.LastTimestamp).Format(time.RFC3339),
	})
	if err != nil {
		panic(err) // a number and two strings
	}
	return b
}

// settle takes in the result of a write and goes on with what came meanwhile.
func (w *writer) settle(o outcome) {
	r := o.record
	r.busy = false
	w.busy--
	switch {
	case o.err == nil:
		r.stored, r.tries = true, 0
	case r.stored && apierrors.IsNotFound(o.err):
		r.stored, r.dirty = false, true // it has expired: tell it anew
	case !r.stored && apierrors.IsAlreadyExists(o.err):
		r.stored, r.dirty = true, true // an earlier try took effect, its answer was lost
	case (apierrors.IsServiceUnavailable(o.err) || apierrors.IsTimeout(o.err) || apierrors.IsServerTimeout(o.err)) && r.tries < maxTries:
		r.tries++
		r.dirty = true
	default:
		// The namespace may be gone, or the server refuses the event: it is of no use to insist.
		w.log.Debug("event not written", zap.String("event", r.event.Metadata.Name), zap.Error(o.err))
		dropped.WithLabelValues("refused").Inc()
		w.records.remove(r.key)
		return
	}
	w.write(r)
}
