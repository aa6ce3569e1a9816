// Package convert brings custom objects from one version to another by asking the webhook of their definition.
package convert

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// Caller sends a request to a webhook and returns its answer.
type Caller interface {
	Call(ctx context.Context, c *apiextensionsv1.WebhookClientConfig, body []byte) ([]byte, error)
}

// Webhook converts the objects of one definition. It implements schema.Converter.
type Webhook struct {
	caller  Caller
	config  *apiextensionsv1.WebhookClientConfig
	version string
}

// New returns the converter of a definition; nil where its versions differ in apiVersion alone.
func New(c *apiextensionsv1.CustomResourceConversion, caller Caller) *Webhook {
	if c.GetStrategy() != "Webhook" {
		return nil
	}
	w := &Webhook{caller: caller, config: c.GetWebhook().GetClientConfig()}
	for _, v := range c.GetWebhook().GetConversionReviewVersions() {
		if v == "v1" || v == "v1beta1" {
			w.version = v
			break
		}
	}
	return w
}

// perCall is how many objects are sent at once.
const perCall = 1000

// Convert implements schema.Converter.
func (w *Webhook) Convert(ctx context.Context, objects []*metav1.CustomObject, from, to *schema.Kind) ([]*metav1.CustomObject, error) {
	var out []*metav1.CustomObject
	for chunk := range slices.Chunk(objects, perCall) {
		converted, err := w.some(ctx, chunk, from, to)
		if err != nil {
			return nil, apierrors.NewInternal(fmt.Errorf("conversion webhook for %s, Kind=%s failed: %w", from.APIVersion(), from.Kind, err))
		}
		out = append(out, converted...)
	}
	return out, nil
}

// review is a ConversionReview in either version: they look alike.
type review struct {
	Kind       string    `json:"kind"`
	APIVersion string    `json:"apiVersion"`
	Request    *request  `json:"request,omitempty"`
	Response   *response `json:"response,omitempty"`
}

type request struct {
	UID               string            `json:"uid"`
	DesiredAPIVersion string            `json:"desiredAPIVersion"`
	Objects           []json.RawMessage `json:"objects"`
}

type response struct {
	UID              string            `json:"uid"`
	ConvertedObjects []json.RawMessage `json:"convertedObjects"`
	Result           struct {
		Status  string `json:"status"`
		Message string `json:"message"`
		Reason  string `json:"reason"`
	} `json:"result"`
}

func (w *Webhook) some(ctx context.Context, objects []*metav1.CustomObject, from, to *schema.Kind) ([]*metav1.CustomObject, error) {
	if w.version == "" {
		return nil, fmt.Errorf("no conversion review version of the definition is supported")
	}
	ask := &request{UID: uuid.NewString(), DesiredAPIVersion: to.APIVersion()}
	for _, o := range objects {
		b, err := codec.AppendMessage(nil, o, codec.EncodeOptions{APIVersion: from.APIVersion(), Kind: from.Kind})
		if err != nil {
			return nil, err
		}
		ask.Objects = append(ask.Objects, b)
	}
	body, err := json.Marshal(review{Kind: "ConversionReview", APIVersion: "apiextensions.k8s.io/" + w.version, Request: ask})
	if err != nil {
		return nil, err
	}
	answer, err := w.caller.Call(ctx, w.config, body)
	if err != nil {
		return nil, err
	}
	var got review
	if err := json.Unmarshal(answer, &got); err != nil {
		return nil, fmt.Errorf("invalid response: %w", err)
	}
	switch r := got.Response; {
	case r == nil:
		return nil, fmt.Errorf("no response provided")
	case r.UID != ask.UID:
		return nil, fmt.Errorf("expected response.uid=%q, got %q", ask.UID, r.UID)
	case r.Result.Status != "Success":
		if r.Result.Message != "" {
			return nil, fmt.Errorf("%s", r.Result.Message)
		}
		return nil, fmt.Errorf("response.result.status was %q, not \"Success\"", r.Result.Status)
	case len(r.ConvertedObjects) != len(objects):
		return nil, fmt.Errorf("expected %d converted objects, got %d", len(objects), len(r.ConvertedObjects))
	}
	out := make([]*metav1.CustomObject, len(objects))
	for i, raw := range got.Response.ConvertedObjects {
		if out[i], err = read(raw, objects[i], to); err != nil {
			return nil, fmt.Errorf("invalid converted object at index %d: %w", i, err)
		}
	}
	return out, nil
}

// read takes a converted object over. Of its metadata only labels and annotations may have changed.
func read(raw []byte, original *metav1.CustomObject, to *schema.Kind) (*metav1.CustomObject, error) {
	var tm codec.TypeMeta
	obj := &metav1.CustomObject{}
	if _, err := codec.Unmarshal(raw, obj, codec.DecodeOptions{TypeMeta: &tm}); err != nil {
		return nil, err
	}
	switch {
	case tm.APIVersion != to.APIVersion():
		return nil, fmt.Errorf("invalid groupVersion (from %s to %s)", to.APIVersion(), tm.APIVersion)
	case tm.Kind != to.Kind:
		return nil, fmt.Errorf("invalid kind: %s", tm.Kind)
	}
	was, now := original.GetMetadata(), obj.GetMetadata()
	for _, f := range []struct{ name, was, now string }{
		{"metadata.name", was.GetName(), now.GetName()},
		{"metadata.namespace", was.GetNamespace(), now.GetNamespace()}, {"metadata.uid", was.GetUid(), now.GetUid()},
	} {
		if f.was != f.now {
			return nil, fmt.Errorf("%s: Invalid value: %q: field is immutable", f.name, f.now)
		}
	}
	meta := &metav1.ObjectMeta{
		Name: was.GetName(), GenerateName: was.GetGenerateName(), Namespace: was.GetNamespace(), Uid: was.GetUid(),
		ResourceVersion: was.GetResourceVersion(), Generation: was.GetGeneration(), CreationTimestamp: was.GetCreationTimestamp(),
		DeletionTimestamp: was.GetDeletionTimestamp(), DeletionGracePeriodSeconds: was.DeletionGracePeriodSeconds,
		Labels: now.GetLabels(), Annotations: now.GetAnnotations(), OwnerReferences: was.GetOwnerReferences(),
		Finalizers: was.GetFinalizers(), ManagedFields: was.GetManagedFields(),
	}
	obj.Metadata = meta
	return obj, nil
}
