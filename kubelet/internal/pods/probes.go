package pods

import (
	"context"
	"fmt"
	"io"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/kubelet/internal/probe"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// target is what probes and hooks of a container talk to.
func (a *actor) target(c *container) probe.Target {
	ip := ""
	if len(a.addresses) > 0 {
		ip = a.addresses[0].String()
	}
	return a.targetOf(c.spec, c.current.ID, ip)
}

func (a *actor) targetOf(spec *corev1.Container, id, ip string) probe.Target {
	return probe.Target{Address: ip, Container: spec, Exec: func(ctx context.Context, command []string, out io.Writer) (int, error) {
		return a.Runtime.Exec(ctx, id, runtime.ExecConfig{Command: command, Streams: runtime.Streams{Stdout: out, Stderr: out}})
	}}
}

// startProbes begins to probe a running container: its startup first, then, for the rest of its life, liveness and
// readiness.
func (a *actor) startProbes(c *container) {
	if c.probes != nil || c.spec.StartupProbe == nil && c.spec.LivenessProbe == nil && c.spec.ReadinessProbe == nil {
		return
	}
	ctx, cancel := context.WithCancel(a.ctx)
	c.probes = cancel
	if !c.startup {
		a.probe(ctx, c, c.spec.StartupProbe, "Startup")
		return
	}
	a.probe(ctx, c, c.spec.LivenessProbe, "Liveness")
	a.probe(ctx, c, c.spec.ReadinessProbe, "Readiness")
}

// probe asks until ctx ends; the startup probe until it succeeds.
func (a *actor) probe(ctx context.Context, c *container, p *corev1.Probe, name string) {
	if p == nil {
		return
	}
	w := &worker{actor: a, container: c, spec: c.spec, pod: a.pod, id: c.current.ID, probe: p, name: name, target: a.target(c), started: c.current.StartedAt}
	a.ops.Go(func() { w.run(ctx) })
}

// worker asks one container one question again and again.
type worker struct {
	*actor
	container *container
	spec      *corev1.Container
	pod       *corev1.Pod
	id        string
	probe     *corev1.Probe
	name      string
	target    probe.Target
	started   time.Time
	// successes and failures in a row; verdict is the last one told.
	successes, failures int32
	told, verdict       bool
}

func seconds(n int32, least int32) time.Duration {
	return time.Duration(max(n, least)) * time.Second
}

func (w *worker) run(ctx context.Context) {
	period := seconds(w.probe.PeriodSeconds, 1)
	delay := max(time.Until(w.started.Add(seconds(w.probe.InitialDelaySeconds, 0))), 0)
	// A container that becomes ready is found ready soon: until its first success, readiness is asked more often
	// than the period says; only what fails on the period's schedule is told as an event.
	early := 100 * time.Millisecond
	regular := time.Now().Add(delay)
	for {
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		now := time.Now()
		onTime := !now.Before(regular)
		if onTime {
			regular = now.Add(period)
		}
		if end := w.ask(ctx, onTime); end || ctx.Err() != nil {
			return
		}
		delay = time.Until(regular)
		if w.name == "Readiness" && !w.verdict && early < period {
			delay = min(delay, early)
			early *= 2
		}
		delay = max(delay, 0)
	}
}

// ask asks once and tells the actor what follows. It returns true when there is nothing more to ask.
func (w *worker) ask(ctx context.Context, onTime bool) bool {
	bounded, cancel := context.WithTimeout(ctx, seconds(w.probe.TimeoutSeconds, 1))
	defer cancel()
	message, err := probe.Do(bounded, w.probe.Handler, w.target)
	if ctx.Err() != nil {
		return true
	}
	if err == nil {
		probeResults.WithLabelValues(w.name, "successful").Inc()
		w.successes++
		w.failures = 0
		if w.successes >= max(w.probe.SuccessThreshold, 1) && (!w.told || !w.verdict) {
			w.told, w.verdict = true, true
			w.tell(true, "")
			return w.name == "Startup"
		}
		return false
	}
	if !onTime {
		return false
	}
	probeResults.WithLabelValues(w.name, "failed").Inc()
	w.successes = 0
	w.failures++
	text := err.Error()
	if w.probe.Handler.GetExec() != nil && message != "" {
		text = message
	}
	w.Events.Record(w.pod, w.spec, "Warning", "Unhealthy", "%s probe failed: %s", w.name, text)
	threshold := w.probe.FailureThreshold
	if threshold <= 0 {
		threshold = 3
	}
	if w.failures >= threshold && (!w.told || w.verdict) {
		w.told, w.verdict = true, false
		w.tell(false, text)
		return w.name != "Readiness"
	}
	return false
}

// tell brings a verdict to the actor.
func (w *worker) tell(good bool, _ string) {
	a, c := w.actor, w.container
	a.post(func() {
		if c.current == nil || c.current.ID != w.id || !c.running() {
			return
		}
		switch {
		case w.name == "Readiness":
			c.ready = good
		case good && w.name == "Startup":
			c.startup = true
			c.probes()
			c.probes = nil
			a.startProbes(c)
		case good:
		default:
			if c.stop != nil || a.stopping != nil {
				return
			}
			grace := a.graceOf(c)
			if s := w.probe.TerminationGracePeriodSeconds; s != nil {
				grace = time.Duration(*s) * time.Second
			}
			a.stopContainer(c, grace, nil, fmt.Sprintf("Container %s failed %s probe, will be restarted", c.spec.Name, lower(w.name)))
		}
	})
}

func lower(name string) string {
	if name == "Startup" {
		return "startup"
	}
	return "liveness"
}
