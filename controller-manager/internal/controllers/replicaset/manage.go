package replicaset

import (
	"context"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/writes"
)

// firstBatch and its growth bound how many creations fail before the controller notices that all of them would.
const (
	firstBatch  = 16
	batchGrowth = 8
)

// manage creates and deletes pods. The failure is for the status; the error makes the runner try again.
func (c *Controller) manage(ctx context.Context, key controller.Key, set *appsv1.ReplicaSet, d decision) (*failure, error) {
	switch {
	case d.create > 0:
		return c.create(ctx, key, set, d.create)
	case len(d.remove) > 0:
		return c.remove(ctx, key, set, d.remove)
	}
	return nil, nil
}

func (c *Controller) create(ctx context.Context, key controller.Key, set *appsv1.ReplicaSet, n int) (*failure, error) {
	// All pods are made of the same bytes.
	write := writes.Create(newPod(set))
	for batch := firstBatch; n > 0; batch *= batchGrowth {
		size := min(n, batch)
		n -= size
		all := make([]writes.Write, size)
		for i := range all {
			all[i] = write.Copy()
		}
		var failed error
		for _, o := range writes.All(ctx, c.env.Pipeline, all) {
			if o.Err == nil {
				c.Wrote(key, c.pods, o.Revision)
				c.events.Event(set, controller.Normal, "SuccessfulCreate", "Created pod: %s", o.Name)
				continue
			}
			c.unknown(ctx, key, o)
			failed = o.Err
		}
		if failed == nil {
			continue
		}
		if apierrors.HasCause(failed, apierrors.CauseNamespaceTerminating) {
			// Nothing can be created there any more; trying again would only make noise.
			return nil, nil
		}
		c.events.Event(set, controller.Warning, "FailedCreate", "Error creating: %v", failed)
		return &failure{reason: "FailedCreate", message: failed.Error()}, fmt.Errorf("creating pods: %w", failed)
	}
	return nil, nil
}

func (c *Controller) remove(ctx context.Context, key controller.Key, set *appsv1.ReplicaSet, pods []*corev1.Pod) (*failure, error) {
	all := make([]writes.Write, len(pods))
	for i, pod := range pods {
		all[i] = writes.Delete(pod, nil)
	}
	var failed error
	for i, o := range writes.All(ctx, c.env.Pipeline, all) {
		name := pods[i].GetMetadata().GetName()
		switch {
		case o.Err == nil:
			c.Wrote(key, c.pods, o.Revision)
			c.events.Event(set, controller.Normal, "SuccessfulDelete", "Deleted pod: %s", name)
		case apierrors.IsNotFound(o.Err), apierrors.IsConflict(o.Err):
			// Gone already, or replaced by another of its name; the cache is about to say so.
			c.unknown(ctx, key, o)
		default:
			c.unknown(ctx, key, o)
			failed = o.Err
			c.events.Event(set, controller.Warning, "FailedDelete", "Error deleting: %v", o.Err)
		}
	}
	if failed != nil {
		return &failure{reason: "FailedDelete", message: failed.Error()}, fmt.Errorf("deleting pods: %w", failed)
	}
	return nil, nil
}

// unknown makes the next pass wait for the server's present state where a write may have happened unseen.
func (c *Controller) unknown(ctx context.Context, key controller.Key, o writes.Outcome) {
	if !o.Unknown() && !apierrors.IsNotFound(o.Err) {
		return
	}
	page, err := client.For[*corev1.Pod](c.env.Conn).ListPage(ctx, client.ListOptions{Namespace: key.Namespace, Limit: 1})
	if err == nil {
		c.Wrote(key, c.pods, page.Revision)
	}
}

// claim adopts and releases pods. Before it adopts it makes sure that the set still exists as the cache has it: an owner
// that is gone must not get new dependents.
func (c *Controller) claim(ctx context.Context, key controller.Key, set *appsv1.ReplicaSet, d decision) error {
	var all []writes.Write
	if len(d.adopt) > 0 {
		live, err := c.client.Get(ctx, key.Namespace, key.Name)
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return fmt.Errorf("reading the set before adoption: %w", err)
		case live.GetMetadata().GetUid() != set.GetMetadata().GetUid() || live.GetMetadata().GetDeletionTimestamp() != nil:
			return nil
		}
		ref := owner.NewControllerRef("apps/v1", kind, set.GetMetadata())
		for _, pod := range d.adopt {
			all = append(all, withOwners(pod, append(owner.Without(pod.GetMetadata().GetOwnerReferences(), ref.GetUid()), ref)))
		}
	}
	for _, pod := range d.release {
		all = append(all, withOwners(pod, owner.Without(pod.GetMetadata().GetOwnerReferences(), set.GetMetadata().GetUid())))
	}
	var failed error
	for _, o := range writes.All(ctx, c.env.Pipeline, all) {
		switch {
		case o.Err == nil:
			c.Wrote(key, c.pods, o.Revision)
		case apierrors.IsNotFound(o.Err):
		default:
			failed = o.Err
		}
	}
	return failed
}

func withOwners(pod *corev1.Pod, refs []*metav1.OwnerReference) writes.Write {
	changed := proto.CloneOf(pod)
	changed.Metadata.OwnerReferences = refs
	return writes.Update(changed)
}
