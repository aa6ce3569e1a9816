package core

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	policyv1 "github.com/keelson/keelson/proto/gen/keelson/policy/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// evict deletes a pod gracefully. PodDisruptionBudgets are not served yet: nothing speaks against an eviction.
func evict(ctx context.Context, r *strategy.SubRequest) (proto.Message, error) {
	e := r.Body.(*policyv1.Eviction)
	if name := e.GetMetadata().GetName(); name != "" && name != r.Name {
		return nil, apierrors.NewBadRequest("name in URL does not match name in Eviction object: " + name)
	}
	o := &metav1.DeleteOptions{}
	if e.DeleteOptions != nil {
		o = proto.CloneOf(e.DeleteOptions)
	}
	if r.DryRun {
		o.DryRun = []string{"All"}
	}
	if _, err := r.Access.Delete(ctx, "", "pods", r.Namespace, r.Name, o); err != nil {
		return nil, err
	}
	return success(), nil
}
