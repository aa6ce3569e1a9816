package job

import (
	"context"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/informer"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/podset"
	"github.com/keelson/keelson/controller-manager/internal/writes"
)

// strays takes the finalizer off pods that no Job counts any more: their Job is gone or over, or they have none. Without
// it they would never go.
type strays struct {
	*controller.Runner[controller.Key]
	keeper *podset.Keeper[*batchv1.Job]
}

func newStrays(k *podset.Keeper[*batchv1.Job]) *strays {
	s := &strays{keeper: k, Runner: controller.RunnerOf[controller.Key](k.Env, Name+"-strays", 4, k.Owners, k.Pods)}
	k.Pods.OnEvent(func(e informer.Event[*corev1.Pod]) {
		if e.Type != informer.Deleted && tracked(e.New) && s.stray(e.New) {
			s.Add(controller.KeyOf(e.New))
		}
	})
	k.Owners.OnEvent(func(e informer.Event[*batchv1.Job]) {
		job := e.Object()
		if _, over := Finished(job); !over && e.Type != informer.Deleted {
			return
		}
		for _, pod := range k.Pods.ByIndex(caches.Controller, job.GetMetadata().GetUid()) {
			if tracked(pod) {
				s.Add(controller.KeyOf(pod))
			}
		}
	})
	return s
}

// Run works until ctx ends.
func (s *strays) Run(ctx context.Context) error { return s.Runner.Run(ctx, s.reconcile) }

// stray reports whether no Job is going to count the pod, as far as the cache knows.
func (s *strays) stray(pod *corev1.Pod) bool {
	ref := owner.ControllerOf(pod.GetMetadata())
	if ref == nil {
		return true
	}
	if !s.keeper.Is(ref) {
		return false
	}
	job, ok := s.keeper.Owners.Get(pod.GetMetadata().GetNamespace(), ref.GetName())
	if !ok || job.GetMetadata().GetUid() != ref.GetUid() {
		return true
	}
	_, over := Finished(job)
	return over && !elsewhere(job)
}

func (s *strays) reconcile(ctx context.Context, key controller.Key) error {
	pod, ok := s.keeper.Pods.Get(key.Namespace, key.Name)
	if !ok || !tracked(pod) || !s.stray(pod) {
		return nil
	}
	// The pod's cache may be ahead of the Jobs': only the server can say that a Job is not there.
	if ref := owner.ControllerOf(pod.GetMetadata()); ref != nil {
		job, err := s.keeper.Client.Get(ctx, key.Namespace, ref.GetName())
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return fmt.Errorf("looking for the job of a pod: %w", err)
		case job.GetMetadata().GetUid() == ref.GetUid():
			if _, over := Finished(job); !over || elsewhere(job) {
				return nil
			}
		}
	}
	o := writes.One(ctx, s.keeper.Env.Pipeline, podset.DropFinalizer(pod, finalizer))
	if o.Err != nil && !apierrors.IsNotFound(o.Err) && !apierrors.IsConflict(o.Err) {
		return fmt.Errorf("removing the finalizer of a pod: %w", o.Err)
	}
	s.Wrote(key, s.keeper.Pods, o.Revision)
	return nil
}
