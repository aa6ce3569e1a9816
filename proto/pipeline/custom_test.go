package pipeline_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/schema"
)

const widgets = "example.com"

// widget is a custom kind without a schema.
func widget(version, storage string, change ...func(*schema.Kind)) *schema.Kind {
	k := schema.Kind{Group: widgets, Version: version, Kind: "Widget", Plural: "widgets", Singular: "widget", Namespaced: true,
		Served: true, StorageVersion: widgets + "/" + storage, Scale: &schema.Scale{Spec: []string{"spec", "replicas"}, Status: []string{"status", "replicas"}},
		Subresources: []schema.Subresource{{Name: "status", Group: widgets, Version: version, Kind: "Widget", Verbs: []string{"get", "patch", "update"}},
			{Name: "scale", Group: "autoscaling", Version: "v1", Kind: "Scale", Verbs: []string{"get", "patch", "update"}}}}
	for _, c := range change {
		c(&k)
	}
	return schema.NewCustom(k)
}

func startCustom(t *testing.T, kinds ...*schema.Kind) *harness {
	h := start(t, func(c *pipeline.Config) { c.Registry = schema.Builtin().Fork() })
	if err := h.s.SetCustom(h.ctx, kinds); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *harness) json(it *pipeline.Item) map[string]any {
	h.Helper()
	b, err := it.JSON()
	if err != nil {
		h.Fatal(err)
	}
	tree, err := codec.ParseTree(b)
	if err != nil {
		h.Fatal(err)
	}
	return tree.(map[string]any)
}

func (h *harness) createWidget(body string) *pipeline.Item {
	h.Helper()
	res, err := h.s.Create(h.ctx, &resourcev1.CreateRequest{Ref: ref(widgets, "widgets", "default", ""), Object: text(body)})
	if err != nil {
		h.Fatal(err)
	}
	return res.Item
}

func at(tree map[string]any, path string) any {
	v, _ := schema.Walk(tree, strings.Split(path, "."))
	return v
}

func TestCustomKind(t *testing.T) {
	h := startCustom(t, widget("v1", "v1"))
	it := h.createWidget(`{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w","labels":{"a":"b"}},"spec":{"replicas":2,"x":{"y":[1]}},"status":{"replicas":7}}`)
	tree := h.json(it)
	if at(tree, "apiVersion") != "example.com/v1" || at(tree, "kind") != "Widget" || at(tree, "spec.replicas") != int64(2) || at(tree, "status") != nil {
		t.Fatal(tree)
	}
	w := ref(widgets, "widgets", "default", "w")
	if kv, err := h.store.Get(h.ctx, "/registry/example.com/widgets/default/w"); err != nil || kv.Value[0] != '{' || !strings.Contains(string(kv.Value), `"apiVersion":"example.com/v1"`) || strings.Contains(string(kv.Value), "resourceVersion") {
		t.Errorf("stored as %s, %v", kv.Value, err)
	}
	got, err := h.get(w)
	if err != nil || at(h.json(got), "metadata.generation") != int64(1) {
		t.Fatal(err, h.json(got))
	}
	patch := func(r *resourcev1.ObjectRef, typ resourcev1.PatchType, body string) map[string]any {
		t.Helper()
		res, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: r, Type: typ, Patch: []byte(body), Options: &resourcev1.WriteOptions{FieldManager: "m"}})
		if err != nil {
			t.Fatal(err)
		}
		return h.json(res.Item)
	}
	merge := resourcev1.PatchType_PATCH_TYPE_MERGE
	tree = patch(sub(ref(widgets, "widgets", "default", "w"), "status"), merge, `{"spec":{"replicas":9},"status":{"replicas":3}}`)
	if at(tree, "spec.replicas") != int64(2) || at(tree, "status.replicas") != int64(3) || at(tree, "metadata.generation") != int64(1) {
		t.Error(tree)
	}
	tree = patch(w, merge, `{"spec":{"replicas":4},"status":{"replicas":5},"metadata":{"annotations":{"n":"1"}}}`)
	if at(tree, "spec.replicas") != int64(4) || at(tree, "status.replicas") != int64(3) || at(tree, "metadata.generation") != int64(2) {
		t.Error(tree)
	}
	tree = patch(w, merge, `{"metadata":{"annotations":{"n":"2"}}}`)
	if at(tree, "metadata.generation") != int64(2) {
		t.Error(tree)
	}
	tree = patch(w, resourcev1.PatchType_PATCH_TYPE_JSON, `[{"op":"add","path":"/spec/x/y/-","value":"z"}]`)
	if y, _ := at(tree, "spec.x.y").([]any); len(y) != 2 {
		t.Error(tree)
	}
	_, err = h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: w, Type: resourcev1.PatchType_PATCH_TYPE_STRATEGIC_MERGE, Patch: []byte(`{}`)})
	if !apierrors.IsUnsupportedMediaType(err) {
		t.Error(err)
	}
	tree = patch(sub(ref(widgets, "widgets", "default", "w"), "scale"), merge, `{"spec":{"replicas":11}}`)
	if at(tree, "kind") != "Scale" || at(tree, "spec.replicas") != int64(11) || at(tree, "status.replicas") != int64(3) {
		t.Error(tree)
	}
	l, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: &resourcev1.Selection{Resource: w.Resource, LabelSelector: "a=b"}})
	if err != nil || len(l.Items) != 1 || at(h.json(l.Items[0]), "spec.replicas") != int64(11) {
		t.Error(l, err)
	}
	if res := h.delete(w, nil); !res.Deleted {
		t.Error("not gone")
	}
}

