package bootstrap

import (
	"context"
	"errors"
	"slices"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"

	"github.com/keelson/keelson/apiserver/internal/authz/rbac"
)

// reconcile brings the default roles and bindings back to what they have to have at least. It goes on after errors.
func reconcile(ctx context.Context, s Server, logger *zap.Logger) error {
	var errs []error
	for _, role := range ClusterRoles() {
		errs = append(errs, ensure(ctx, s, "clusterroles", role, mergeRole, logger))
	}
	for _, b := range Bindings() {
		errs = append(errs, ensureBinding(ctx, s, b, logger))
	}
	return errors.Join(errs...)
}

func ref(plural, name string) *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: group, Version: "v1", Plural: plural}, Name: name}
}

func encode(m proto.Message) (*resourcev1.Object, error) {
	raw, err := proto.Marshal(m)
	return &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF}, err
}

// object is a ClusterRole or a ClusterRoleBinding.
type object interface {
	proto.Message
	GetMetadata() *metav1.ObjectMeta
}

// get reads an object; nil where it is not there.
func get[T object](ctx context.Context, s Server, plural string, empty T, name string) (found bool, err error) {
	it, err := s.Get(ctx, &resourcev1.GetRequest{Ref: ref(plural, name)})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, unmarshal(it, empty)
}

func unmarshal(it *pipeline.Item, m proto.Message) error {
	return it.Unmarshal(m)
}

// ensure creates the wanted object or merges it into the one there. Another API server may be doing the same: a lost
// race is looked at again.
func ensure[T object](ctx context.Context, s Server, plural string, want T, merge func(have, want T) bool, logger *zap.Logger) error {
	name := want.GetMetadata().GetName()
	for {
		have := want.ProtoReflect().New().Interface().(T)
		found, err := get(ctx, s, plural, have, name)
		if err != nil {
			return err
		}
		if !found {
			err = create(ctx, s, plural, want)
			if apierrors.IsAlreadyExists(err) {
				continue
			}
			return err
		}
		if have.GetMetadata().GetAnnotations()[autoUpdate] == "false" || !merge(have, want) {
			return nil
		}
		logger.Info("restoring a default", zap.String("resource", plural), zap.String("name", name))
		err = update(ctx, s, plural, have)
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			continue
		}
		return err
	}
}

// ensureBinding is ensure for bindings: one that gives another role is made anew, because its roleRef cannot change.
func ensureBinding(ctx context.Context, s Server, want *rbacv1.ClusterRoleBinding, logger *zap.Logger) error {
	name := want.GetMetadata().GetName()
	have := &rbacv1.ClusterRoleBinding{}
	found, err := get(ctx, s, "clusterrolebindings", have, name)
	if err != nil {
		return err
	}
	if found && have.GetMetadata().GetAnnotations()[autoUpdate] != "false" && !proto.Equal(have.GetRoleRef(), want.GetRoleRef()) {
		uid := have.GetMetadata().GetUid()
		_, err := s.Delete(ctx, &resourcev1.DeleteRequest{
			Ref:     ref("clusterrolebindings", name),
			Options: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{Uid: &uid}},
		})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return err
		}
	}
	return ensure(ctx, s, "clusterrolebindings", want, mergeBinding, logger)
}

func create(ctx context.Context, s Server, plural string, obj object) error {
	o, err := encode(obj)
	if err != nil {
		return err
	}
	_, err = s.Create(ctx, &resourcev1.CreateRequest{Ref: ref(plural, obj.GetMetadata().GetName()), Object: o})
	return err
}

func update(ctx context.Context, s Server, plural string, obj object) error {
	o, err := encode(obj)
	if err != nil {
		return err
	}
	_, err = s.Update(ctx, &resourcev1.UpdateRequest{
		Ref: ref(plural, obj.GetMetadata().GetName()), Object: o,
		Options: &resourcev1.WriteOptions{FieldManager: manager},
	})
	return err
}

// mergeMeta adds missing labels and annotations; what people set stays.
func mergeMeta(have, want *metav1.ObjectMeta) (changed bool) {
	add := func(into *map[string]string, from map[string]string) {
		for k, v := range from {
			if _, ok := (*into)[k]; ok {
				continue
			}
			if *into == nil {
				*into = make(map[string]string)
			}
			(*into)[k] = v
			changed = true
		}
	}
	add(&have.Labels, want.GetLabels())
	add(&have.Annotations, want.GetAnnotations())
	return changed
}

func mergeRole(have, want *rbacv1.ClusterRole) bool {
	changed := mergeMeta(have.GetMetadata(), want.GetMetadata())
	if want.GetAggregationRule() != nil {
		if have.GetAggregationRule() == nil {
			have.AggregationRule, have.Rules = &rbacv1.AggregationRule{}, nil
		}
		for _, sel := range want.GetAggregationRule().GetClusterRoleSelectors() {
			if !slices.ContainsFunc(have.AggregationRule.ClusterRoleSelectors, func(h *metav1.LabelSelector) bool { return proto.Equal(h, sel) }) {
				have.AggregationRule.ClusterRoleSelectors = append(have.AggregationRule.ClusterRoleSelectors, sel)
				changed = true
			}
		}
		return changed
	}
	if missing := rbac.Uncovered(have.GetRules(), want.GetRules()); len(missing) > 0 {
		have.Rules = append(have.Rules, missing...)
		changed = true
	}
	return changed
}

func mergeBinding(have, want *rbacv1.ClusterRoleBinding) bool {
	changed := mergeMeta(have.GetMetadata(), want.GetMetadata())
	for _, s := range want.GetSubjects() {
		if !slices.ContainsFunc(have.GetSubjects(), func(h *rbacv1.Subject) bool { return proto.Equal(h, s) }) {
			have.Subjects = append(have.Subjects, s)
			changed = true
		}
	}
	return changed
}
