package customresource

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/keelson/keelson/apiserver/internal/authz/feed"
	"github.com/keelson/keelson/apiserver/internal/customresource/definition"
	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/schema"
)

// patience bounds every wait; only a failing server makes it pass.
const patience = 20 * time.Second

type harness struct {
	testing.TB
	ctx    context.Context
	store  store.Store
	caller caller
	s      *pipeline.Server
	stop   func()
}

// caller answers conversion reviews.
type caller struct {
	answer func(body []byte) ([]byte, error)
}

func (c caller) Call(_ context.Context, _ *apiextensionsv1.WebhookClientConfig, body []byte) ([]byte, error) {
	return c.answer(body)
}

func start(t testing.TB) *harness {
	ctx, cancel := context.WithTimeout(feed.Context(t.Context()), patience)
	t.Cleanup(cancel)
	h := &harness{TB: t, ctx: ctx, store: memory.New()}
	t.Cleanup(func() { h.store.Close() })
	h.caller.answer = rename
	h.run()
	t.Cleanup(func() { h.stop() })
	return h
}

// run starts a server over the store.
func (h *harness) run() {
	h.Helper()
	s, err := pipeline.New(pipeline.Config{Registry: schema.Builtin().Fork(), Store: h.store, Admission: []pipeline.Admission{definition.New()}})
	if err != nil {
		h.Fatal(err)
	}
	if err := s.Start(h.ctx); err != nil {
		h.Fatal(err)
	}
	c := New(Options{Server: s, Caller: h.caller, Logger: zaptest.NewLogger(h.TB)})
	ctx, cancel := context.WithCancel(h.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	h.s, h.stop = s, func() {
		cancel()
		<-done
		s.Close()
	}
	if err := c.WaitForSync(h.ctx); err != nil {
		h.Fatal(err)
	}
}

func at(group, version, plural, namespace, name, sub string) *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: group, Version: version, Plural: plural}, Namespace: namespace, Name: name, Subresource: sub}
}

func foo(version, name string) *resourcev1.ObjectRef {
	return at("example.com", version, "foos", "default", name, "")
}

func (h *harness) create(ref *resourcev1.ObjectRef, body string) error {
	_, err := h.s.Create(h.ctx, &resourcev1.CreateRequest{Ref: ref, Object: &resourcev1.Object{Raw: []byte(body), Encoding: resourcev1.Encoding_ENCODING_JSON},
		Options: &resourcev1.WriteOptions{FieldValidation: "Strict"}})
	return err
}

func (h *harness) patch(ref *resourcev1.ObjectRef, body string) error {
	_, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{Ref: ref, Type: resourcev1.PatchType_PATCH_TYPE_MERGE, Patch: []byte(body)})
	return err
}

func (h *harness) get(ref *resourcev1.ObjectRef) (map[string]any, error) {
	it, err := h.s.Get(h.ctx, &resourcev1.GetRequest{Ref: ref})
	if err != nil {
		return nil, err
	}
	b, err := it.JSON()
	if err != nil {
		return nil, err
	}
	v, err := codec.ParseTree(b)
	return v.(map[string]any), err
}

func crd(group, plural, kind, versions string, more ...string) string {
	return fmt.Sprintf(`{"metadata":{"name":"%s.%s"},"spec":{"group":"%s","scope":"Namespaced","names":{"plural":"%s","kind":"%s","shortNames":["fo"]},"versions":[%s]%s}}`,
		plural, group, group, plural, kind, versions, strings.Join(more, ""))
}

func version(name string, storage bool, spec string, more ...string) string {
	return fmt.Sprintf(`{"name":"%s","served":true,"storage":%v,"subresources":{"status":{}},"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":%s}}}%s}`,
		name, storage, spec, strings.Join(more, ""))
}

const simple = `{"type":"object","required":["a"],"properties":{"a":{"type":"string","maxLength":5},"b":{"type":"integer","default":7}},
	"x-kubernetes-validations":[{"rule":"self.b < 10","message":"b is too big"},{"rule":"self.a == oldSelf.a","fieldPath":".a","reason":"FieldValueForbidden"}]}`

func (h *harness) define(body string) {
	h.Helper()
	if err := h.create(at(group, "v1", plural, "", "", ""), body); err != nil {
		h.Fatal(err)
	}
	var named struct{ Metadata struct{ Name string } }
	if err := json.Unmarshal([]byte(body), &named); err != nil {
		h.Fatal(err)
	}
	h.condition(named.Metadata.Name, established, "True")
}

