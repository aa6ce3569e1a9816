package hook

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/schema"
)

// Host is what hooks need of the pipeline; *pipeline.Server is one.
type Host interface {
	Access() strategy.Access
	Registry() *schema.Registry
	Convert(ctx context.Context, obj pipeline.Object, from, to *schema.Kind) (pipeline.Object, error)
}

// Subject is one request as hooks see it. It is used by one goroutine at a time, but for Trees that have been made.
type Subject struct {
	R    *admission.Request
	Host Host

	trees     map[*schema.Kind]*Trees
	namespace *corev1.Namespace
	looked    bool
}

// Trees are the JSON of the object and of the one before; nil where there is none.
type Trees struct {
	Object, Old map[string]any
}

// New returns the subject of a request.
func New(r *admission.Request, host Host) *Subject { return &Subject{R: r, Host: host} }

// Exempt tells whether no hook sees the request: what configures hooks must always be within reach, and reviews decide
// on requests themselves.
func Exempt(r *admission.Request) bool {
	switch r.Kind.Group {
	case "admissionregistration.k8s.io":
		return true
	case "authentication.k8s.io":
		return r.Kind.Plural == "tokenreviews" || r.Kind.Plural == "selfsubjectreviews"
	case "authorization.k8s.io":
		return true
	}
	return false
}

// aboutNamespace tells whether the request is for a Namespace, which counts as being within itself.
func (s *Subject) aboutNamespace() bool {
	return s.R.Kind.Group == "" && s.R.Kind.Plural == "namespaces"
}

// Name is the object's name; a creation may say it in the object only.
func (s *Subject) Name() string {
	if s.R.Name == "" && s.R.Object != nil {
		return s.R.Object.GetMetadata().GetName()
	}
	return s.R.Name
}

// Namespace is the request's namespace; a Namespace's own is its name.
func (s *Subject) Namespace() string {
	if s.aboutNamespace() {
		return s.Name()
	}
	return s.R.Namespace
}

// Changed forgets the trees: the object is another now.
func (s *Subject) Changed() { s.trees = nil }

// Trees returns the object and the one before in the version of a kind. They must not be changed.
func (s *Subject) Trees(ctx context.Context, k *schema.Kind) (*Trees, error) {
	if t := s.trees[k]; t != nil {
		return t, nil
	}
	t := &Trees{}
	var err error
	if s.R.Object != nil {
		t.Object, err = s.tree(ctx, s.R.Object, k)
	} else if s.R.Body != nil {
		t.Object, err = codec.ToTree(s.R.Body)
	}
	if err == nil && s.R.Old != nil {
		t.Old, err = s.tree(ctx, s.R.Old, k)
	}
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	if s.trees == nil {
		s.trees = map[*schema.Kind]*Trees{}
	}
	s.trees[k] = t
	return t, nil
}

func (s *Subject) tree(ctx context.Context, obj admission.Object, k *schema.Kind) (map[string]any, error) {
	if s.R.ObjectKind != s.R.Kind {
		return s.R.ObjectKind.ToTree(obj) // the bodies of subresources have one version
	}
	converted, err := s.Host.Convert(ctx, obj, s.R.Kind, k)
	if err != nil {
		return nil, err
	}
	return k.ToTree(converted)
}

// SetObject replaces the object by a tree in the version of a kind, with its defaults.
func (s *Subject) SetObject(ctx context.Context, tree map[string]any, k *schema.Kind) error {
	target := s.R.ObjectKind
	from := target
	if s.R.ObjectKind == s.R.Kind {
		from = k
	}
	obj := s.R.Object.ProtoReflect().New().Interface().(admission.Object)
	if from != target {
		obj = from.New().(admission.Object)
	}
	var tm codec.TypeMeta
	if _, err := from.FromTree(tree, obj, codec.DecodeOptions{TypeMeta: &tm}); err != nil {
		return apierrors.NewInternal(err)
	}
	if tm.APIVersion != from.APIVersion() || tm.Kind != from.Kind {
		return apierrors.NewInternal(fmt.Errorf("the object was made a %s, Kind=%s; it is a %s, Kind=%s", tm.APIVersion, tm.Kind, from.APIVersion(), from.Kind))
	}
	if obj.GetMetadata() == nil {
		return apierrors.NewInternal(errNoMetadata)
	}
	if from != target {
		from.Default(obj)
		var err error
		if obj, err = s.Host.Convert(ctx, obj, from, target); err != nil {
			return err
		}
	}
	proto.Reset(s.R.Object)
	proto.Merge(s.R.Object, obj)
	target.Default(s.R.Object)
	s.Changed()
	return nil
}

// NamespaceObject returns the namespace that the request is in; nil for cluster-scoped ones and for Namespaces
// themselves.
func (s *Subject) NamespaceObject(ctx context.Context) (*corev1.Namespace, error) {
	if s.R.Namespace == "" || s.aboutNamespace() {
		return nil, nil
	}
	if s.looked {
		return s.namespace, nil
	}
	it, err := strategy.Find(ctx, s.Host.Access(), "", "namespaces", "", s.R.Namespace)
	if err != nil {
		return nil, err
	}
	msg, err := it.Decode()
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	s.namespace, s.looked = msg.(*corev1.Namespace), true
	return s.namespace, nil
}

// namespaceLabels are those of the namespace that the request is in or about.
func (s *Subject) namespaceLabels(ctx context.Context) (map[string]string, error) {
	if s.aboutNamespace() {
		if s.R.Subresource == "" && s.R.Object != nil {
			return s.R.Object.GetMetadata().GetLabels(), nil
		}
		if s.R.Old != nil {
			return s.R.Old.GetMetadata().GetLabels(), nil
		}
		return nil, nil
	}
	n, err := s.NamespaceObject(ctx)
	if err != nil {
		return nil, err
	}
	return n.GetMetadata().GetLabels(), nil
}
