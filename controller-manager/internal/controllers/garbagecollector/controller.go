package garbagecollector

import (
	"context"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/allkinds"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/writes"
)

// Name of the controller.
const Name = "garbagecollector"

const workers = 32

// key names one object of any kind. The UID tells it from another of the same name.
type key struct {
	kind                 *allkinds.Kind
	namespace, name, uid string
}

// String is "replicasets default/web-1".
func (k key) String() string { return k.kind.Plural + " " + k.namespace + "/" + k.name }

// Controller reconciles every object.
type Controller struct {
	*controller.Runner[key]
	env   *controller.Env
	all   *allkinds.Set
	gone  *memory
	event controller.Recorder
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	c := &Controller{env: env, all: env.All(), gone: newMemory(), event: env.Recorder("garbage-collector-controller")}
	c.all.OnEvent(c.onEvent)
	c.all.OnArrival(c.onArrival)
	c.Runner = controller.RunnerOf[key](env, Name, workers, c.all)
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.reconcile) }

func keyOf(k *allkinds.Kind, o allkinds.Object) key {
	m := o.GetMetadata()
	return key{kind: k, namespace: m.GetNamespace(), name: m.GetName(), uid: m.GetUid()}
}

// onEvent wakes whatever a change of an object may free: the object itself, those that it owns, those that own it.
func (c *Controller) onEvent(k *allkinds.Kind, e allkinds.Event) {
	o := e.Object()
	m := o.GetMetadata()
	if e.Type == informer.Deleted {
		c.gone.add(m.GetUid())
		c.addDependents(m.GetUid())
		c.addWaitingOwners(m)
		return
	}
	if deletingForeground(m) || deletingOrphan(m) {
		c.Add(keyOf(k, o))
	}
	if deletingForeground(m) && !deletingForeground(e.Old.GetMetadata()) {
		c.addDependents(m.GetUid())
	}
	if e.Old != nil && !sameOwners(e.Old.GetMetadata(), m) {
		// A reference that is gone, or that does not block any more, may be what an owner waited for.
		c.addWaitingOwners(e.Old.GetMetadata())
	}
	if len(m.GetOwnerReferences()) > 0 && (e.Old == nil || !sameOwners(e.Old.GetMetadata(), m)) && c.suspicious(m) {
		c.Add(keyOf(k, o))
	}
}

// onArrival has another look at the objects whose owners are said to be of a kind that nothing was known of: those owners
// may have gone before anybody looked.
func (c *Controller) onArrival(arrived *allkinds.Kind) {
	for _, k := range c.all.Kinds() {
		for _, o := range k.Cache.List() {
			m := o.GetMetadata()
			for _, ref := range m.GetOwnerReferences() {
				if owner, found := c.find(m, ref); owner == arrived && found == nil {
					c.Add(keyOf(k, o))
				}
			}
		}
	}
}

func sameOwners(a, b *metav1.ObjectMeta) bool {
	x, y := a.GetOwnerReferences(), b.GetOwnerReferences()
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if !proto.Equal(x[i], y[i]) {
			return false
		}
	}
	return true
}

// suspicious reports whether an owner is not simply there. Most objects are made by owners that the cache has.
func (c *Controller) suspicious(m *metav1.ObjectMeta) bool {
	for _, ref := range m.GetOwnerReferences() {
		_, o := c.find(m, ref)
		if o == nil || deletingForeground(o.GetMetadata()) {
			return true
		}
	}
	return false
}

func (c *Controller) addDependents(uid string) {
	for _, k := range c.all.Kinds() {
		for _, o := range k.Dependents(uid) {
			c.Add(keyOf(k, o))
		}
	}
}

func (c *Controller) addWaitingOwners(m *metav1.ObjectMeta) {
	for _, ref := range m.GetOwnerReferences() {
		if k, o := c.find(m, ref); o != nil && deletingForeground(o.GetMetadata()) {
			c.Add(keyOf(k, o))
		}
	}
}

// find returns an owner from the caches, and its kind where that is served.
func (c *Controller) find(m *metav1.ObjectMeta, ref *metav1.OwnerReference) (*allkinds.Kind, allkinds.Object) {
	k := c.all.Find(groupOf(ref.GetApiVersion()), ref.GetKind())
	if k == nil {
		return nil, nil
	}
	namespace := m.GetNamespace()
	if !k.Namespaced {
		namespace = ""
	}
	o, ok := k.Get(namespace, ref.GetName(), ref.GetUid())
	if !ok {
		return k, nil
	}
	return k, o
}

