package pipeline

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// Get returns one object, or what one of its subresources shows.
func (s *Server) Get(ctx context.Context, req *resourcev1.GetRequest) (*Item, error) {
	r, err := s.object(ctx, req.GetRef(), "get")
	if err != nil {
		return nil, err
	}
	if err := r.authorize(ctx, "get"); err != nil {
		return nil, err
	}
	h, err := s.handler(r)
	if err != nil {
		return nil, err
	}
	if h != nil {
		if h.Get == nil {
			return nil, r.unsupported("get")
		}
		return r.handle(ctx, h.Get, nil)
	}
	if r.res.hooks.Computed != nil {
		return r.computed(ctx)
	}
	if err := s.fresh(ctx, req.GetResourceVersion()); err != nil {
		return nil, err
	}
	it, ok := r.res.objects.Get(r.namespace, r.name)
	if !ok {
		return nil, r.absent()
	}
	return r.res.view(ctx, it)
}

// handler returns the handler of the request's subresource or review; nil where the pipeline itself serves it.
func (s *Server) handler(r *request) (*strategy.Handler, error) {
	k := r.res.kind
	if h := s.handlers[handlerKey{k.Group, k.Plural, r.sub}]; h != nil {
		return h, nil
	}
	if r.sub == "scale" && k.Scale != nil {
		return s.customScale(r.res), nil
	}
	_, isPart := r.res.hooks.Parts[r.sub]
	switch {
	case r.sub == "status" && k.HasStatus(), r.sub == "" && r.res.objects != nil, isPart:
		return nil, nil
	case r.sub == "":
		return nil, apierrors.NewMethodNotSupported(k.Group, k.Plural, "create")
	}
	// Declared, for the front doors to serve (logs, exec), or unknown.
	return nil, apierrors.NewUnknownResource(k.Group, k.Plural)
}

func (r *request) unsupported(verb string) error {
	resource := r.res.kind.Plural
	if r.sub != "" {
		resource += "/" + r.sub
	}
	return apierrors.NewMethodNotSupported(r.res.kind.Group, resource, verb)
}

// handle calls a handler and wraps its answer.
func (r *request) handle(ctx context.Context, f strategy.HandlerFunc, body proto.Message) (*Item, error) {
	out, err := f(ctx, &strategy.SubRequest{
		Kind: r.res.kind, Subresource: r.sub, Namespace: r.namespace, Name: r.name, Body: body, User: r.user,
		DryRun: r.dryRun, Manager: r.manager, Access: access{r.s}, Warn: r.warn,
	})
	if err != nil {
		return nil, err
	}
	return r.wrap(out)
}

// wrap makes an item of a handler's answer. It has a revision where the answer's metadata has one.
func (r *request) wrap(out proto.Message) (*Item, error) {
	var revision int64
	o, ok := out.(Object)
	if ok && o.GetMetadata() != nil {
		var err error
		if revision, err = parseVersion(o.GetMetadata().GetResourceVersion()); err != nil {
			return nil, err
		}
		if r.namespace == "" {
			r.namespace = o.GetMetadata().GetNamespace()
		}
	}
	raw, err := proto.Marshal(out)
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return item.New(r.s.kindOf(out), raw, revision, r.namespace, r.name)
}
