package cronjob

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // schedules may name any time zone, whatever the machine has

	"github.com/keelson/keelson/proto/apierrors"
	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/controllers/job"
	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/writes"
)

// Name of the controller.
const Name = "cronjob"

const (
	workers = 5
	// slack lets clocks differ a little: a Job is made just after its time, never just before.
	slack = 100 * time.Millisecond
)

// Controller reconciles CronJobs.
type Controller struct {
	*controller.Runner[controller.Key]
	env    *controller.Env
	events controller.Recorder
	crons  *informer.Informer[*batchv1.CronJob]
	jobs   *informer.Informer[*batchv1.Job]
	client *client.Client[*batchv1.CronJob]
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	c := &Controller{
		env: env, events: env.Recorder("cronjob-controller"),
		crons: caches.Of[*batchv1.CronJob](env.Caches), jobs: caches.Of[*batchv1.Job](env.Caches),
		client: client.For[*batchv1.CronJob](env.Conn),
	}
	c.Runner = controller.RunnerOf[controller.Key](env, Name, workers, c.crons, c.jobs)
	c.crons.OnEvent(func(e informer.Event[*batchv1.CronJob]) { c.Add(controller.KeyOf(e.Object())) })
	c.jobs.OnEvent(func(e informer.Event[*batchv1.Job]) {
		for _, j := range []*batchv1.Job{e.Old, e.New} {
			if ref := owner.ControllerOf(j.GetMetadata()); ref.GetKind() == "CronJob" {
				c.Add(controller.Key{Namespace: j.GetMetadata().GetNamespace(), Name: ref.GetName()})
			}
		}
	})
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// Reconcile makes the Job that is due, clears the history, and writes the status.
func (c *Controller) Reconcile(ctx context.Context, key controller.Key) error {
	cj, ok := c.crons.Get(key.Namespace, key.Name)
	if !ok {
		return nil
	}
	jobs := c.jobs.ByIndex(caches.Controller, cj.GetMetadata().GetUid())
	status := observe(cj, jobs, func(warning bool, reason, message string) {
		kind := controller.Normal
		if warning {
			kind = controller.Warning
		}
		c.events.Event(cj, kind, reason, "%s", message)
	})
	err := c.clear(ctx, key, cj, jobs)
	if cj.GetMetadata().GetDeletionTimestamp() == nil && !cj.GetSpec().GetSuspend() {
		err = errors.Join(err, c.schedule(ctx, key, cj, jobs, status))
	}
	if proto.Equal(status, cj.GetStatus()) {
		return err
	}
	written, statusErr := c.client.UpdateStatus(ctx, &batchv1.CronJob{Metadata: cj.GetMetadata(), Spec: cj.GetSpec(), Status: status})
	if statusErr == nil {
		c.Wrote(key, c.crons, client.Revision(written))
	} else if !apierrors.IsNotFound(statusErr) {
		err = errors.Join(err, fmt.Errorf("updating the status: %w", statusErr))
	}
	return err
}

// schedule makes the Job whose time has come and notes it in the status.
func (c *Controller) schedule(ctx context.Context, key controller.Key, cj *batchv1.CronJob, jobs []*batchv1.Job, status *batchv1.CronJobStatus) error {
	spec, now := cj.GetSpec(), c.env.Now()
	if zone := spec.TimeZone; zone != nil {
		if _, err := time.LoadLocation(*zone); err != nil {
			c.events.Event(cj, controller.Warning, "UnknownTimeZone", "invalid timeZone: %q: %s", *zone, err)
			return nil
		}
	}
	times, err := parse(cj)
	if err != nil {
		c.events.Event(cj, controller.Warning, "UnparseableSchedule", "unparseable schedule: %q : %s", spec.GetSchedule(), err)
		return nil
	}
	m, err := at(cj, times, now)
	if err != nil {
		c.events.Event(cj, controller.Warning, "InvalidSchedule", "invalid schedule: %s : %s", spec.GetSchedule(), err)
		return nil
	}
	c.AddAfter(key, m.next.Sub(now)+slack)
	if m.due.IsZero() || m.due.Equal(apitime.Go(status.GetLastScheduleTime())) {
		return nil
	}
	if m.missed > manyMissed {
		c.events.Event(cj, controller.Warning, "TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew")
	}
	if tooLate(cj, m.due, now) {
		c.events.Event(cj, controller.Warning, "MissSchedule", "Missed scheduled time to start a job: %s", m.due.UTC().Format(time.RFC1123Z))
		return nil
	}
	made := slices.ContainsFunc(jobs, func(j *batchv1.Job) bool { return j.GetMetadata().GetName() == nameAt(cj, m.due) })
	if !made && len(status.GetActive()) > 0 {
		switch spec.GetConcurrencyPolicy() {
		case forbid:
			c.events.Event(cj, controller.Normal, "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid")
			return nil
		case replace:
			if err := c.replace(ctx, key, cj, jobs, status); err != nil {
				return err
			}
		}
	}
	return c.make(ctx, key, cj, m.due, status)
}

// make creates the Job for a time. One that is there already was made before this process could note it.
func (c *Controller) make(ctx context.Context, key controller.Key, cj *batchv1.CronJob, due time.Time, status *batchv1.CronJobStatus) error {
	clients := client.For[*batchv1.Job](c.env.Conn)
	made, err := clients.Create(ctx, jobAt(cj, due))
	switch {
	case err == nil:
		c.events.Event(cj, controller.Normal, "SuccessfulCreate", "Created job %s", made.GetMetadata().GetName())
	case apierrors.IsAlreadyExists(err):
		made, err = clients.Get(ctx, key.Namespace, nameAt(cj, due))
		if err != nil {
			return fmt.Errorf("reading the job of a name that is taken: %w", err)
		}
		if owner.ControllerUID(made.GetMetadata()) != cj.GetMetadata().GetUid() {
			return nil
		}
	case apierrors.HasCause(err, apierrors.CauseNamespaceTerminating):
		return nil
	default:
		c.events.Event(cj, controller.Warning, "FailedCreate", "Error creating job: %v", err)
		return fmt.Errorf("creating a job: %w", err)
	}
	c.Wrote(key, c.jobs, client.Revision(made))
	known := slices.ContainsFunc(status.GetActive(), func(r *corev1.ObjectReference) bool { return r.GetUid() == made.GetMetadata().GetUid() })
	if _, over := job.Finished(made); !over && !known {
		status.Active = append(status.Active, refTo(made))
	}
	status.LastScheduleTime = apitime.Of(due)
	return nil
}

// replace deletes the Jobs that still run.
func (c *Controller) replace(ctx context.Context, key controller.Key, cj *batchv1.CronJob, jobs []*batchv1.Job, status *batchv1.CronJobStatus) error {
	running := slices.DeleteFunc(slices.Clone(jobs), func(j *batchv1.Job) bool {
		_, over := job.Finished(j)
		return over
	})
	if err := c.remove(ctx, key, cj, running); err != nil {
		return err
	}
	status.Active = nil
	return nil
}

// clear deletes what is beyond the limits of the history.
func (c *Controller) clear(ctx context.Context, key controller.Key, cj *batchv1.CronJob, jobs []*batchv1.Job) error {
	return c.remove(ctx, key, cj, surplus(cj, jobs))
}

func (c *Controller) remove(ctx context.Context, key controller.Key, cj *batchv1.CronJob, jobs []*batchv1.Job) error {
	var all []writes.Write
	for _, j := range jobs {
		all = append(all, writes.Delete(j, &metav1.DeleteOptions{PropagationPolicy: proto.String(client.Background)}))
	}
	var failed error
	for i, o := range writes.All(ctx, c.env.Pipeline, all) {
		name := jobs[i].GetMetadata().GetName()
		switch {
		case o.Err == nil:
			c.Wrote(key, c.jobs, o.Revision)
			c.events.Event(cj, controller.Normal, "SuccessfulDelete", "Deleted job %s", name)
		case apierrors.IsNotFound(o.Err), apierrors.IsConflict(o.Err):
		default:
			c.events.Event(cj, controller.Warning, "FailedDelete", "Deleted job: %v", o.Err)
			failed = fmt.Errorf("deleting job %s: %w", name, o.Err)
		}
	}
	return failed
}
