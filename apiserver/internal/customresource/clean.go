package customresource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	definitions "github.com/keelson/keelson/proto/pipeline/kinds/apiextensions"
)

// clean begins to remove the objects of a definition that is being deleted, in a goroutine of its own: finalizers may
// hold them for as long as they like.
func (c *Controller) clean(ctx context.Context, crd *apiextensionsv1.CustomResourceDefinition) {
	meta := crd.GetMetadata()
	id := meta.GetUid()
	if meta.GetDeletionTimestamp() == nil || !slices.Contains(meta.GetFinalizers(), definitions.Finalizer) || c.cleaning[id] {
		return
	}
	c.cleaning[id] = true
	c.wg.Go(func() {
		c.cleanAll(ctx, meta.GetName(), id)
		select {
		case c.finished <- id:
		case <-ctx.Done():
		}
	})
}

// cleanAll removes the objects and lets the definition go, however often it has to try.
func (c *Controller) cleanAll(ctx context.Context, name, uid string) {
	retry := firstRetry
	for ctx.Err() == nil {
		err := c.cleanOnce(ctx, name, uid)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			return
		}
		c.o.Logger.Warn("objects of a definition cannot be removed", zap.String("definition", name), zap.Error(err))
		timer := time.NewTimer(retry)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
		retry = min(2*retry, lastRetry)
	}
}

func (c *Controller) cleanOnce(ctx context.Context, name, uid string) error {
	crd, err := c.read(ctx, name)
	if apierrors.IsNotFound(err) || err == nil && crd.GetMetadata().GetUid() != uid {
		return nil
	} else if err != nil {
		return err
	}
	c.terminating(ctx, crd, "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
	selection := &resourcev1.Selection{Resource: &resourcev1.Resource{Group: crd.GetSpec().GetGroup(), Plural: crd.GetStatus().GetAcceptedNames().GetPlural()}}
	if err := c.empty(ctx, selection); err != nil {
		if now, readErr := c.read(ctx, name); readErr == nil {
			c.terminating(ctx, now, "True", "InstanceDeletionFailed", fmt.Sprintf("could not delete all instances: %v", err))
		}
		return err
	}
	if crd, err = c.read(ctx, name); err != nil {
		return err
	}
	c.terminating(ctx, crd, "False", "InstanceDeletionCompleted", "removed all instances")
	if crd, err = c.read(ctx, name); err != nil {
		return err
	}
	var rest []any
	for _, f := range crd.GetMetadata().GetFinalizers() {
		if f != definitions.Finalizer {
			rest = append(rest, f)
		}
	}
	meta := map[string]any{"resourceVersion": crd.GetMetadata().GetResourceVersion(), "finalizers": rest}
	if err := c.patch(ctx, crd, "", map[string]any{"metadata": meta}); err != nil {
		return err
	}
	if now, err := c.read(ctx, name); err == nil && now.GetMetadata().GetUid() == uid && slices.Contains(now.GetMetadata().GetFinalizers(), definitions.Finalizer) {
		return errors.New("the definition has changed meanwhile")
	}
	return nil
}

// empty deletes all objects of a kind and waits until none is left.
func (c *Controller) empty(ctx context.Context, selection *resourcev1.Selection) error {
	for {
		_, err := c.o.Server.DeleteCollection(ctx, &resourcev1.DeleteCollectionRequest{Selection: selection})
		if apierrors.IsNotFound(err) {
			return nil // never served, thus without objects
		} else if err != nil {
			return err
		}
		done, err := c.gone(ctx, selection)
		if err != nil || done {
			return err
		}
	}
}

// gone watches until no object is left. It is false where the watch ended before.
func (c *Controller) gone(ctx context.Context, selection *resourcev1.Selection) (bool, error) {
	w, err := c.o.Server.Watch(ctx, &resourcev1.WatchOpen{Selection: selection, SendInitialEvents: true, ResourceVersionMatch: "NotOlderThan"})
	if err != nil {
		return apierrors.IsNotFound(err), ignoreNotFound(err)
	}
	defer w.Close()
	left, complete := map[[2]string]bool{}, false
	for {
		events, err := w.Next(ctx)
		if errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		for _, e := range events {
			complete = complete || e.InitialEventsEnd
			if e.Item == nil {
				continue
			}
			if k := [2]string{e.Item.Namespace, e.Item.Name}; e.Type == resourcev1.EventType_EVENT_TYPE_DELETED {
				delete(left, k)
			} else {
				left[k] = true
			}
		}
		if complete && len(left) == 0 {
			return true, nil
		}
	}
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (c *Controller) read(ctx context.Context, name string) (*apiextensionsv1.CustomResourceDefinition, error) {
	it, err := c.o.Server.Get(ctx, &resourcev1.GetRequest{Ref: &resourcev1.ObjectRef{
		Resource: &resourcev1.Resource{Group: group, Version: "v1", Plural: plural}, Name: name}})
	if err != nil {
		return nil, err
	}
	obj, err := it.Decode()
	if err != nil {
		return nil, err
	}
	return obj.(*apiextensionsv1.CustomResourceDefinition), nil
}

// terminating notes how far the deletion is; a note that fails is no reason to stop.
func (c *Controller) terminating(ctx context.Context, crd *apiextensionsv1.CustomResourceDefinition, status, reason, message string) {
	want := &apiextensionsv1.CustomResourceDefinitionStatus{}
	if crd.Status != nil {
		want = proto.Clone(crd.Status).(*apiextensionsv1.CustomResourceDefinitionStatus)
	}
	definitions.Set(want, &apiextensionsv1.CustomResourceDefinitionCondition{Type: definitions.Terminating, Status: status, Reason: reason, Message: message}, c.o.Clock())
	if err := c.writeStatus(ctx, crd, want); err != nil {
		c.o.Logger.Warn("status of a definition cannot be written", zap.String("definition", crd.GetMetadata().GetName()), zap.Error(err))
	}
}
