// Package ttlafterfinished deletes Jobs some time after they have ended: spec.ttlSecondsAfterFinished.
//
// It reads Jobs, and deletes them in the foreground: their pods go with them, first.
package ttlafterfinished

import (
	"context"
	"fmt"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/controllers/job"
)

// Name of the controller.
const Name = "ttlafterfinished"

const workers = 4

// Controller reconciles Jobs that have ended.
type Controller struct {
	*controller.Runner[controller.Key]
	env    *controller.Env
	jobs   *informer.Informer[*batchv1.Job]
	client *client.Client[*batchv1.Job]
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	c := &Controller{env: env, jobs: caches.Of[*batchv1.Job](env.Caches), client: client.For[*batchv1.Job](env.Conn)}
	c.Runner = controller.RunnerOf[controller.Key](env, Name, workers, c.jobs)
	c.jobs.OnEvent(func(e informer.Event[*batchv1.Job]) {
		if e.Type == informer.Deleted {
			return
		}
		if _, ok := expiry(e.New); ok {
			c.Add(controller.KeyOf(e.New))
		}
	})
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// expiry is when a Job is to go; false where it stays.
func expiry(j *batchv1.Job) (time.Time, bool) {
	ttl := j.GetSpec().TtlSecondsAfterFinished
	end, over := job.Finished(j)
	if ttl == nil || !over || j.GetMetadata().GetDeletionTimestamp() != nil {
		return time.Time{}, false
	}
	return apitime.Go(end.GetLastTransitionTime()).Add(time.Duration(*ttl) * time.Second), true
}

// Reconcile deletes one Job if its time has come. The server is asked for the Job as it is now: somebody may just have
// given it more time.
func (c *Controller) Reconcile(ctx context.Context, key controller.Key) error {
	cached, ok := c.jobs.Get(key.Namespace, key.Name)
	if !ok || c.later(key, cached) {
		return nil
	}
	live, err := c.client.Get(ctx, key.Namespace, key.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading a job that has expired: %w", err)
	}
	if c.later(key, live) {
		return nil
	}
	m := live.GetMetadata()
	err = c.client.Delete(ctx, key.Namespace, key.Name, client.DeleteOptions{
		PropagationPolicy: client.Foreground,
		Preconditions:     &metav1.Preconditions{Uid: proto.String(m.GetUid()), ResourceVersion: proto.String(m.GetResourceVersion())},
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting a job that has expired: %w", err)
	}
	return nil
}

// later reports whether the Job stays for now, and makes sure that it is looked at again when it may go.
func (c *Controller) later(key controller.Key, j *batchv1.Job) bool {
	at, ok := expiry(j)
	if !ok {
		return true
	}
	left := at.Sub(c.env.Now())
	if left > 0 {
		c.AddAfter(key, left)
	}
	return left > 0
}
