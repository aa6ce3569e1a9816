package policy

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/keelson/keelson/apiserver/internal/admission/hook"
	"github.com/keelson/keelson/proto/apierrors"
	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/schema"
)

// errNoParams is a binding whose parameters are not there, and that denies then.
var errNoParams = errors.New("no params found for policy binding with `Deny` parameterNotFoundAction")

// paramKind finds the kind of a policy's parameters.
func paramKind(host hook.Host, k *v1.ParamKind) (*schema.Kind, error) {
	g, v := schema.SplitAPIVersion(k.GetApiVersion())
	kind, ok := host.Registry().ByKind(g, v, k.GetKind())
	if !ok || !kind.Served || kind.Ephemeral || kind.Plural == "" {
		return nil, fmt.Errorf("failed to find resource referenced by paramKind: '%s, Kind=%s'", k.GetApiVersion(), k.GetKind())
	}
	return kind, nil
}

// params returns the parameters that a binding gives a policy: one nil where it takes none, nothing where a request is
// to pass without them.
func params(ctx context.Context, host hook.Host, kind *schema.Kind, ref *v1.ParamRef, namespace string) ([]map[string]any, error) {
	if kind == nil || ref == nil {
		return []map[string]any{nil}, nil
	}
	switch {
	case kind.Namespaced && ref.Namespace != "":
		namespace = ref.Namespace
	case kind.Namespaced && namespace == "":
		return nil, errors.New("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
	case !kind.Namespaced && ref.Namespace != "":
		return nil, errors.New("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
	case !kind.Namespaced:
		namespace = ""
	}
	items, err := find(ctx, host, kind, ref, namespace)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 && ref.GetParameterNotFoundAction() == "Deny" {
		return nil, errNoParams
	}
	out := make([]map[string]any, 0, len(items))
	for _, it := range items {
		t, err := view(ctx, host, kind, it)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func find(ctx context.Context, host hook.Host, kind *schema.Kind, ref *v1.ParamRef, namespace string) ([]*item.Item, error) {
	access := host.Access()
	if ref.Name != "" {
		it, err := strategy.Find(ctx, access, kind.Group, kind.Plural, namespace, ref.Name)
		if apierrors.IsNotFound(err) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		return []*item.Item{it}, nil
	}
	if ref.Selector == nil {
		return nil, errors.New("one of name or selector must be provided")
	}
	selector, err := hook.Selector(ref.Selector)
	if err != nil {
		return nil, err
	}
	var out []*item.Item
	for _, it := range access.Items(kind.Group, kind.Plural, namespace) {
		msg, err := it.Decode()
		if err != nil {
			return nil, err
		}
		if o, ok := msg.(pipeline.Object); ok && selector.Matches(labels.Set(o.GetMetadata().GetLabels())) {
			out = append(out, it)
		}
	}
	return out, nil
}

// view shows a stored object in the version that the policy names.
func view(ctx context.Context, host hook.Host, kind *schema.Kind, it *item.Item) (map[string]any, error) {
	msg, err := it.Decode()
	if err != nil {
		return nil, err
	}
	obj, ok := msg.(pipeline.Object)
	if !ok {
		return nil, fmt.Errorf("%s cannot be used as params", kind.Kind)
	}
	if obj, err = host.Convert(ctx, obj, it.Kind, kind); err != nil {
		return nil, err
	}
	return kind.ToTree(obj)
}
