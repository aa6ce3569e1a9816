package pods

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"go.uber.org/zap"

	"github.com/keelson/keelson/kubelet/internal/podspec"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// actor runs one pod. All fields below "owned" belong to its goroutine; operations talk to it by post.
type actor struct {
	*Config
	log    *zap.Logger
	starts chan struct{}
	room   *room
	uid    string
	logDir string

	ctx    context.Context
	cancel context.CancelFunc
	ops    sync.WaitGroup
	box    chan func()
	wake   chan struct{}
	done   chan struct{}
	// latest is the newest state of the pod that the API told.
	latest atomic.Pointer[corev1.Pod]
	// gone is set when the API has no such pod any more.
	gone   atomic.Bool
	view   atomic.Pointer[View]
	status *statusWriter

	// owned by the goroutine:

	// pod is the API's, with the resources that the node has given it; wanted is as the API has it.
	pod, wanted *corev1.Pod
	allocated   map[string]*corev1.ResourceRequirements // by container
	podLimits   runtime.Resources                       // those of the pod's cgroup
	resize      resizing
	containers  []*container
	addresses   []netip.Addr
	startTime   time.Time
	seen        time.Time // when this kubelet first saw it; zero once it was ready
	phase       string
	reason      string
	message     string
	sandbox     bool
	assumed     bool // sandbox and addresses are those that the status tells, not checked yet
	prepare     operation
	stopping    *stopping
	removal     operation
	removed     bool
	deletion    operation
	release     func()
	objects     bool // something that the pod refers to has changed
	renew       time.Time
	refresh     operation
}

// operation is something that runs beside the actor, one at a time, again after a delay where it failed.
type operation struct {
	running  bool
	done     bool
	failures int
	notUntil time.Time
	message  string
}

// stopping is how a pod comes to its end.
type stopping struct {
	since time.Time
	grace time.Duration
	// deadline is when what still runs is killed.
	deadline time.Time
	// drained is closed when containers may be told to stop; nil is at once.
	drained <-chan struct{}
	// deleted is set when the pod leaves the API, too.
	deleted bool
}

func newActor(cfg *Config, parent context.Context, pod *corev1.Pod, adopted []runtime.Container, starts chan struct{}, room *room) *actor {
	m := pod.Metadata
	a := &actor{
		Config: cfg, uid: m.Uid, starts: starts, room: room, logDir: filepath.Join(cfg.LogDir, m.Namespace+"_"+m.Name+"_"+m.Uid),
		log: cfg.Logger.With(zap.String("pod", m.Namespace+"/"+m.Name), zap.String("uid", m.Uid)),
		box: make(chan func(), 16), wake: make(chan struct{}, 1), done: make(chan struct{}), wanted: pod,
	}
	a.allocate(pod)
	a.pod = a.asGiven(pod)
	a.podLimits = podspec.PodLimits(a.pod)
	a.ctx, a.cancel = context.WithCancel(parent)
	if len(adopted) == 0 && pod.Status.GetPhase() == pending {
		a.seen = time.Now()
	}
	a.latest.Store(pod)
	a.status = newStatusWriter(a, pod)
	a.adopt(adopted)
	if !a.terminal() {
		room.give(a.uid, podspec.Requests(a.pod))
	}
	a.admitResize()
	a.publish()
	return a
}

// tell gives the actor a newer state of its pod.
func (a *actor) tell(pod *corev1.Pod) {
	a.latest.Store(pod)
	a.poke()
}

// vanish tells the actor that the API has no such pod any more.
func (a *actor) vanish() {
	a.gone.Store(true)
	a.poke()
}

func (a *actor) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// post runs f in the actor's goroutine. It is dropped where the actor has ended.
func (a *actor) post(f func()) {
	select {
	case a.box <- f:
	case <-a.done:
	}
}

