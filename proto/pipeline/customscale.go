package pipeline

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	autoscalingv1 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/schema"
)

// customScale serves the scale subresource of a custom kind, in the version that the client speaks.
func (s *Server) customScale(res *resource) *strategy.Handler {
	return &strategy.Handler{
		Group: res.kind.Group, Resource: res.kind.Plural, Subresource: "scale", Body: &autoscalingv1.Scale{},
		Get: func(ctx context.Context, sr *strategy.SubRequest) (proto.Message, error) {
			if err := s.fresh(ctx, ""); err != nil {
				return nil, err
			}
			it, ok := res.objects.Get(sr.Namespace, sr.Name)
			if !ok {
				return nil, apierrors.NewNotFound(res.kind.Group, res.kind.Plural, sr.Name)
			}
			return res.scaleOf(ctx, it)
		},
		Update: func(ctx context.Context, sr *strategy.SubRequest) (proto.Message, error) {
			return s.scale(ctx, res, sr)
		},
		Applied: &strategy.Applied{
			Config: func(config map[string]any) map[string]any { return scaleConfig(res.kind, config) },
			Show: func(obj proto.Message) proto.Message {
				out, err := showScale(res.kind, obj)
				if err != nil {
					return &autoscalingv1.Scale{Metadata: scaleMeta(obj.(Object).GetMetadata())}
				}
				return out
			},
		},
	}
}

func (s *Server) scale(ctx context.Context, res *resource, sr *strategy.SubRequest) (proto.Message, error) {
	body := sr.Body.(*autoscalingv1.Scale)
	n := body.GetSpec().GetReplicas()
	if n < 0 {
		return nil, apierrors.NewInvalid("autoscaling", "Scale", sr.Name, causes("FieldValueInvalid", "spec.replicas",
			fmt.Sprintf("Invalid value: %d: must be greater than or equal to 0", n)))
	}
	r := &request{s: s, res: res, user: sr.User, namespace: sr.Namespace, name: sr.Name, sub: "scale", dryRun: sr.DryRun, manager: sr.Manager}
	it, _, err := r.update(ctx, change{make: func(old Object) (Object, error) {
		meta := old.GetMetadata()
		if rv := body.GetMetadata().GetResourceVersion(); rv != "" && rv != meta.GetResourceVersion() {
			return nil, &staleError{asked: rv}
		}
		if uid := body.GetMetadata().GetUid(); uid != "" && uid != meta.GetUid() {
			return nil, apierrors.NewPreconditionFailed(res.kind.Group, res.kind.Plural, sr.Name, "UID", uid, meta.GetUid())
		}
		obj := clone(old)
		return obj, res.kind.SetMember(obj, res.kind.Scale.Spec, int64(n))
	}})
	if err != nil {
		return nil, err
	}
	return showScaled(res.kind, it)
}

func (res *resource) scaleOf(ctx context.Context, it *Item) (proto.Message, error) {
	it, err := res.view(ctx, it)
	if err != nil {
		return nil, err
	}
	return showScaled(res.kind, it)
}

func showScaled(k *schema.Kind, it *Item) (proto.Message, error) {
	obj, err := it.Decode()
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return showScale(k, obj)
}

// showScale is what the subresource shows of an object.
func showScale(k *schema.Kind, obj proto.Message) (proto.Message, error) {
	tree, err := k.ToTree(obj)
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	replicas, ok, err := replicasAt(tree, k.Scale.Spec)
	if err == nil && !ok {
		err = fmt.Errorf("the spec replicas field %q does not exist", dotted(k.Scale.Spec))
	}
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	current, _, err := replicasAt(tree, k.Scale.Status)
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	selector := ""
	if len(k.Scale.Selector) > 0 {
		v, _ := schema.Walk(tree, k.Scale.Selector)
		if selector, ok = v.(string); !ok && v != nil {
			return nil, apierrors.NewInternal(fmt.Errorf("%s accessor error: %v is of the type %T, expected string", dotted(k.Scale.Selector), v, v))
		}
	}
	return &autoscalingv1.Scale{
		Metadata: scaleMeta(obj.(Object).GetMetadata()), Spec: &autoscalingv1.ScaleSpec{Replicas: replicas},
		Status: &autoscalingv1.ScaleStatus{Replicas: current, Selector: selector},
	}, nil
}

func scaleMeta(m *metav1.ObjectMeta) *metav1.ObjectMeta {
	return &metav1.ObjectMeta{Name: m.GetName(), Namespace: m.GetNamespace(), Uid: m.GetUid(),
		ResourceVersion: m.GetResourceVersion(), CreationTimestamp: m.GetCreationTimestamp()}
}

func replicasAt(tree map[string]any, path []string) (n int32, ok bool, err error) {
	v, ok := schema.Walk(tree, path)
	if !ok {
		return 0, false, nil
	}
	i, isInt := v.(int64)
	if !isInt {
		return 0, false, fmt.Errorf("%s accessor error: %v is of the type %T, expected int64", dotted(path), v, v)
	}
	return int32(i), true, nil
}

func dotted(path []string) string {
	out := ""
	for _, p := range path {
		out += "." + p
	}
	return out
}

// scaleConfig is the configuration of a scaled object for that of a scale.
func scaleConfig(k *schema.Kind, config map[string]any) map[string]any {
	out := map[string]any{}
	if meta, ok := config["metadata"].(map[string]any); ok {
		kept := map[string]any{}
		for _, key := range []string{"name", "namespace", "uid", "resourceVersion"} {
			if v, ok := meta[key]; ok {
				kept[key] = v
			}
		}
		out["metadata"] = kept
	}
	if n, ok := schema.Walk(config, []string{"spec", "replicas"}); ok {
		var v = n
		for _, name := range slices.Backward(k.Scale.Spec) {
			v = map[string]any{name: v}
		}
		for name, below := range v.(map[string]any) {
			out[name] = below
		}
	}
	return out
}