func TestCustomKindIsApplied(t *testing.T) {
	h := startCustom(t, widget("v1", "v1"))
	w := ref(widgets, "widgets", "default", "w")
	apply := func(manager, body string, force bool) (map[string]any, error) {
		res, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: w, Type: resourcev1.PatchType_PATCH_TYPE_APPLY, Patch: []byte(body), Force: force,
			Options: &resourcev1.WriteOptions{FieldManager: manager}})
		if err != nil {
			return nil, err
		}
		return h.json(res.Item), nil
	}
	if _, err := apply("a", "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {x: 1, z: 2}\n", false); err != nil {
		t.Fatal(err)
	}
	if _, err := apply("b", `{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w"},"spec":{"x":3}}`, false); !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `.spec.x`) {
		t.Error(err)
	}
	tree, err := apply("b", `{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w"},"spec":{"x":3}}`, true)
	if err != nil || at(tree, "spec.x") != int64(3) || at(tree, "spec.z") != int64(2) {
		t.Error(tree, err)
	}
	tree, err = apply("a", `{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w"},"spec":{}}`, false)
	if err != nil || at(tree, "spec.x") != int64(3) || at(tree, "spec.z") != nil {
		t.Error(tree, err)
	}
}

// A kind's versions come and go: objects stay, watches end in order.
func TestCustomKindsChange(t *testing.T) {
	v1 := widget("v1", "v1")
	h := startCustom(t, v1)
	h.createWidget(`{"metadata":{"name":"w"},"spec":{"x":1}}`)
	sel := &resourcev1.Selection{Resource: &resourcev1.Resource{Group: widgets, Version: "v1", Plural: "widgets"}}
	w := h.watch(&resourcev1.WatchOpen{Selection: sel, SendInitialEvents: true})
	if events, err := w.Next(h.ctx); err != nil || events[0].Item.Name != "w" {
		t.Fatal(events, err)
	}
	old, now := widget("v1", "v2"), widget("v2", "v2")
	if err := h.s.SetCustom(h.ctx, []*schema.Kind{old, now}); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := w.Next(h.ctx); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	two := ref(widgets, "widgets", "default", "w")
	two.Resource.Version = "v2"
	it, err := h.get(two)
	if err != nil || at(h.json(it), "apiVersion") != "example.com/v2" || at(h.json(it), "spec.x") != int64(1) {
		t.Fatal(err)
	}
	// A write that changes nothing moves the object to the new storage version.
	b, _ := it.JSON()
	if _, err := h.s.Update(h.ctx, &resourcev1.UpdateRequest{Ref: two, Object: text(string(b))}); err != nil {
		t.Fatal(err)
	}
	if kv, err := h.store.Get(h.ctx, "/registry/example.com/widgets/default/w"); err != nil || !strings.Contains(string(kv.Value), `"example.com/v2"`) {
		t.Errorf("%s %v", kv.Value, err)
	}
	one := ref(widgets, "widgets", "default", "w")
	one.Resource.Version = "v1"
	if it, err = h.get(one); err != nil || at(h.json(it), "apiVersion") != "example.com/v1" {
		t.Error(err)
	}
	w = h.watch(&resourcev1.WatchOpen{Selection: sel})
	if events, err := w.Next(h.ctx); err != nil || at(h.json(events[0].Item), "apiVersion") != "example.com/v1" {
		t.Error(err)
	}
	if err := h.s.SetCustom(h.ctx, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Next(h.ctx); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if _, err := h.get(one); !apierrors.IsNotFound(err) || err.Error() != "the server could not find the requested resource" {
		t.Error(err)
	}
}

// What is written while a kind's state is loaded anew is seen.
func TestCustomKindChangesUnderWrites(t *testing.T) {
	h := startCustom(t, widget("v1", "v1"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20 {
			if err := h.s.SetCustom(h.ctx, []*schema.Kind{widget("v1", "v1", func(k *schema.Kind) { k.SelectableFields = []string{"a"} })}); err != nil {
				t.Error(err)
			}
			if err := h.s.SetCustom(h.ctx, []*schema.Kind{widget("v1", "v1")}); err != nil {
				t.Error(err)
			}
		}
	}()
	for n := range 300 {
		it := h.createWidget(`{"metadata":{"generateName":"w-"},"spec":{"n":1}}`)
		if _, err := h.get(ref(widgets, "widgets", "default", it.Name)); err != nil {
			t.Fatal(n, err)
		}
	}
	<-done
	l, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: &resourcev1.Selection{Resource: &resourcev1.Resource{Group: widgets, Plural: "widgets"}}})
	if err != nil || len(l.Items) != 300 {
		t.Error(len(l.Items), err)
	}
}

func TestCustomMetadataThroughGRPC(t *testing.T) {
	h := startCustom(t, widget("v1", "v1"))
	h.createWidget(`{"metadata":{"name":"w","labels":{"a":"b"}},"spec":{"x":1}}`)
	d := h.s.GRPC()
	w := ref(widgets, "widgets", "default", "w")
	resp, err := d.Get(h.ctx, &resourcev1.GetRequest{Ref: w, Trim: &resourcev1.Trim{MetadataOnly: true}})
	var partial metav1.PartialObjectMetadata
	if err != nil || resp.Object.Encoding != resourcev1.Encoding_ENCODING_PROTOBUF || proto.Unmarshal(resp.Object.Raw, &partial) != nil || partial.Metadata.Labels["a"] != "b" {
		t.Error(resp, err)
	}
	resp, err = d.Get(h.ctx, &resourcev1.GetRequest{Ref: w})
	if err != nil || resp.Object.Encoding != resourcev1.Encoding_ENCODING_JSON || !strings.Contains(string(resp.Object.Raw), `"spec":{"x":1}`) {
		t.Error(resp, err)
	}
}
