package podset

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
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

// Burst is the most pods that one pass should create or delete, so that one huge object does not hold a worker and the
// server's queue for long.
const Burst = 500

// Failure is why pods could not be created or deleted, for a status.
type Failure struct {
	Reason  string // FailedCreate or FailedDelete
	Message string
}

// NewPod makes a pod of an object's template, controlled by the object. The server completes its name.
func NewPod(obj client.Object, template *corev1.PodTemplateSpec) *corev1.Pod {
	m, kind := obj.GetMetadata(), client.KindOf(obj)
	t := proto.CloneOf(template)
	if t.Spec == nil {
		t.Spec = &corev1.PodSpec{}
	}
	return &corev1.Pod{
		Metadata: &metav1.ObjectMeta{
			Namespace:       m.GetNamespace(),
			GenerateName:    m.GetName() + "-",
			Labels:          t.GetMetadata().GetLabels(),
			Annotations:     t.GetMetadata().GetAnnotations(),
			Finalizers:      t.GetMetadata().GetFinalizers(),
			OwnerReferences: []*metav1.OwnerReference{owner.NewControllerRef(kind.APIVersion(), kind.Kind, m)},
		},
		Spec: t.GetSpec(),
	}
}

// CreateCopies creates n pods of the same content; see Create.
func (k *Keeper[T]) CreateCopies(ctx context.Context, key controller.Key, obj T, pod *corev1.Pod, n int) (int, *Failure, error) {
	write := writes.Create(pod)
	all := make([]writes.Write, n)
	for i := range all {
		all[i] = write.Copy()
	}
	return k.create(ctx, key, obj, all)
}

// Create creates pods, in growing batches so that what fails for all is not tried for all. It returns how many were
// made. The failure is for the status; the error makes the runner try again. In a namespace that is being deleted nothing
// can be created any more, and that is no error.
func (k *Keeper[T]) Create(ctx context.Context, key controller.Key, obj T, pods []*corev1.Pod) (int, *Failure, error) {
	all := make([]writes.Write, len(pods))
	for i, pod := range pods {
		all[i] = writes.Create(pod)
	}
	return k.create(ctx, key, obj, all)
}

func (k *Keeper[T]) create(ctx context.Context, key controller.Key, obj T, all []writes.Write) (made int, _ *Failure, _ error) {
	for batch := firstBatch; len(all) > 0; batch *= batchGrowth {
		size := min(len(all), batch)
		var failed error
		for _, o := range writes.All(ctx, k.Env.Pipeline, all[:size]) {
			if o.Err == nil {
				made++
				k.Wrote(key, k.Pods, o.Revision)
				k.Events.Event(obj, controller.Normal, "SuccessfulCreate", "Created pod: %s", o.Name)
				continue
			}
			k.CatchUp(ctx, key, o)
			failed = o.Err
		}
		all = all[size:]
		if failed == nil {
			continue
		}
		if apierrors.HasCause(failed, apierrors.CauseNamespaceTerminating) {
			return made, nil, nil
		}
		k.Events.Event(obj, controller.Warning, "FailedCreate", "Error creating: %v", failed)
		return made, &Failure{Reason: "FailedCreate", Message: failed.Error()}, fmt.Errorf("creating pods: %w", failed)
	}
	return made, nil, nil
}

// Remove deletes pods; those that are gone already are no error. It returns how many are gone or going.
func (k *Keeper[T]) Remove(ctx context.Context, key controller.Key, obj T, pods []*corev1.Pod) (removed int, _ *Failure, _ error) {
	all := make([]writes.Write, len(pods))
	for i, pod := range pods {
		all[i] = writes.Delete(pod, nil)
	}
	var failed error
	for i, o := range writes.All(ctx, k.Env.Pipeline, all) {
		switch {
		case o.Err == nil:
			removed++
			k.Wrote(key, k.Pods, o.Revision)
			k.Events.Event(obj, controller.Normal, "SuccessfulDelete", "Deleted pod: %s", pods[i].GetMetadata().GetName())
		case apierrors.IsNotFound(o.Err), apierrors.IsConflict(o.Err):
			// Gone, or replaced by another of its name; the cache is about to say so.
			removed++
			k.CatchUp(ctx, key, o)
		default:
			k.CatchUp(ctx, key, o)
			failed = o.Err
			k.Events.Event(obj, controller.Warning, "FailedDelete", "Error deleting: %v", o.Err)
		}
	}
	if failed != nil {
		return removed, &Failure{Reason: "FailedDelete", Message: failed.Error()}, fmt.Errorf("deleting pods: %w", failed)
	}
	return removed, nil, nil
}

// DropFinalizer takes a finalizer off pods. done are the UIDs of those that do not have it any more.
func (k *Keeper[T]) DropFinalizer(ctx context.Context, key controller.Key, pods []*corev1.Pod, finalizer string) (done map[string]bool, _ error) {
	all := make([]writes.Write, len(pods))
	for i, pod := range pods {
		all[i] = DropFinalizer(pod, finalizer)
	}
	done = make(map[string]bool, len(pods))
	var failed error
	for i, o := range writes.All(ctx, k.Env.Pipeline, all) {
		uid := pods[i].GetMetadata().GetUid()
		switch {
		case o.Err == nil:
			done[uid] = true
			k.Wrote(key, k.Pods, o.Revision)
		case apierrors.IsNotFound(o.Err), apierrors.IsConflict(o.Err):
			// Gone, or another pod of its name: either way the pod that had the finalizer is no more.
			done[uid] = true
			k.CatchUp(ctx, key, o)
		default:
			k.CatchUp(ctx, key, o)
			failed = o.Err
		}
	}
	if failed != nil {
		return done, fmt.Errorf("removing the finalizer %s: %w", finalizer, failed)
	}
	return done, nil
}

// DropFinalizer is the write that takes a finalizer off exactly this pod, whatever else has changed of it.
func DropFinalizer(pod *corev1.Pod, finalizer string) writes.Write {
	m := pod.GetMetadata()
	// Strings always encode.
	patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": m.GetUid(), "$deleteFromPrimitiveList/finalizers": []string{finalizer},
	}})
	return writes.Patch(writes.Ref(pod, ""), client.StrategicMergePatch, patch)
}
