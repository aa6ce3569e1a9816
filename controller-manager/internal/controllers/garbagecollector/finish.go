package garbagecollector

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/client"

	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/writes"
)

// settle waits until every cache has seen what was there when the object's deletion began: a dependent made before
// must not be overlooked.
func (c *Controller) settle(ctx context.Context, m *metav1.ObjectMeta) error {
	revision := client.Revision(&metav1.PartialObjectMetadata{Metadata: m})
	if err := c.all.WaitFor(ctx, revision); err != nil {
		return fmt.Errorf("waiting for the definitions of custom kinds: %w", err)
	}
	for _, k := range c.all.Kinds() {
		if err := k.WaitFor(ctx, revision); err != nil {
			return fmt.Errorf("waiting for the cache of %s: %w", k.Plural, err)
		}
	}
	return nil
}

// foreground lets an owner go once no dependent blocks it; until then it wakes those that do.
func (c *Controller) foreground(ctx context.Context, id key, m *metav1.ObjectMeta) error {
	if err := c.settle(ctx, m); err != nil {
		return err
	}
	blocked := false
	for _, d := range c.dependents(m.GetUid()) {
		if !blocks(d.object.GetMetadata(), m.GetUid()) {
			continue
		}
		blocked = true
		c.Add(keyOf(d.kind, d.object))
		if deletingForeground(d.object.GetMetadata()) && c.cycle(d, m.GetUid()) {
			// Both wait for each other; the reference must not block any more.
			if err := c.unblock(ctx, id, d, m.GetUid()); err != nil {
				return err
			}
		}
	}
	if blocked {
		return nil
	}
	return c.dropFinalizer(ctx, id, m, finalizerForeground)
}

// cycle reports whether a dependent that waits for its own dependents waits for the owner too.
func (c *Controller) cycle(d dependent, uid string) bool {
	for _, below := range c.dependents(d.object.GetMetadata().GetUid()) {
		if below.object.GetMetadata().GetUid() == uid {
			return true
		}
	}
	return false
}

func (c *Controller) unblock(ctx context.Context, id key, d dependent, uid string) error {
	var refs []*metav1.OwnerReference
	for _, ref := range d.object.GetMetadata().GetOwnerReferences() {
		if ref.GetUid() == uid {
			no := false
			ref = &metav1.OwnerReference{
				ApiVersion: ref.GetApiVersion(), Kind: ref.GetKind(), Name: ref.GetName(), Uid: ref.GetUid(),
				Controller: ref.Controller, BlockOwnerDeletion: &no,
			}
		}
		refs = append(refs, ref)
	}
	return c.setOwners(ctx, id, keyOf(d.kind, d.object), d.object.GetMetadata(), refs)
}

// orphan takes an owner's references away from its dependents and lets it go.
func (c *Controller) orphan(ctx context.Context, id key, m *metav1.ObjectMeta) error {
	if err := c.settle(ctx, m); err != nil {
		return err
	}
	var all []writes.Write
	dependents := c.dependents(m.GetUid())
	for _, d := range dependents {
		meta := d.object.GetMetadata()
		patch, err := ownersPatch(meta, owner.Without(meta.GetOwnerReferences(), m.GetUid()))
		if err != nil {
			return err
		}
		all = append(all, writes.Patch(d.kind.Client.Ref(meta.GetNamespace(), meta.GetName(), ""), client.MergePatch, patch))
	}
	for i, o := range writes.All(ctx, c.env.Pipeline, all) {
		switch {
		case o.Err == nil:
			c.Wrote(id, dependents[i].kind, o.Revision)
		case apierrors.IsNotFound(o.Err):
		default:
			return fmt.Errorf("orphaning %s: %w", keyOf(dependents[i].kind, dependents[i].object), o.Err)
		}
	}
	return c.dropFinalizer(ctx, id, m, finalizerOrphan)
}

// reference is an owner reference in JSON.
type reference struct {
	APIVersion         string `json:"apiVersion"`
	Kind               string `json:"kind"`
	Name               string `json:"name"`
	UID                string `json:"uid"`
	Controller         *bool  `json:"controller,omitempty"`
	BlockOwnerDeletion *bool  `json:"blockOwnerDeletion,omitempty"`
}

func ownersPatch(m *metav1.ObjectMeta, refs []*metav1.OwnerReference) ([]byte, error) {
	list := make([]reference, 0, len(refs))
	for _, ref := range refs {
		list = append(list, reference{ref.GetApiVersion(), ref.GetKind(), ref.GetName(), ref.GetUid(), ref.Controller, ref.BlockOwnerDeletion})
	}
	return metadataPatch(m, "ownerReferences", list)
}

// metadataPatch replaces one list of an object's metadata, in exactly the state that was looked at.
func metadataPatch(m *metav1.ObjectMeta, field string, value any) ([]byte, error) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": m.GetUid(), "resourceVersion": m.GetResourceVersion(), field: value,
	}})
	if err != nil {
		return nil, fmt.Errorf("encoding a patch of %s: %w", field, err)
	}
	return patch, nil
}

// setOwners changes the references of target on behalf of the key id.
func (c *Controller) setOwners(ctx context.Context, id, target key, m *metav1.ObjectMeta, refs []*metav1.OwnerReference) error {
	patch, err := ownersPatch(m, refs)
	if err != nil {
		return err
	}
	return c.patch(ctx, id, target, patch)
}

func (c *Controller) dropFinalizer(ctx context.Context, id key, m *metav1.ObjectMeta, finalizer string) error {
	left := slices.DeleteFunc(slices.Clone(m.GetFinalizers()), func(f string) bool { return f == finalizer })
	if left == nil {
		left = []string{}
	}
	patch, err := metadataPatch(m, "finalizers", left)
	if err != nil {
		return err
	}
	return c.patch(ctx, id, id, patch)
}

func (c *Controller) patch(ctx context.Context, id, target key, patch []byte) error {
	o := writes.One(ctx, c.env.Pipeline, writes.Patch(target.kind.Client.Ref(target.namespace, target.name, ""), client.MergePatch, patch))
	switch {
	case o.Err == nil:
		c.Wrote(id, target.kind, o.Revision)
	case apierrors.IsNotFound(o.Err):
	case apierrors.IsConflict(o.Err):
		return c.catchUp(ctx, id, target, o.Err)
	default:
		return fmt.Errorf("patching %s: %w", target, o.Err)
	}
	return nil
}

func groupOf(apiVersion string) string {
	group, _, found := strings.Cut(apiVersion, "/")
	if !found {
		return ""
	}
	return group
}

func refOf(id key) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		Kind: id.kind.Kind.Kind, ApiVersion: id.kind.APIVersion(), Namespace: id.namespace, Name: id.name, Uid: id.uid,
	}
}

func describe(ref *metav1.OwnerReference) string {
	return fmt.Sprintf("[%s/%s, name: %s, uid: %s]", ref.GetApiVersion(), ref.GetKind(), ref.GetName(), ref.GetUid())
}