// condition waits until a definition says so.
func (h *harness) condition(name, typ, status string) *apiextensionsv1.CustomResourceDefinition {
	h.Helper()
	w, err := h.s.Watch(h.ctx, &resourcev1.WatchOpen{Selection: &resourcev1.Selection{Resource: at(group, "v1", plural, "", "", "").Resource, FieldSelector: "metadata.name=" + name}})
	if err != nil {
		h.Fatal(err)
	}
	defer w.Close()
	for {
		events, err := w.Next(h.ctx)
		if err != nil {
			h.Fatalf("%s never became %s=%s: %v", name, typ, status, err)
		}
		for _, e := range events {
			if e.Item == nil {
				continue
			}
			if status == "" {
				if e.Type == resourcev1.EventType_EVENT_TYPE_DELETED {
					return nil
				}
				continue
			}
			obj, err := e.Item.Decode()
			if err != nil {
				h.Fatal(err)
			}
			crd := obj.(*apiextensionsv1.CustomResourceDefinition)
			for _, c := range crd.GetStatus().GetConditions() {
				if c.GetType() == typ && c.GetStatus() == status {
					return crd
				}
			}
		}
	}
}

func wantError(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %q", err, text)
	}
}

func TestServesWhatIsDefined(t *testing.T) {
	h := start(t)
	h.define(crd("example.com", "foos", "Foo", version("v1", true, simple)))
	if err := h.create(foo("v1", ""), `{"apiVersion":"example.com/v1","kind":"Foo","metadata":{"name":"x"},"spec":{"a":"1"}}`); err != nil {
		t.Fatal(err)
	}
	obj, err := h.get(foo("v1", "x"))
	if v, _ := schema.Walk(obj, []string{"spec", "b"}); err != nil || v != int64(7) {
		t.Error(obj, err)
	}
	wantError(t, h.create(foo("v1", ""), `{"metadata":{"name":"y"},"spec":{"a":"1","c":2}}`), `strict decoding error: unknown field "spec.c"`)
	wantError(t, h.create(foo("v1", ""), `{"metadata":{"name":"y"},"spec":{}}`), `spec.a: Required value`)
	wantError(t, h.create(foo("v1", ""), `{"metadata":{"name":"y"},"spec":{"a":"123456"}}`), `spec.a: Too long: may not be more than 5 bytes`)
	wantError(t, h.create(foo("v1", ""), `{"metadata":{"name":"y"},"spec":{"a":5}}`), `spec.a: Invalid value: "integer": spec.a in body must be of type string: "integer"`)
	wantError(t, h.create(foo("v1", ""), `{"metadata":{"name":"y"},"spec":{"a":"1","b":10}}`), `spec: Invalid value: b is too big`)
	wantError(t, h.patch(foo("v1", "x"), `{"spec":{"a":"2"}}`), `spec.a: Forbidden: failed rule: self.a == oldSelf.a`)

	// Another server over the same store serves it all from its start.
	h.stop()
	h.run()
	if obj, err = h.get(foo("v1", "x")); err != nil || obj["kind"] != "Foo" {
		t.Fatal(obj, err)
	}

	// What has become invalid may stay, but not come.
	stricter := strings.ReplaceAll(simple, `"maxLength":5`, `"maxLength":5,"pattern":"^z"`)
	if err := h.patch(at(group, "v1", plural, "", "foos.example.com", ""), `{"spec":{"versions":[`+version("v1", true, stricter)+`]}}`); err != nil {
		t.Fatal(err)
	}
	for { // until the change has been taken over
		err := h.create(foo("v1", ""), `{"metadata":{"generateName":"n-"},"spec":{"a":"1"}}`)
		if err != nil {
			wantError(t, err, `spec.a in body should match '^z'`)
			break
		}
		if h.ctx.Err() != nil {
			t.Fatal("never became stricter")
		}
	}
	if err := h.patch(foo("v1", "x"), `{"spec":{"b":8}}`); err != nil {
		t.Error(err)
	}
}

func TestNamesInUse(t *testing.T) {
	h := start(t)
	h.define(crd("example.com", "foos", "Foo", version("v1", true, simple)))
	if err := h.create(at(group, "v1", plural, "", "", ""), crd("example.com", "bars", "Foo", version("v1", true, simple))); err != nil {
		t.Fatal(err)
	}
	second := h.condition("bars.example.com", namesAccepted, "False")
	for _, c := range second.GetStatus().GetConditions() {
		if c.GetType() == namesAccepted && (c.GetReason() != "ShortNamesConflict" && c.GetReason() != "ListKindConflict" && c.GetReason() != "KindConflict") {
			t.Error(c)
		}
	}
	if _, err := h.get(at("example.com", "v1", "bars", "default", "x", "")); !apierrors.IsNotFound(err) || strings.Contains(err.Error(), `"x"`) {
		t.Error("it is served", err)
	}
	// Once the first one is gone the names are free.
	if _, err := h.s.Delete(h.ctx, &resourcev1.DeleteRequest{Ref: at(group, "v1", plural, "", "foos.example.com", "")}); err != nil {
		t.Fatal(err)
	}
	h.condition("bars.example.com", established, "True")
}

