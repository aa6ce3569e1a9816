package pipeline

import (
	"context"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/pipeline/watchcache"
)

// Self is the identity of what the server does by itself.
var Self = &identity.User{Name: "system:apiserver", Groups: []string{identity.GroupMasters, identity.GroupAuthenticated}}

// access is strategy.Access over the server.
type access struct{ s *Server }

func (a access) resource(group, resource string) (*resource, error) {
	if k, res := a.s.find(group, "", resource); k != nil && res.objects != nil {
		return res, nil
	}
	return nil, apierrors.NewUnknownResource(group, resource)
}

func (a access) request(group, resource, namespace, name string) (*request, error) {
	res, err := a.resource(group, resource)
	if err != nil {
		return nil, err
	}
	return &request{s: a.s, res: res, user: Self, namespace: namespace, name: name, own: true}, nil
}

// Lookup implements strategy.Access.
func (a access) Lookup(group, resource, namespace, name string) (*item.Item, bool) {
	res, err := a.resource(group, resource)
	if err != nil {
		return nil, false
	}
	return res.objects.Get(namespace, name)
}

// Read implements strategy.Access.
func (a access) Read(ctx context.Context, group, resource, namespace, name string) (*item.Item, error) {
	r, err := a.request(group, resource, namespace, name)
	if err != nil {
		return nil, err
	}
	if err := a.s.fresh(ctx, ""); err != nil {
		return nil, err
	}
	it, ok := r.res.objects.Get(namespace, name)
	if !ok {
		return nil, r.absent()
	}
	return it, nil
}

// Items implements strategy.Access.
func (a access) Items(group, resource, namespace string) []*item.Item {
	res, err := a.resource(group, resource)
	if err != nil {
		return nil
	}
	var out []*item.Item
	res.objects.Snapshot().Walk(namespace, watchcache.Position{}, func(it *item.Item) bool {
		out = append(out, it)
		return true
	})
	return out
}

// Await implements strategy.Access.
func (a access) Await(ctx context.Context, group, resource, namespace, name string) (*item.Item, error) {
	r, err := a.request(group, resource, namespace, name)
	if err != nil {
		return nil, err
	}
	w, err := r.res.objects.Watch(watchcache.Options{
		Namespace: namespace, Initial: true, Lenient: true, Field: "metadata.name", Value: name,
		Match: func(it *item.Item) bool { return it.Name == name },
	})
	if err != nil {
		return nil, watchError(err)
	}
	defer w.Close()
	for {
		events, err := w.Next(ctx, nil)
		if ctx.Err() != nil {
			return nil, r.notFound()
		} else if err != nil {
			return nil, watchError(err)
		}
		if last := events[len(events)-1]; last.Type != watchcache.Deleted {
			return last.Item, nil
		}
	}
}

// Change implements strategy.Access.
func (a access) Change(ctx context.Context, t strategy.Target, f func(obj Object) error) (*item.Item, error) {
	r, err := a.request(t.Group, t.Resource, t.Namespace, t.Name)
	if err != nil {
		return nil, err
	}
	r.dryRun, r.manager, r.sub = t.DryRun, t.Manager, t.Subresource
	it, _, err := r.update(ctx, change{internal: !t.Checked, make: func(old Object) (Object, error) {
		obj := clone(old)
		return obj, f(obj)
	}})
	return it, err
}

// Delete implements strategy.Access.
func (a access) Delete(ctx context.Context, group, resource, namespace, name string, o *metav1.DeleteOptions) (*item.Item, error) {
	r, err := a.request(group, resource, namespace, name)
	if err != nil {
		return nil, err
	}
	result, err := r.delete(ctx, o)
	if err != nil {
		return nil, err
	}
	return result.Item, nil
}
