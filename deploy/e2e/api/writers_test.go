package api

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	ourmeta "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// callLimit bounds one call of a writer or reader: what is under way when a server is killed fails at once anyway.
const callLimit = 10 * time.Second

// write is one that a server has acknowledged.
type write struct {
	kind     *kind
	key      string
	revision int64
	token    string
}

// acknowledged is what all writers know to be stored.
type acknowledged struct {
	// highest is a revision that every read that begins now has to see.
	highest atomic.Int64
	failed  atomic.Int64
	mu      sync.Mutex
	writes  []write
}

func (a *acknowledged) add(w write) {
	for {
		old := a.highest.Load()
		if w.revision <= old || a.highest.CompareAndSwap(old, w.revision) {
			break
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.writes = append(a.writes, w)
}

// writer makes random changes.
type writer struct {
	id      int
	r       *rand.Rand
	clients []*clients
	acks    *acknowledged
	n       int
}

func (w *writer) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := w.one(ctx); err != nil {
			w.acks.failed.Add(1)
		}
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// target is an object that a writer works on.
type target struct {
	k        *kind
	ns, name string
}

func (t target) key() string { return (&object{namespace: t.ns, name: t.name}).key() }

func (t target) ref() *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: t.k.group, Version: t.k.version, Plural: t.k.plural}, Namespace: t.ns, Name: t.name}
}

func (t target) request(r *rest.Request) *rest.Request {
	return r.NamespaceIfScoped(t.ns, t.k.namespaced).Resource(t.k.plural)
}

// one makes one change. An error may leave open whether it was made.
func (w *writer) one(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	w.n++
	t := target{k: pick(w.r, kinds), name: fmt.Sprint("o", w.r.IntN(12))}
	if t.k.namespaced {
		t.ns = pick(w.r, namespaces)
	}
	c, id := pick(w.r, w.clients), fmt.Sprintf("%d-%d", w.id, w.n)
	labels := map[string]string{token: id, "color": pick(w.r, colors)}
	switch n := w.r.IntN(20); {
	case n < 7:
		m := metav1.ObjectMeta{Name: t.name, Namespace: t.ns, Labels: labels}
		if t.k.plural == "configmaps" && w.r.IntN(4) == 0 {
			m.Finalizers = []string{"e2e.keelson.dev/hold"}
		}
		return w.create(ctx, c, t, t.k.make(m, w.n), id)
	case n < 11:
		return w.update(ctx, c, t, labels, id)
	case n < 15:
		return w.patch(ctx, c, t, labels, id)
	case n == 15 && t.k.fields:
		return w.status(ctx, c, t, id)
	case n == 16 && w.r.IntN(4) == 0:
		o := metav1.ListOptions{LabelSelector: "color=" + pick(w.r, colors)}
		return c.json[t.k.plural].Delete().NamespaceIfScoped(t.ns, t.k.namespaced).Resource(t.k.plural).
			VersionedParams(&o, scheme.ParameterCodec).Body(&metav1.DeleteOptions{GracePeriodSeconds: new(int64)}).Do(ctx).Error()
	}
	return w.delete(ctx, c, t)
}

// rest picks one of the encodings of REST.
func (w *writer) rest(c *clients, k *kind) rest.Interface {
	if w.r.IntN(2) == 0 {
		return c.json[k.plural]
	}
	return c.protobuf[k.plural]
}

func (w *writer) create(ctx context.Context, c *clients, t target, obj typed, id string) error {
	if w.r.IntN(3) > 0 {
		into := t.k.make(metav1.ObjectMeta{}, 0)
		err := t.request(w.rest(c, t.k).Post()).Body(obj).Do(ctx).Into(into)
		return w.done(t, into, id, err)
	}
	raw, err := obj.Marshal()
	if err != nil {
		return err
	}
	resp, err := c.waist.Create(ctx, &resourcev1.CreateRequest{Ref: t.ref(), Object: &resourcev1.Object{Raw: raw}})
	return w.doneGRPC(t, resp.GetObject().GetRevision(), id, err)
}