// reconcile looks at one object.
func (c *Controller) reconcile(ctx context.Context, id key) error {
	o, ok := id.kind.Get(id.namespace, id.name, id.uid)
	if !ok {
		return nil
	}
	m := o.GetMetadata()
	switch {
	case deletingOrphan(m):
		return c.orphan(ctx, id, m)
	case deletingForeground(m):
		return c.foreground(ctx, id, m)
	case m.GetDeletionTimestamp() != nil:
		return nil
	}
	return c.judge(ctx, id, m)
}

// judge acts on an object by what has become of its owners.
func (c *Controller) judge(ctx context.Context, id key, m *metav1.ObjectMeta) error {
	states := make([]ownerState, len(m.GetOwnerReferences()))
	for i, ref := range m.GetOwnerReferences() {
		s, err := c.state(ctx, id, m, ref)
		if err != nil {
			return err
		}
		states[i] = s
	}
	a, policy := decide(m, states, len(c.dependents(m.GetUid())) > 0)
	switch a {
	case unlink:
		var keep []*metav1.OwnerReference
		for i, ref := range m.GetOwnerReferences() {
			if states[i] == solid || states[i] == unknown {
				keep = append(keep, ref)
			}
		}
		return c.setOwners(ctx, id, id, m, keep)
	case remove:
		return c.remove(ctx, id, m, policy)
	}
	return nil
}

// state finds out about one owner.
func (c *Controller) state(ctx context.Context, id key, m *metav1.ObjectMeta, ref *metav1.OwnerReference) (ownerState, error) {
	if c.gone.has(ref.GetUid()) {
		return dangling, nil
	}
	k, o := c.find(m, ref)
	switch {
	case k == nil:
		return unknown, nil
	case o != nil && deletingForeground(o.GetMetadata()):
		return waiting, nil
	case o != nil:
		return solid, nil
	case k.Namespaced && m.GetNamespace() == "":
		c.event.EventRef(refOf(id), controller.Warning, "OwnerRefInvalidNamespace",
			"ownerRef %s does not exist: an object without a namespace cannot be owned by one that has a namespace", describe(ref))
		return unknown, nil
	}
	namespace := m.GetNamespace()
	if !k.Namespaced {
		namespace = ""
	}
	live, err := k.Client.Get(ctx, namespace, ref.GetName())
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return unknown, fmt.Errorf("looking for the owner %s: %w", describe(ref), err)
	case live.GetMetadata().GetUid() != ref.GetUid():
	case deletingForeground(live.GetMetadata()):
		return waiting, nil
	default:
		return solid, nil
	}
	c.gone.add(ref.GetUid())
	return dangling, nil
}

type dependent struct {
	kind   *allkinds.Kind
	object allkinds.Object
}

func (c *Controller) dependents(uid string) []dependent {
	var out []dependent
	for _, k := range c.all.Kinds() {
		for _, o := range k.Dependents(uid) {
			out = append(out, dependent{k, o})
		}
	}
	return out
}

// remove deletes an object in the state that the decision was made from.
func (c *Controller) remove(ctx context.Context, id key, m *metav1.ObjectMeta, policy string) error {
	o := writes.One(ctx, c.env.Pipeline, writes.DeleteRef(id.kind.Client.Ref(id.namespace, id.name, ""), id.uid, &metav1.DeleteOptions{
		PropagationPolicy: &policy,
		Preconditions:     &metav1.Preconditions{Uid: &id.uid, ResourceVersion: proto.String(m.GetResourceVersion())},
	}))
	switch {
	case o.Err == nil:
		c.Wrote(id, id.kind, o.Revision)
	case apierrors.IsNotFound(o.Err):
	case apierrors.IsConflict(o.Err):
		return c.catchUp(ctx, id, id, o.Err)
	default:
		return fmt.Errorf("deleting %s: %w", id, o.Err)
	}
	return nil
}

// catchUp makes the next pass of id wait for the state of target that won: agents write some objects often, and each write would win
// against a decision from the cache again.
func (c *Controller) catchUp(ctx context.Context, id, target key, conflict error) error {
	live, err := target.kind.Client.Get(ctx, target.namespace, target.name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil {
		c.Wrote(id, target.kind, client.Revision(live))
	}
	return conflict
}
