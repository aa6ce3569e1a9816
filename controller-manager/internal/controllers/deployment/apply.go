package deployment

import (
	"context"
	"errors"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/writes"
)

// apply writes a decision: first what changes pods, then what tells about it.
func (c *Controller) apply(ctx context.Context, key controller.Key, d *appsv1.Deployment, out decision) error {
	if out.create != nil {
		if err := c.create(ctx, key, d, out.create); err != nil {
			return err
		}
	}
	if err := c.resizeAndRemove(ctx, key, out); err != nil {
		return err
	}
	for _, r := range out.scaled {
		c.events.Event(d, controller.Normal, "ScalingReplicaSet", "%s", r)
	}
	return c.setStatus(ctx, key, d, out.status, out.revision)
}

// create stores the ReplicaSet of a new template. Where its name is taken by another template the hash is changed, which
// the status remembers.
func (c *Controller) create(ctx context.Context, key controller.Key, d *appsv1.Deployment, rs *appsv1.ReplicaSet) error {
	o := writes.One(ctx, c.env.Pipeline, writes.Create(rs))
	switch {
	case o.Err == nil:
		c.Wrote(key, c.sets, o.Revision)
		return nil
	case apierrors.IsAlreadyExists(o.Err):
		return c.collided(ctx, key, d, rs)
	case apierrors.HasCause(o.Err, apierrors.CauseNamespaceTerminating):
		return nil
	}
	message := fmt.Sprintf("Failed to create new replica set %q: %v", rs.GetMetadata().GetName(), o.Err)
	c.events.Event(d, controller.Warning, reasonFailedCreate, "%s", message)
	r := newRollout(state{d: d, now: c.env.Now()})
	if r.hasDeadline() {
		status := proto.CloneOf(d.GetStatus())
		if status == nil {
			status = &appsv1.DeploymentStatus{}
		}
		status.Conditions = r.conds.set(progressing(r.now, statusFalse, reasonFailedCreate, message))
		if err := c.setStatus(ctx, key, d, status, ""); err != nil {
			return err
		}
	}
	return fmt.Errorf("creating replica set %s: %w", rs.GetMetadata().GetName(), o.Err)
}

// errCollision makes the runner try again at once, with the raised collision count.
var errCollision = errors.New("the name is taken by another template; trying another hash")

// collided handles a name that is taken: by our own earlier attempt, whose answer was lost, or by another template of
// the same hash.
func (c *Controller) collided(ctx context.Context, key controller.Key, d *appsv1.Deployment, rs *appsv1.ReplicaSet) error {
	taken, err := client.For[*appsv1.ReplicaSet](c.env.Conn).Get(ctx, rs.GetMetadata().GetNamespace(), rs.GetMetadata().GetName())
	if err != nil {
		return fmt.Errorf("reading the replica set whose name is taken: %w", err)
	}
	if owner.ControllerUID(taken.GetMetadata()) == d.GetMetadata().GetUid() &&
		sameTemplate(taken.GetSpec().GetTemplate(), d.GetSpec().GetTemplate()) {
		c.Wrote(key, c.sets, client.Revision(taken))
		return nil
	}
	status := proto.CloneOf(d.GetStatus())
	if status == nil {
		status = &appsv1.DeploymentStatus{}
	}
	status.CollisionCount = proto.Int32(status.GetCollisionCount() + 1)
	if err := c.setStatus(ctx, key, d, status, ""); err != nil {
		return err
	}
	return apierrors.NewConflict("apps", "replicasets", rs.GetMetadata().GetName(), errCollision)
}

func (c *Controller) resizeAndRemove(ctx context.Context, key controller.Key, out decision) error {
	all := make([]writes.Write, 0, len(out.update)+len(out.remove))
	for _, rs := range out.update {
		all = append(all, writes.Update(rs))
	}
	for _, rs := range out.remove {
		all = append(all, writes.Delete(rs, nil))
	}
	var failed error
	for _, o := range writes.All(ctx, c.env.Pipeline, all) {
		switch {
		case o.Err == nil:
			c.Wrote(key, c.sets, o.Revision)
		case apierrors.IsNotFound(o.Err):
		default:
			failed = o.Err
		}
	}
	if failed != nil {
		return fmt.Errorf("scaling replica sets: %w", failed)
	}
	return nil
}

// setStatus writes the status, and with it the revision where that is another one: a status write carries annotations, and
// only there do other annotations not raise the generation. Where somebody has changed the Deployment since it was read the
// error is a conflict, so that no spec is called observed and no annotation taken back.
func (c *Controller) setStatus(ctx context.Context, key controller.Key, d *appsv1.Deployment, status *appsv1.DeploymentStatus, revision string) error {
	if revision == "" && proto.Equal(status, d.GetStatus()) {
		return nil
	}
	changed := proto.CloneOf(d)
	changed.Status = status
	if revision != "" {
		if changed.Metadata.Annotations == nil {
			changed.Metadata.Annotations = map[string]string{}
		}
		changed.Metadata.Annotations[annotationRevision] = revision
	}
	written, err := c.client.UpdateStatus(ctx, changed)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("updating the status: %w", err)
	}
	c.Wrote(key, c.deployments, client.Revision(written))
	return nil
}

// reassign writes adoptions and releases.
func (c *Controller) reassign(ctx context.Context, key controller.Key, d *appsv1.Deployment, adopt, release []*appsv1.ReplicaSet) error {
	ref := owner.NewControllerRef("apps/v1", kind, d.GetMetadata())
	var all []writes.Write
	change := func(rs *appsv1.ReplicaSet, refs []*metav1.OwnerReference) {
		changed := proto.CloneOf(rs)
		changed.Metadata.OwnerReferences = refs
		all = append(all, writes.Update(changed))
	}
	for _, rs := range adopt {
		change(rs, append(owner.Without(rs.GetMetadata().GetOwnerReferences(), ref.GetUid()), ref))
	}
	for _, rs := range release {
		change(rs, owner.Without(rs.GetMetadata().GetOwnerReferences(), ref.GetUid()))
	}
	var failed error
	for _, o := range writes.All(ctx, c.env.Pipeline, all) {
		switch {
		case o.Err == nil:
			c.Wrote(key, c.sets, o.Revision)
		case apierrors.IsNotFound(o.Err):
		default:
			failed = o.Err
		}
	}
	return failed
}