// update reads an object and puts it back with other labels, mostly insisting that it is the same.
func (w *writer) update(ctx context.Context, c *clients, t target, labels map[string]string, id string) error {
	obj := t.k.make(metav1.ObjectMeta{}, 0)
	o := metav1.GetOptions{ResourceVersion: pick(w.r, []string{"", "0"})}
	if err := t.request(c.protobuf[t.k.plural].Get()).Name(t.name).VersionedParams(&o, scheme.ParameterCodec).Do(ctx).Into(obj); err != nil {
		return err
	}
	obj.SetLabels(labels)
	if w.r.IntN(3) == 0 {
		obj.SetResourceVersion("")
	}
	if w.r.IntN(3) > 0 {
		into := t.k.make(metav1.ObjectMeta{}, 0)
		err := t.request(w.rest(c, t.k).Put()).Name(t.name).Body(obj).Do(ctx).Into(into)
		return w.done(t, into, id, err)
	}
	raw, err := obj.Marshal()
	if err != nil {
		return err
	}
	resp, err := c.waist.Update(ctx, &resourcev1.UpdateRequest{Ref: t.ref(), Object: &resourcev1.Object{Raw: raw}})
	return w.doneGRPC(t, resp.GetObject().GetRevision(), id, err)
}

func (w *writer) patch(ctx context.Context, c *clients, t target, labels map[string]string, id string) error {
	metadata := map[string]any{"labels": labels}
	if w.r.IntN(2) == 0 {
		metadata["finalizers"] = []string{}
	}
	body, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	typ, ours := types.MergePatchType, resourcev1.PatchType_PATCH_TYPE_MERGE
	if w.r.IntN(2) == 0 {
		typ, ours = types.JSONPatchType, resourcev1.PatchType_PATCH_TYPE_JSON
		body = fmt.Appendf(nil, `[{"op":"replace","path":"/metadata/labels","value":{"color":%q,%q:%q}}]`, labels["color"], token, id)
	}
	if w.r.IntN(2) == 0 {
		into := t.k.make(metav1.ObjectMeta{}, 0)
		err := t.request(w.rest(c, t.k).Patch(typ)).Name(t.name).Body(body).Do(ctx).Into(into)
		return w.done(t, into, id, err)
	}
	resp, err := c.waist.Patch(ctx, &resourcev1.PatchRequest{Ref: t.ref(), Type: ours, Patch: body})
	return w.doneGRPC(t, resp.GetObject().GetRevision(), id, err)
}

// status moves a pod to another phase. The token is a label, which a pod's status may set.
func (w *writer) status(ctx context.Context, c *clients, t target, id string) error {
	body := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}},"status":{"phase":%q}}`, token, id, pick(w.r, []string{"Pending", "Running", "Failed"}))
	into := t.k.make(metav1.ObjectMeta{}, 0)
	err := t.request(w.rest(c, t.k).Patch(types.StrategicMergePatchType)).Name(t.name).SubResource("status").Body(body).Do(ctx).Into(into)
	return w.done(t, into, id, err)
}

func (w *writer) delete(ctx context.Context, c *clients, t target) error {
	if w.r.IntN(2) == 0 {
		_, err := c.waist.Delete(ctx, &resourcev1.DeleteRequest{Ref: t.ref(), Options: &ourmeta.DeleteOptions{GracePeriodSeconds: new(int64)}})
		return fromGRPC(err)
	}
	return t.request(w.rest(c, t.k).Delete()).Name(t.name).Body(&metav1.DeleteOptions{GracePeriodSeconds: new(int64)}).Do(ctx).Error()
}

func (w *writer) done(t target, obj typed, id string, err error) error {
	if err != nil {
		return err
	}
	rev, err := strconv.ParseInt(obj.GetResourceVersion(), 10, 64)
	if err != nil {
		return err
	}
	// The update that removes the last finalizer of a deleted object answers with its last state.
	if obj.GetDeletionTimestamp() != nil && !slices.Contains(obj.GetFinalizers(), "e2e.keelson.dev/hold") {
		return nil
	}
	w.acks.add(write{t.k, t.key(), rev, id})
	return nil
}

func (w *writer) doneGRPC(t target, rev int64, id string, err error) error {
	if err != nil {
		return fromGRPC(err)
	}
	if t.k.plural == "configmaps" {
		return nil // may have been the end of a deleted object
	}
	w.acks.add(write{t.k, t.key(), rev, id})
	return nil
}