func TestDeletionTakesTheObjectsAlong(t *testing.T) {
	h := start(t)
	h.define(crd("example.com", "foos", "Foo", version("v1", true, simple)))
	for _, name := range []string{"x", "y"} {
		if err := h.create(foo("v1", ""), `{"metadata":{"name":"`+name+`","finalizers":["example.com/`+name+`"]},"spec":{"a":"1"}}`); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.s.Delete(h.ctx, &resourcev1.DeleteRequest{Ref: at(group, "v1", plural, "", "foos.example.com", "")}); err != nil {
		t.Fatal(err)
	}
	h.condition("foos.example.com", "Terminating", "True")
	for {
		err := h.create(foo("v1", ""), `{"metadata":{"generateName":"late-","finalizers":[]},"spec":{"a":"1"}}`)
		if err != nil {
			if wantError(t, err, "create not allowed while custom resource definition is terminating"); !apierrors.IsForbidden(err) {
				t.Errorf("%v", err)
			}
			break
		}
	}
	// A restart in the middle changes nothing.
	h.stop()
	h.run()
	for _, name := range []string{"x", "y"} {
		if err := h.patch(foo("v1", name), `{"metadata":{"finalizers":null}}`); err != nil {
			t.Fatal(err)
		}
	}
	for {
		if _, err := h.get(at(group, "v1", plural, "", "foos.example.com", "")); apierrors.IsNotFound(err) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	list, err := h.store.List(h.ctx, store.Range{Prefix: "/registry/example.com/"})
	if err != nil || len(list.KVs) > 0 {
		t.Error(list.KVs, err)
	}
}

const webhook = `,"conversion":{"strategy":"Webhook","webhook":{"conversionReviewVersions":["v1"],"clientConfig":{"url":"https://example.com/"}}}`

// rename is a webhook for which spec.a of v1 is spec.z of v2.
func rename(body []byte) ([]byte, error) {
	var review struct {
		Request struct {
			UID               string           `json:"uid"`
			DesiredAPIVersion string           `json:"desiredAPIVersion"`
			Objects           []map[string]any `json:"objects"`
		} `json:"request"`
	}
	if err := json.Unmarshal(body, &review); err != nil {
		return nil, err
	}
	for _, o := range review.Request.Objects {
		spec := o["spec"].(map[string]any)
		o["apiVersion"] = review.Request.DesiredAPIVersion
		from, to := "a", "z"
		if strings.HasSuffix(review.Request.DesiredAPIVersion, "/v1") {
			from, to = to, from
		}
		spec[to] = spec[from]
		delete(spec, from)
	}
	return json.Marshal(map[string]any{"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": map[string]any{
		"uid": review.Request.UID, "result": map[string]any{"status": "Success"}, "convertedObjects": review.Request.Objects}})
}

func TestVersionsAreConvertedByAWebhook(t *testing.T) {
	h := start(t)
	a := `{"type":"object","properties":{"a":{"type":"string"},"n":{"type":"integer"}}}`
	z := `{"type":"object","properties":{"z":{"type":"string"},"n":{"type":"integer"}}}`
	h.define(crd("example.com", "foos", "Foo", version("v1", true, a)+","+version("v2", false, z, `,"selectableFields":[{"jsonPath":".spec.z"}]`), webhook))
	if err := h.create(foo("v2", ""), `{"metadata":{"name":"x"},"spec":{"z":"hello"}}`); err != nil {
		t.Fatal(err)
	}
	for v, field := range map[string]string{"v1": "a", "v2": "z"} {
		obj, err := h.get(foo(v, "x"))
		if got, _ := schema.Walk(obj, []string{"spec", field}); err != nil || got != "hello" || obj["apiVersion"] != "example.com/"+v {
			t.Error(v, obj, err)
		}
	}
	if kv, err := h.store.Get(h.ctx, "/registry/example.com/foos/default/x"); err != nil || !strings.Contains(string(kv.Value), `"apiVersion":"example.com/v1"`) {
		t.Errorf("%s %v", kv.Value, err)
	}
	if err := h.patch(foo("v2", "x"), `{"spec":{"n":3}}`); err != nil {
		t.Fatal(err)
	}
	w, err := h.s.Watch(h.ctx, &resourcev1.WatchOpen{Selection: &resourcev1.Selection{Resource: foo("v2", "").Resource}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	events, err := w.Next(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	b, err := events[0].Item.JSON()
	if err != nil || !strings.Contains(string(b), `"spec":{"n":3,"z":"hello"}`) {
		t.Errorf("%s %v", b, err)
	}
}

func TestConversionFails(t *testing.T) {
	h := start(t)
	h.stop()
	h.caller.answer = func([]byte) ([]byte, error) { return nil, fmt.Errorf("nobody is there") }
	h.run()
	any := `{"type":"object","x-kubernetes-preserve-unknown-fields":true}`
	h.define(crd("example.com", "foos", "Foo", version("v1", true, any)+","+version("v2", false, any), webhook))
	if err := h.create(foo("v1", ""), `{"metadata":{"name":"x"},"spec":{}}`); err != nil {
		t.Fatal(err)
	}
	_, err := h.get(foo("v2", "x"))
	wantError(t, err, "conversion webhook for example.com/v1, Kind=Foo failed: nobody is there")
}