// run is the actor's goroutine. It returns when the pod is gone from node and API, or the kubelet stops.
func (a *actor) run() {
	defer close(a.done)
	defer func() {
		a.cancel()
		go func() {
			// Operations that end now must not wait for an actor that doesn't listen any more.
			for {
				select {
				case <-a.box:
				case <-a.done:
					return
				}
			}
		}()
		a.ops.Wait()
		a.status.stop()
		a.room.drop(a.uid)
		if a.release != nil {
			a.release()
		}
	}()
	a.release = a.Objects.Follow(a.pod, func() { a.post(func() { a.objects = true }) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if a.finished() {
			if err := os.RemoveAll(a.podLogDir()); err != nil {
				a.log.Warn("the pod's logs can't be removed", zap.Error(err))
			}
			return
		}
		select {
		case <-a.ctx.Done():
			return
		case f := <-a.box:
			f()
			a.takeAll()
		case <-a.wake:
		case <-timer.C:
		}
		a.observe()
		if a.resize.pending == resizeDeferred {
			a.admitResize()
		}
		next := a.step(time.Now())
		if a.terminal() || a.removed {
			a.room.drop(a.uid)
		}
		a.publish()
		a.measure()
		a.status.offer(a.buildStatus())
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(max(time.Until(next), 0))
		}
	}
}

// measure observes once how long the pod took to become ready.
func (a *actor) measure() {
	if a.seen.IsZero() || !a.podReady() {
		return
	}
	podStart.Observe(time.Since(a.seen).Seconds())
	a.seen = time.Time{}
}

// takeAll takes what else is in the box, so that a burst is decided about once.
func (a *actor) takeAll() {
	for {
		select {
		case f := <-a.box:
			f()
		default:
			return
		}
	}
}

// observe takes the API's newest state.
func (a *actor) observe() {
	pod := a.latest.Load()
	if pod == a.wanted {
		return
	}
	a.wanted, a.pod = pod, a.asGiven(pod)
	a.status.observe(pod)
	for _, c := range pod.Spec.EphemeralContainers {
		if a.container(c.EphemeralContainerCommon.Name) == nil {
			a.containers = append(a.containers, newEphemeral(c))
		}
	}
	a.takeSpecs()
	a.admitResize()
	// Labels and annotations may be in files of the pod.
	a.objects = true
}

// takeSpecs gives the containers their newest specs.
func (a *actor) takeSpecs() {
	specs := map[string]*corev1.Container{}
	for _, c := range podspec.AllContainers(a.pod) {
		specs[c.Name] = c
	}
	for _, c := range a.containers {
		if s := specs[c.spec.Name]; s != nil {
			c.spec = s
		}
	}
}

// finished tells whether nothing is left to do for the pod.
func (a *actor) finished() bool {
	return a.removed && a.gone.Load()
}

// start begins an operation; its result comes back through finish, in the actor's goroutine.
func (a *actor) start(op *operation, do func(ctx context.Context) error, finish func(error)) {
	op.running = true
	a.ops.Go(func() {
		err := do(a.ctx)
		if a.ctx.Err() != nil {
			return
		}
		a.post(func() {
			op.running = false
			if err == nil {
				op.done, op.failures, op.message = true, 0, ""
			} else {
				op.failures++
				op.notUntil = time.Now().Add(retryDelay(op.failures))
				op.message = err.Error()
			}
			finish(err)
		})
	})
}

// retryDelay of what failed that often in a row: half a second, doubling up to half a minute.
func retryDelay(failures int) time.Duration {
	return min(500*time.Millisecond<<min(failures-1, 10), 30*time.Second)
}

// due tells whether an operation should begin now; where it must wait, next is when.
func (op *operation) due(now time.Time, next *time.Time) bool {
	if op.running || op.done {
		return false
	}
	if now.Before(op.notUntil) {
		earliest(next, op.notUntil)
		return false
	}
	return true
}

// earliest moves next to t where t is earlier.
func earliest(next *time.Time, t time.Time) {
	if !t.IsZero() && (next.IsZero() || t.Before(*next)) {
		*next = t
	}
}
