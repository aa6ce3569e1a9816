package pipeline

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
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
	if h := s.handler(r); h != nil {
		if h.Get == nil {
			return nil, apierrors.NewMethodNotSupported(r.res.kind.Group, r.res.kind.Plural+"/"+r.sub, "get")
		}
		return r.handle(ctx, h, h.Get, nil)
	}
	if err := s.fresh(ctx, req.GetResourceVersion()); err != nil {
		return nil, err
	}
	it, ok := r.res.objects.Get(r.namespace, r.name)
	if !ok {
		return nil, r.notFound()
	}
	return r.res.view(it)
}

// view returns a stored item as the addressed kind shows it.
func (res *resource) view(it *Item) (*Item, error) {
	if res.kind == res.storage {
		return it, nil
	}
	stored, err := it.Decode()
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	obj := res.kind.FromStorage(stored).(Object)
	obj.GetMetadata().ResourceVersion = ""
	raw, err := encode(obj)
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return item.New(res.kind, raw, it.Revision, it.Namespace, it.Name)
}

// handler returns the handler of the request's subresource; nil where the pipeline itself serves it.
func (s *Server) handler(r *request) *strategy.Handler {
	if r.sub == "" && r.res.objects != nil {
		return nil
	}
	return s.handlers[handlerKey{r.res.kind.Group, r.res.kind.Plural, r.sub}]
}

// handle calls a handler and wraps its answer.
func (r *request) handle(ctx context.Context, h *strategy.Handler, f strategy.HandlerFunc, body proto.Message) (*Item, error) {
	out, err := f(ctx, &strategy.SubRequest{
		Kind: r.res.kind, Subresource: r.sub, Namespace: r.namespace, Name: r.name, Body: body, User: r.user,
		DryRun: r.dryRun, Access: access{r.s}, Warn: r.warn,
	})
	if err != nil {
		return nil, err
	}
	return r.wrap(out)
}

// wrap makes an item of a handler's answer. It has a revision where the answer's metadata has one.
func (r *request) wrap(out proto.Message) (*Item, error) {
	k, ok := r.s.cfg.Registry.ByMessage(out.ProtoReflect().Descriptor().FullName())
	if !ok {
		return nil, apierrors.NewInternal(errNoKind(out))
	}
	var revision int64
	namespace, name := r.namespace, r.name
	if o, ok := out.(admission.Object); ok && o.GetMetadata() != nil {
		var err error
		if revision, err = parseVersion(o.GetMetadata().GetResourceVersion()); err != nil {
			return nil, err
		}
	}
	raw, err := proto.Marshal(out)
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return item.New(k, raw, revision, namespace, name)
}
