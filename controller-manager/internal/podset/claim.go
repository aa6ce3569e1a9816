package podset

import (
	"context"
	"fmt"
	"slices"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/selector"
	"github.com/keelson/keelson/controller-manager/internal/writes"
)

// Claim sorts pods out: Owned are those that the object controls and selects, Adopt and Release what has to change first.
type Claim struct {
	Owned, Adopt, Release []*corev1.Pod
}

// Changes reports whether pods have to be adopted or released. Their number is about to change, so a controller does
// that first, and counts in its next pass.
func (c Claim) Changes() bool { return len(c.Adopt)+len(c.Release) > 0 }

// Candidates are the pods that an object controls and the orphans of its namespace.
func (k *Keeper[T]) Candidates(obj T) []*corev1.Pod {
	m := obj.GetMetadata()
	return append(k.Pods.ByIndex(caches.Controller, m.GetUid()), k.Pods.ByIndex(caches.Orphan, m.GetNamespace())...)
}

// Sort decides about pods that pass the filter, nil for all.
func Sort(m *metav1.ObjectMeta, pods []*corev1.Pod, sel selector.Selector, filter func(*corev1.Pod) bool) Claim {
	var c Claim
	for _, pod := range pods {
		if filter != nil && !filter(pod) {
			continue
		}
		switch owner.Decide(m, pod.GetMetadata(), sel.Matches(pod.GetMetadata().GetLabels())) {
		case owner.Keep:
			c.Owned = append(c.Owned, pod)
		case owner.Adopt:
			c.Adopt = append(c.Adopt, pod)
		case owner.Release:
			c.Release = append(c.Release, pod)
		}
	}
	return c
}

// Apply adopts and releases pods; finalizers are given to adopted pods and taken from released ones. Before it adopts it
// makes sure that the object still exists as the cache has it: an owner that is gone must not get new dependents.
func (k *Keeper[T]) Apply(ctx context.Context, key controller.Key, obj T, c Claim, finalizers ...string) error {
	m := obj.GetMetadata()
	var all []writes.Write
	if len(c.Adopt) > 0 {
		alive, err := k.alive(ctx, m)
		if err != nil || !alive {
			return err
		}
		ref := owner.NewControllerRef(k.kind.APIVersion(), k.kind.Kind, m)
		for _, pod := range c.Adopt {
			changed := proto.CloneOf(pod)
			changed.Metadata.OwnerReferences = append(owner.Without(changed.Metadata.OwnerReferences, ref.GetUid()), ref)
			for _, f := range finalizers {
				if !slices.Contains(changed.Metadata.Finalizers, f) {
					changed.Metadata.Finalizers = append(changed.Metadata.Finalizers, f)
				}
			}
			all = append(all, writes.Update(changed))
		}
	}
	for _, pod := range c.Release {
		changed := proto.CloneOf(pod)
		changed.Metadata.OwnerReferences = owner.Without(changed.Metadata.OwnerReferences, m.GetUid())
		changed.Metadata.Finalizers = slices.DeleteFunc(changed.Metadata.Finalizers, func(f string) bool { return slices.Contains(finalizers, f) })
		all = append(all, writes.Update(changed))
	}
	var failed error
	for _, o := range writes.All(ctx, k.Env.Pipeline, all) {
		switch {
		case o.Err == nil:
			k.Wrote(key, k.Pods, o.Revision)
		case apierrors.IsNotFound(o.Err):
		default:
			failed = o.Err
		}
	}
	return failed
}

func (k *Keeper[T]) alive(ctx context.Context, m *metav1.ObjectMeta) (bool, error) {
	live, err := k.Client.Get(ctx, m.GetNamespace(), m.GetName())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the %s before adoption: %w", k.kind.Kind, err)
	}
	return live.GetMetadata().GetUid() == m.GetUid() && live.GetMetadata().GetDeletionTimestamp() == nil, nil
}

// CatchUp makes the next pass wait for the server's present state where a write may have happened unseen.
func (k *Keeper[T]) CatchUp(ctx context.Context, key controller.Key, o writes.Outcome) {
	if !o.Unknown() && !apierrors.IsNotFound(o.Err) && !apierrors.IsAlreadyExists(o.Err) {
		return
	}
	page, err := client.For[*corev1.Pod](k.Env.Conn).ListPage(ctx, client.ListOptions{Namespace: key.Namespace, Limit: 1})
	if err == nil {
		k.Wrote(key, k.Pods, page.Revision)
	}
}
