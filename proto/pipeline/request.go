package pipeline

import (
	"context"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/schema"
)

// request is one call on its way through the pipeline.
type request struct {
	s                *Server
	res              *resource
	user             *identity.User
	namespace, name  string
	sub              string
	dryRun           bool
	manager          string
	validation       codec.Validation
	warnings         []string
	labels, fieldSel string
	// patching and force are what a patch says about itself, deleteOptions what a deletion does.
	patching      bool
	force         *bool
	deleteOptions *metav1.DeleteOptions
	// configWarnings are about the text of an applied configuration.
	configWarnings []string
	// own requests are made by the server itself.
	own bool
}

var nobody = &identity.User{Name: identity.Anonymous, Groups: []string{identity.GroupUnauthenticated}}

func userOf(ctx context.Context) *identity.User {
	if u, ok := identity.FromContext(ctx); ok && u != nil {
		return u
	}
	return nobody
}

// open checks that a request addresses something that can exist. For collections and creations name may be empty.
func (s *Server) open(ctx context.Context, res *resource, namespace, name, sub string) (*request, error) {
	k := res.kind
	switch {
	case !k.Namespaced && namespace != "":
		return nil, apierrors.NewBadRequest("namespace may not be set on cluster-scoped resources")
	case sub != "" && !s.hasSubresource(k, sub):
		return nil, apierrors.NewUnknownResource(k.Group, k.Plural+"/"+sub)
	}
	return &request{s: s, res: res, user: userOf(ctx), namespace: namespace, name: name, sub: sub}, nil
}

// object is open for requests that address one object.
func (s *Server) object(ctx context.Context, ref *resourcev1.ObjectRef, verb string) (*request, error) {
	res, err := s.stored(ref.GetResource(), verb)
	if err != nil {
		return nil, err
	}
	r, err := s.open(ctx, res, ref.GetNamespace(), ref.GetName(), ref.GetSubresource())
	switch {
	case err != nil:
		return nil, err
	case r.name == "":
		return nil, apierrors.NewBadRequest("name must be provided")
	case res.kind.Namespaced && r.namespace == "":
		return nil, apierrors.NewBadRequest("an empty namespace may not be set when a resource name is provided")
	}
	return r, nil
}

func (s *Server) hasSubresource(k *schema.Kind, sub string) bool {
	if _, ok := k.Subresource(sub); ok {
		return true
	}
	_, ok := s.handlers[handlerKey{k.Group, k.Plural, sub}]
	return ok
}

// Serves tells whether the pipeline answers requests for a subresource: a kind's schema names those of Kubernetes, also
// where their behaviour does not exist yet or lives elsewhere.
func (s *Server) Serves(k *schema.Kind, sub string) bool {
	if sub == "status" {
		return k.HasStatus()
	}
	if _, ok := s.handlers[handlerKey{k.Group, k.Plural, sub}]; ok {
		return true
	}
	if k.IsCustom() {
		return sub == "scale" && k.Scale != nil
	}
	if res := s.resources[k]; res != nil {
		_, ok := res.hooks.Parts[sub]
		return ok
	}
	return false
}

// options takes over what the client said about a write.
func (r *request) options(o *resourcev1.WriteOptions) error {
	r.dryRun, r.manager = o.GetDryRun(), o.GetFieldManager()
	switch o.GetFieldValidation() {
	case "", "Ignore":
		r.validation = codec.Ignore
	case "Warn":
		r.validation = codec.Warn
	case "Strict":
		r.validation = codec.Strict
	default:
		return apierrors.NewBadRequest(`fieldValidation: Unsupported value: "` + o.GetFieldValidation() +
			`": supported values: "Ignore", "Strict", "Warn"`)
	}
	return nil
}

func (r *request) warn(message string) { r.warnings = append(r.warnings, message) }

// warnAnyway gives a refusal the warnings that there are already: what is odd about the body may be why it is refused.
func (r *request) warnAnyway(err *error) { *err = apierrors.WithWarnings(*err, r.warnings) }

// authorize asks whether the user may do it.
func (r *request) authorize(ctx context.Context, verb string) error {
	a := Attributes{
		User: r.user, Verb: verb, Group: r.res.kind.Group, Version: r.res.kind.Version, Resource: r.res.kind.Plural,
		Subresource: r.sub, Namespace: r.namespace, Name: r.name, LabelSelector: r.labels, FieldSelector: r.fieldSel,
	}
	// Kubernetes takes the namespace's own name for the namespace of requests for it.
	if a.Group == "" && a.Resource == "namespaces" && a.Name != "" {
		a.Namespace = a.Name
	}
	return r.s.Authorize(ctx, a)
}

// Authorize asks the authorizer; nil allows. The doors use it for requests that are not for resources.
func (s *Server) Authorize(ctx context.Context, a Attributes) error {
	if s.cfg.Authorizer == nil {
		return nil
	}
	decision, reason, err := s.cfg.Authorizer.Authorize(ctx, a)
	if err != nil {
		return apierrors.NewInternal(err)
	}
	if decision == Allow {
		return nil
	}
	ns := a.Namespace
	if a.Group == "" && a.Resource == "namespaces" {
		ns = ""
	}
	return apierrors.NewDenied(apierrors.Denied{
		User: a.User.Name, Verb: a.Verb, Group: a.Group, Resource: a.Resource, Subresource: a.Subresource,
		Namespace: ns, Name: a.Name, Path: a.Path, Reason: reason,
	})
}

func (r *request) notFound() error {
	return apierrors.NewNotFound(r.res.kind.Group, r.res.kind.Plural, r.name)
}
