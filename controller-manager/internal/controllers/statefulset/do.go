package statefulset

import (
	"context"
	"errors"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/writes"
)

// do carries a decision out.
func (c *Controller) do(ctx context.Context, key controller.Key, set *appsv1.StatefulSet, d decision) error {
	var failed error
	for _, pod := range append(d.claims, d.create...) {
		failed = errors.Join(failed, c.ensureClaims(ctx, key, set, pod))
	}
	if failed != nil {
		return failed
	}
	for _, pod := range d.scaled {
		failed = errors.Join(failed, c.handClaims(ctx, key, set, pod))
	}
	if failed != nil {
		return failed
	}
	var all []writes.Write
	var verbs []string
	var pods []*corev1.Pod
	add := func(verb string, pod *corev1.Pod, w writes.Write) {
		all, verbs, pods = append(all, w), append(verbs, verb), append(pods, pod)
	}
	for _, pod := range d.create {
		add("create", pod, writes.Create(pod))
	}
	for _, pod := range d.remove {
		add("delete", pod, writes.Delete(pod, nil))
	}
	for _, pod := range d.adjust {
		changed := proto.CloneOf(pod)
		_, ordinal, _ := ordinalOf(changed.GetMetadata().GetName())
		identify(changed.Metadata, ordinal)
		add("update", pod, writes.Update(changed))
	}
	for i, o := range writes.All(ctx, c.Env.Pipeline, all) {
		failed = errors.Join(failed, c.settle(ctx, key, set, verbs[i], pods[i], o))
	}
	return failed
}

// settle books the outcome of one write of a pod.
func (c *Controller) settle(ctx context.Context, key controller.Key, set *appsv1.StatefulSet, verb string, pod *corev1.Pod, o writes.Outcome) error {
	name := pod.GetMetadata().GetName()
	reason := map[string]string{"create": "Create", "delete": "Delete", "update": "Update"}[verb]
	switch {
	case o.Err == nil:
		c.Wrote(key, c.Pods, o.Revision)
		c.Events.Event(set, controller.Normal, "Successful"+reason, "%s Pod %s in StatefulSet %s successful", verb, name, set.GetMetadata().GetName())
		return nil
	case verb == "delete" && (apierrors.IsNotFound(o.Err) || apierrors.IsConflict(o.Err)), verb == "update" && apierrors.IsNotFound(o.Err):
		c.CatchUp(ctx, key, o)
		return nil
	case apierrors.HasCause(o.Err, apierrors.CauseNamespaceTerminating):
		return nil
	}
	c.CatchUp(ctx, key, o)
	c.Events.Event(set, controller.Warning, "Failed"+reason, "%s Pod %s in StatefulSet %s failed error: %v", verb, name, set.GetMetadata().GetName(), o.Err)
	return fmt.Errorf("%s pod %s: %w", verb, name, o.Err)
}

// ensureClaims creates the claims of a pod that do not exist. They come before the pod, which needs them.
func (c *Controller) ensureClaims(ctx context.Context, key controller.Key, set *appsv1.StatefulSet, pod *corev1.Pod) error {
	var all []writes.Write
	var names []string
	for _, claim := range claimsOf(set, pod) {
		name := claim.GetMetadata().GetName()
		have, ok := c.claims.Get(key.Namespace, name)
		if ok && have.GetMetadata().GetDeletionTimestamp() != nil {
			return fmt.Errorf("claim %s of pod %s is being deleted", name, pod.GetMetadata().GetName())
		}
		if !ok {
			all, names = append(all, writes.Create(claim)), append(names, name)
		}
	}
	var failed error
	for i, o := range writes.All(ctx, c.Env.Pipeline, all) {
		switch {
		case o.Err == nil:
			c.Wrote(key, c.claims, o.Revision)
			c.Events.Event(set, controller.Normal, "SuccessfulCreate", "create Claim %s Pod %s in StatefulSet %s success",
				names[i], pod.GetMetadata().GetName(), set.GetMetadata().GetName())
		case apierrors.IsAlreadyExists(o.Err), apierrors.HasCause(o.Err, apierrors.CauseNamespaceTerminating):
		default:
			c.Events.Event(set, controller.Warning, "FailedCreate", "create Claim %s for Pod %s in StatefulSet %s failed error: %v",
				names[i], pod.GetMetadata().GetName(), set.GetMetadata().GetName(), o.Err)
			failed = errors.Join(failed, fmt.Errorf("creating claim %s: %w", names[i], o.Err))
		}
	}
	return failed
}

// handClaims gives the claims of a pod that is scaled away to that pod, where they are to go with it.
func (c *Controller) handClaims(ctx context.Context, key controller.Key, set *appsv1.StatefulSet, pod *corev1.Pod) error {
	if set.GetSpec().GetPersistentVolumeClaimRetentionPolicy().GetWhenScaled() != "Delete" {
		return nil
	}
	var all []writes.Write
	for _, t := range set.GetSpec().GetVolumeClaimTemplates() {
		have, ok := c.claims.Get(key.Namespace, claimName(t, pod.GetMetadata().GetName()))
		if !ok {
			continue
		}
		changed := proto.CloneOf(have)
		changed.Metadata.OwnerReferences = claimOwners(set, pod, have.GetMetadata().GetOwnerReferences(), true)
		if !proto.Equal(changed, have) {
			all = append(all, writes.Update(changed))
		}
	}
	var failed error
	for _, o := range writes.All(ctx, c.Env.Pipeline, all) {
		if o.Err != nil && !apierrors.IsNotFound(o.Err) {
			failed = errors.Join(failed, fmt.Errorf("handing a claim over: %w", o.Err))
		} else if o.Err == nil {
			c.Wrote(key, c.claims, o.Revision)
		}
	}
	return failed
}
