package job

import (
	"context"
	"errors"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/podset"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/selector"
)

// Name of the controller.
const Name = "job"

const workers = 16

// Controller reconciles Jobs.
type Controller struct {
	*podset.Keeper[*batchv1.Job]
	strays *strays
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	k := podset.New(env, podset.Options[*batchv1.Job]{
		Name: Name, Component: "job-controller", Workers: workers,
		Selector: func(job *batchv1.Job) (selector.Selector, error) {
			return selector.Compile(job.GetSpec().GetSelector())
		},
	})
	return &Controller{Keeper: k, strays: newStrays(k)}
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.Runner.Run(ctx, c.Reconcile) })
	g.Go(func() error { return c.strays.Run(ctx) })
	return g.Wait()
}

// Reconcile moves one Job on.
func (c *Controller) Reconcile(ctx context.Context, key controller.Key) error {
	job, ok := c.Owners.Get(key.Namespace, key.Name)
	if !ok || elsewhere(job) {
		return nil
	}
	if _, over := Finished(job); over {
		return nil
	}
	sel, err := selector.Compile(job.GetSpec().GetSelector())
	if err != nil || sel.Everything() || sel.Nothing() {
		c.Log().Warn("the selector selects nothing or everything, ignoring the job", zap.Stringer("key", key), zap.Error(err))
		return nil
	}
	claim := podset.Sort(job.GetMetadata(), c.Candidates(job), sel, nil)
	if claim.Changes() {
		return c.Apply(ctx, key, job, claim, finalizer)
	}
	t := count(job, claim.Owned, c.Env.Now())
	if t.status.GetStartTime() == nil && !isSuspended(job) {
		t.status.StartTime = apitime.Of(t.now)
	}
	if wait := t.judge(); wait > 0 {
		c.AddAfter(key, wait)
	}
	managed := c.manage(ctx, key, t)
	return errors.Join(managed, c.track(ctx, key, t))
}

// manage creates and deletes pods, and finds out whether the Job has thereby come to its end.
func (c *Controller) manage(ctx context.Context, key controller.Key, t *tally) error {
	if t.end != nil {
		// Their finalizers stay until they are counted.
		return c.remove(ctx, key, t, t.active)
	}
	if t.job.GetMetadata().GetDeletionTimestamp() != nil {
		return nil
	}
	w := t.want()
	if w.wait > 0 {
		c.AddAfter(key, w.wait)
	}
	err := c.fulfil(ctx, key, t, w)
	if err == nil && t.reached() {
		t.end = condition(successCriteriaMet, statusTrue, reasonCompletions, "Reached expected number of succeeded pods", t.now)
		return nil
	}
	c.tellSuspension(t)
	return err
}

func (c *Controller) fulfil(ctx context.Context, key controller.Key, t *tally, w wish) error {
	if len(w.remove) > 0 {
		// Without the finalizer they do not count as failures.
		if _, err := c.DropFinalizer(ctx, key, w.remove, finalizer); err != nil {
			return err
		}
		return c.remove(ctx, key, t, w.remove)
	}
	if w.number+len(w.indexes) == 0 {
		return nil
	}
	pod := newPod(t.job)
	var made int
	var err error
	if isIndexed(t.job) {
		pods := make([]*corev1.Pod, len(w.indexes))
		for i, index := range w.indexes {
			pods[i] = t.withIndex(pod, index)
		}
		made, _, err = c.Create(ctx, key, t.job, pods)
	} else {
		made, _, err = c.CreateCopies(ctx, key, t.job, pod, w.number)
	}
	t.running += made
	return err
}

// remove deletes active pods and moves them from one count to the other.
func (c *Controller) remove(ctx context.Context, key controller.Key, t *tally, pods []*corev1.Pod) error {
	removed, _, err := c.Remove(ctx, key, t.job, pods)
	t.running -= removed
	t.terminating += removed
	if err != nil {
		// The next pass sees which ones are left.
		return err
	}
	for _, pod := range pods {
		if podstate.Ready(pod) {
			t.ready--
		}
	}
	return nil
}

// tellSuspension keeps the condition Suspended. A Job that goes on starts its clock anew.
func (c *Controller) tellSuspension(t *tally) {
	if isSuspended(t.job) {
		if t.set(condition(suspended, statusTrue, "JobSuspended", "Job suspended", t.now)) {
			c.Events.Event(t.job, controller.Normal, "Suspended", "Job suspended")
			t.status.StartTime = nil
		}
		return
	}
	if t.set(condition(suspended, statusFalse, "JobResumed", "Job resumed", t.now)) {
		c.Events.Event(t.job, controller.Normal, "Resumed", "Job resumed")
		t.status.StartTime = apitime.Of(t.now)
	}
}

// track books pods that ended, and ends the Job when it is time.
func (c *Controller) track(ctx context.Context, key controller.Key, t *tally) error {
	t.status.Active, t.status.Ready = int32(t.running), proto.Int32(int32(min(t.ready, t.running)))
	t.status.Terminating = proto.Int32(int32(t.terminating))
	ended, all := t.book()
	if t.end != nil {
		t.set(t.end)
	}
	job, err := c.write(ctx, key, t.job, t.status)
	if err != nil {
		return err
	}
	done, err := c.DropFinalizer(ctx, key, ended, finalizer)
	t.settle(func(uid string) bool {
		for _, pod := range ended {
			if pod.GetMetadata().GetUid() == uid {
				return !done[uid]
			}
		}
		// Of pods whose finalizer stays, for whatever reason, nothing is known to have changed.
		return true
	})
	if err != nil {
		_, statusErr := c.write(ctx, key, job, t.status)
		return errors.Join(err, statusErr)
	}
	var last *batchv1.JobCondition
	if all {
		last = t.finish()
	}
	if _, err := c.write(ctx, key, job, t.status); err != nil {
		return err
	}
	c.tellEnd(t, last)
	return nil
}

// write stores a status on top of what was stored last; a Job that another wrote meanwhile is looked at again.
func (c *Controller) write(ctx context.Context, key controller.Key, job *batchv1.Job, s *batchv1.JobStatus) (*batchv1.Job, error) {
	return c.WriteStatus(ctx, key, job, &batchv1.Job{Metadata: job.GetMetadata(), Spec: job.GetSpec(), Status: proto.CloneOf(s)})
}

func (c *Controller) tellEnd(t *tally, last *batchv1.JobCondition) {
	switch {
	case last == nil:
	case last.GetType() == failed:
		c.Events.Event(t.job, controller.Warning, last.GetReason(), "%s", last.GetMessage())
	default:
		if n, ok := completions(t.job); ok && int(t.status.GetSucceeded()) > n {
			c.Events.Event(t.job, controller.Warning, "TooManySucceededPods", "Too many succeeded pods running after completion count reached")
		}
		c.Events.Event(t.job, controller.Normal, "Completed", "Job completed")
	}
}
