package namespace

import (
	"context"
	"slices"
	"sync"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/sdk/client"

	"github.com/keelson/keelson/controller-manager/internal/allkinds"
)

// parallel bounds how many kinds of one namespace are looked at together.
const parallel = 8

// clear deletes what a namespace holds and reports what is left: of pods first, and of the rest once there are none.
func (c *Controller) clear(ctx context.Context, name string) report {
	var pods, others []*client.Client[allkinds.Object]
	for _, k := range c.kinds() {
		if k.Kind().Group == "" && k.Kind().Kind == "Pod" {
			pods = append(pods, k)
		} else {
			others = append(others, k)
		}
	}
	if found := c.clearKinds(ctx, name, pods); !found.empty() {
		return found
	}
	return c.clearKinds(ctx, name, others)
}

// kinds are all namespaced kinds, Events and custom ones among them.
func (c *Controller) kinds() []*client.Client[allkinds.Object] {
	out := slices.Clone(c.fixed)
	for _, k := range c.all.Custom() {
		if k.Namespaced {
			out = append(out, k.Client)
		}
	}
	return out
}

func (c *Controller) clearKinds(ctx context.Context, name string, kinds []*client.Client[allkinds.Object]) report {
	var (
		found report
		mu    sync.Mutex
		group sync.WaitGroup
		slots = make(chan struct{}, parallel)
	)
	for _, k := range kinds {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			rest, err := clearKind(ctx, name, k)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				found.errors = append(found.errors, k.Kind().Plural+": "+err.Error())
				return
			}
			if len(rest.names) > 0 {
				found.left = append(found.left, rest)
			}
		})
	}
	group.Wait()
	return found
}

// clearKind deletes the objects of one kind. An empty list costs one cheap read.
func clearKind(ctx context.Context, namespace string, k *client.Client[allkinds.Object]) (left, error) {
	list := client.ListOptions{Namespace: namespace}
	objects, _, err := k.List(ctx, list)
	if apierrors.IsNotFound(err) {
		// A custom kind that has gone meanwhile, and its objects with it.
		return left{}, nil
	}
	if err != nil || len(objects) == 0 {
		return left{}, err
	}
	if _, err := k.DeleteCollection(ctx, list, client.DeleteOptions{PropagationPolicy: client.Background}); err != nil {
		return left{}, err
	}
	if objects, _, err = k.List(ctx, list); err != nil {
		return left{}, err
	}
	out := left{resource: k.Kind().Plural + "." + k.Kind().Group, finalizers: map[string]int{}}
	for _, o := range objects {
		out.names = append(out.names, o.GetMetadata().GetName())
		for _, f := range o.GetMetadata().GetFinalizers() {
			out.finalizers[f]++
		}
	}
	return out, nil
}
