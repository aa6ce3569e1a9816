// Package scale serves the scale subresource of everything that has spec.replicas: one number to read and write,
// whatever the kind.
package scale

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/apierrors"
	autoscalingv1 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// Handlers serve scale of the kinds that have replicas.
func Handlers() []strategy.Handler {
	var out []strategy.Handler
	for _, r := range [][2]string{{"apps", "deployments"}, {"apps", "replicasets"}, {"apps", "statefulsets"}, {"", "replicationcontrollers"}} {
		out = append(out, strategy.Handler{
			Group: r[0], Resource: r[1], Subresource: "scale", Body: &autoscalingv1.Scale{}, Get: get, Update: update,
			Applied: &strategy.Applied{Config: configOf, Show: show},
		})
	}
	return out
}

func get(ctx context.Context, r *strategy.SubRequest) (proto.Message, error) {
	it, err := r.Access.Read(ctx, r.Kind.Group, r.Kind.Plural, r.Namespace, r.Name)
	if err != nil {
		return nil, err
	}
	return of(it.Decode())
}

// configOf is the configuration of the scaled object for that of a scale.
func configOf(scale map[string]any) map[string]any {
	out := map[string]any{}
	if meta, ok := scale["metadata"].(map[string]any); ok {
		kept := map[string]any{}
		for _, key := range []string{"name", "namespace", "uid", "resourceVersion"} {
			if v, ok := meta[key]; ok {
				kept[key] = v
			}
		}
		out["metadata"] = kept
	}
	if spec, ok := scale["spec"].(map[string]any); ok {
		if n, ok := spec["replicas"]; ok {
			out["spec"] = map[string]any{"replicas": n}
		}
	}
	return out
}

func of(obj proto.Message, err error) (proto.Message, error) {
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return show(obj), nil
}

func show(obj proto.Message) proto.Message {
	meta := obj.(strategy.Object).GetMetadata()
	m := obj.ProtoReflect()
	return &autoscalingv1.Scale{
		Metadata: &metav1.ObjectMeta{
			Name: meta.GetName(), Namespace: meta.GetNamespace(), Uid: meta.GetUid(),
			ResourceVersion: meta.GetResourceVersion(), CreationTimestamp: meta.GetCreationTimestamp(),
		},
		Spec:   &autoscalingv1.ScaleSpec{Replicas: number(m, "spec", "replicas")},
		Status: &autoscalingv1.ScaleStatus{Replicas: number(m, "status", "replicas"), Selector: selectorOf(m)},
	}
}

func update(ctx context.Context, r *strategy.SubRequest) (proto.Message, error) {
	s := r.Body.(*autoscalingv1.Scale)
	n := s.GetSpec().GetReplicas()
	if n < 0 {
		return nil, apierrors.NewInvalid("autoscaling", "Scale", r.Name, []*metav1.StatusCause{{
			Reason: "FieldValueInvalid", Field: "spec.replicas", Message: fmt.Sprintf("Invalid value: %d: must be greater than or equal to 0", n),
		}})
	}
	t := strategy.Target{
		Group: r.Kind.Group, Resource: r.Kind.Plural, Subresource: "scale", Namespace: r.Namespace, Name: r.Name,
		DryRun: r.DryRun, Checked: true, Manager: r.Manager,
	}
	it, err := r.Access.Change(ctx, t, func(obj strategy.Object) error {
		meta := obj.GetMetadata()
		if rv := s.GetMetadata().GetResourceVersion(); rv != "" && rv != meta.GetResourceVersion() {
			return apierrors.NewConflict(r.Kind.Group, r.Kind.Plural, r.Name, nil)
		}
		if uid := s.GetMetadata().GetUid(); uid != "" && uid != meta.GetUid() {
			return apierrors.NewPreconditionFailed(r.Kind.Group, r.Kind.Plural, r.Name, "UID", uid, meta.GetUid())
		}
		m := obj.ProtoReflect()
		spec := m.Mutable(m.Descriptor().Fields().ByName("spec")).Message()
		spec.Set(spec.Descriptor().Fields().ByName("replicas"), protoreflect.ValueOfInt32(n))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return of(it.Decode())
}

func number(m protoreflect.Message, path ...protoreflect.Name) int32 {
	for i, name := range path {
		fd := m.Descriptor().Fields().ByName(name)
		if fd == nil {
			return 0
		}
		if i == len(path)-1 {
			return int32(m.Get(fd).Int())
		}
		m = m.Get(fd).Message()
	}
	return 0
}

// selectorOf writes the object's selector in the syntax of query strings.
func selectorOf(m protoreflect.Message) string {
	spec := m.Get(m.Descriptor().Fields().ByName("spec")).Message()
	fd := spec.Descriptor().Fields().ByName("selector")
	switch {
	case fd == nil || !spec.Has(fd):
		return ""
	case fd.IsMap():
		labels := map[string]string{}
		spec.Get(fd).Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			labels[k.String()] = v.String()
			return true
		})
		return strings.Join(equalities(labels), ",")
	}
	sel, ok := spec.Get(fd).Message().Interface().(*metav1.LabelSelector)
	if !ok {
		return ""
	}
	terms := equalities(sel.GetMatchLabels())
	for _, e := range sel.GetMatchExpressions() {
		values := slices.Sorted(slices.Values(e.GetValues()))
		switch e.GetOperator() {
		case "In", "NotIn":
			terms = append(terms, fmt.Sprintf("%s %s (%s)", e.GetKey(), strings.ToLower(e.GetOperator()), strings.Join(values, ",")))
		case "Exists":
			terms = append(terms, e.GetKey())
		case "DoesNotExist":
			terms = append(terms, "!"+e.GetKey())
		}
	}
	return strings.Join(terms, ",")
}

func equalities(labels map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, k+"="+labels[k])
	}
	return out
}
