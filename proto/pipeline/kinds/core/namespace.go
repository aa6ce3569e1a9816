package core

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// finalizerKubernetes keeps a namespace until the namespace controller has emptied it.
const finalizerKubernetes = "kubernetes"

// Namespaces are the hooks of namespaces.
//
//	Active ── delete ──► Terminating ── content gone, finalize ──► gone
func Namespaces() strategy.Hooks {
	return strategy.Hooks{
		PrepareCreate: func(_ context.Context, obj strategy.Object) {
			n := obj.(*corev1.Namespace)
			n.Status = &corev1.NamespaceStatus{Phase: "Active"}
			if n.Spec == nil {
				n.Spec = &corev1.NamespaceSpec{}
			}
			if !slices.Contains(n.Spec.Finalizers, finalizerKubernetes) {
				n.Spec.Finalizers = append(n.Spec.Finalizers, finalizerKubernetes)
			}
		},
		PrepareUpdate: func(_ context.Context, obj, old strategy.Object) {
			n, was := obj.(*corev1.Namespace), old.(*corev1.Namespace)
			n.Spec = was.GetSpec()
		},
		BeginDelete: func(_ context.Context, obj strategy.Object) {
			n := obj.(*corev1.Namespace)
			if n.Status == nil {
				n.Status = &corev1.NamespaceStatus{}
			}
			n.Status.Phase = "Terminating"
		},
		Held: func(obj strategy.Object) bool { return len(obj.(*corev1.Namespace).GetSpec().GetFinalizers()) > 0 },
	}
}

// finalize sets a namespace's own finalizers; the last one that goes takes a deleted namespace with it.
func finalize(ctx context.Context, r *strategy.SubRequest) (proto.Message, error) {
	want := r.Body.(*corev1.Namespace)
	it, err := r.Access.Change(ctx, strategy.Target{Resource: "namespaces", Name: r.Name, DryRun: r.DryRun}, func(obj strategy.Object) error {
		n := obj.(*corev1.Namespace)
		if rv := want.GetMetadata().GetResourceVersion(); rv != "" && rv != n.Metadata.GetResourceVersion() {
			return apierrors.NewConflict("", "namespaces", r.Name, nil)
		}
		n.Spec = want.GetSpec()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return it.Decode()
}
