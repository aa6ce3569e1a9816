package podset

import (
	"context"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/selector"
)

// Options of a keeper.
type Options[T client.Object] struct {
	// Name of the controller.
	Name string
	// Component is who events are said to come from.
	Component string
	Workers   int
	// Selector says which pods belong to an object. It is compiled where an orphan appears, and once a pass.
	Selector func(T) (selector.Selector, error)
	// Reads are caches beside those of the objects and of pods.
	Reads []controller.Source
}

// Keeper is the part of a controller that deals with the pods of objects of one kind.
type Keeper[T client.Object] struct {
	*controller.Runner[controller.Key]
	Env    *controller.Env
	Events controller.Recorder
	// Owners are the objects, by caches.Controller, caches.Orphan and caches.Namespace.
	Owners *informer.Informer[T]
	Pods   *informer.Informer[*corev1.Pod]
	Client *client.Client[T]

	kind     client.Kind
	selector func(T) (selector.Selector, error)
}

// New makes a keeper and subscribes it: each change of an object or of its pods adds the object's key to the runner.
func New[T client.Object](env *controller.Env, o Options[T]) *Keeper[T] {
	k := &Keeper[T]{
		Env: env, Events: env.Recorder(o.Component), selector: o.Selector,
		Owners: caches.Of[T](env.Caches), Pods: caches.Pods(env.Caches), Client: client.For[T](env.Conn),
	}
	k.kind = k.Client.Kind()
	k.Runner = controller.RunnerOf[controller.Key](env, o.Name, o.Workers, append([]controller.Source{k.Owners, k.Pods}, o.Reads...)...)
	k.Owners.OnEvent(func(e informer.Event[T]) { k.Add(controller.KeyOf(e.Object())) })
	k.Pods.OnEvent(k.onPod)
	return k
}

// onPod wakes the object that controls the pod and the one that did before; for an orphan, every object that may adopt it.
func (k *Keeper[T]) onPod(e informer.Event[*corev1.Pod]) {
	m := e.Object().GetMetadata()
	ref := owner.ControllerOf(m)
	if e.Old != nil {
		if before := owner.ControllerOf(e.Old.GetMetadata()); before.GetUid() != ref.GetUid() && k.Is(before) {
			k.Add(controller.Key{Namespace: m.GetNamespace(), Name: before.GetName()})
		}
	}
	if ref != nil {
		// UIDs need not be compared: an object of another UID finds that it does not control the pod.
		if k.Is(ref) {
			k.Add(controller.Key{Namespace: m.GetNamespace(), Name: ref.GetName()})
		}
		return
	}
	if e.Type == informer.Deleted {
		return
	}
	for _, obj := range k.Owners.ByIndex(caches.Namespace, m.GetNamespace()) {
		if sel, err := k.selector(obj); err == nil && sel.Matches(m.GetLabels()) {
			k.Add(controller.KeyOf(obj))
		}
	}
}

// Is reports whether a reference is to an object of the keeper's kind.
func (k *Keeper[T]) Is(ref interface {
	GetKind() string
	GetApiVersion() string
}) bool {
	return ref.GetKind() == k.kind.Kind && ref.GetApiVersion() == k.kind.APIVersion()
}

// WriteStatus writes an object whose status may have changed, and returns it as it is then; before is what the cache has.
// An object that is gone is no error.
func (k *Keeper[T]) WriteStatus(ctx context.Context, key controller.Key, before, changed T) (T, error) {
	if proto.Equal(before, changed) {
		return before, nil
	}
	written, err := k.Client.UpdateStatus(ctx, changed)
	if apierrors.IsNotFound(err) {
		return changed, nil
	}
	if err != nil {
		return before, fmt.Errorf("updating the status: %w", err)
	}
	k.Wrote(key, k.Owners, client.Revision(written))
	return written, nil
}
