package disruption

import (
	"context"
	"fmt"
	"strings"

	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	autoscalingv1 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/owner"
)

// scales knows how many pods controllers should have.
type scales struct {
	env         *controller.Env
	deployments *informer.Informer[*appsv1.Deployment]
	sets        *informer.Informer[*appsv1.ReplicaSet]
	stateful    *informer.Informer[*appsv1.StatefulSet]
	replication *informer.Informer[*corev1.ReplicationController]
}

func newScales(env *controller.Env) *scales {
	return &scales{
		env: env, deployments: caches.Deployments(env.Caches), sets: caches.ReplicaSets(env.Caches),
		stateful: caches.Of[*appsv1.StatefulSet](env.Caches), replication: caches.Of[*corev1.ReplicationController](env.Caches),
	}
}

// of returns the UID and the scale of a controller; no UID where it is gone or has no scale. Controllers of kinds that
// are not cached are asked for their scale.
func (s *scales) of(ctx context.Context, namespace string, ref *metav1.OwnerReference) (string, int, error) {
	group, _, _ := strings.Cut(ref.GetApiVersion(), "/")
	switch {
	case group == "apps" && ref.GetKind() == "ReplicaSet":
		rs, ok := s.sets.Get(namespace, ref.GetName())
		if !ok || rs.GetMetadata().GetUid() != ref.GetUid() {
			return "", 0, nil
		}
		above := owner.ControllerOf(rs.GetMetadata())
		if above == nil {
			return ref.GetUid(), int(rs.GetSpec().GetReplicas()), nil
		}
		if above.GetKind() != "Deployment" {
			return s.ask(ctx, namespace, above)
		}
		d, ok := s.deployments.Get(namespace, above.GetName())
		if !ok || d.GetMetadata().GetUid() != above.GetUid() {
			return "", 0, nil
		}
		return above.GetUid(), int(d.GetSpec().GetReplicas()), nil
	case group == "apps" && ref.GetKind() == "StatefulSet":
		set, ok := s.stateful.Get(namespace, ref.GetName())
		if !ok || set.GetMetadata().GetUid() != ref.GetUid() {
			return "", 0, nil
		}
		return ref.GetUid(), int(set.GetSpec().GetReplicas()), nil
	case ref.GetApiVersion() == "v1" && ref.GetKind() == "ReplicationController":
		rc, ok := s.replication.Get(namespace, ref.GetName())
		if !ok || rc.GetMetadata().GetUid() != ref.GetUid() {
			return "", 0, nil
		}
		return ref.GetUid(), int(rc.GetSpec().GetReplicas()), nil
	}
	return s.ask(ctx, namespace, ref)
}

// ask reads the scale subresource.
func (s *scales) ask(ctx context.Context, namespace string, ref *metav1.OwnerReference) (string, int, error) {
	group, _, found := strings.Cut(ref.GetApiVersion(), "/")
	if !found {
		group = ""
	}
	k := s.env.All().Find(group, ref.GetKind())
	if k == nil {
		return "", 0, nil
	}
	scale, err := client.GetSub[*autoscalingv1.Scale](ctx, s.env.Conn, k.Client.Ref(namespace, ref.GetName(), "scale"))
	if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
		// There is no such object, or its kind has no scale.
		return "", 0, nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("reading the scale of %s %s: %w", ref.GetKind(), ref.GetName(), err)
	}
	if scale.GetMetadata().GetUid() != ref.GetUid() {
		return "", 0, nil
	}
	return ref.GetUid(), int(scale.GetSpec().GetReplicas()), nil
}
