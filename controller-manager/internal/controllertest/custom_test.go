package controllertest

import (
	"strings"
	"testing"

	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

// custom is a cluster to which custom kinds can be added.
func custom(t *testing.T) *Cluster {
	return New(t, func(c *pipeline.Config) { c.Registry = schema.Builtin().Fork() })
}

var widgetKind = client.Kind{Group: "example.com", Version: "v1", Kind: "Widget", Plural: "widgets", Namespaced: true}

// serveWidgets does what the API server does with a definition: it serves the kind, then says so.
func (c *Cluster) serveWidgets(t *testing.T) *client.Client[*metav1.CustomObject] {
	t.Helper()
	k := schema.NewCustom(schema.Kind{Group: "example.com", Version: "v1", Kind: "Widget", Plural: "widgets", Singular: "widget",
		Namespaced: true, Served: true, StorageVersion: "example.com/v1"})
	if err := c.Pipeline().SetCustom(t.Context(), []*schema.Kind{k}); err != nil {
		t.Fatal(err)
	}
	names := &apiextensionsv1.CustomResourceDefinitionNames{Plural: "widgets", Singular: "widget", Kind: "Widget", ListKind: "WidgetList"}
	d := apitest.Create(t, c.Server, &apiextensionsv1.CustomResourceDefinition{
		Metadata: &metav1.ObjectMeta{Name: "widgets.example.com"},
		Spec: &apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "example.com", Scope: "Namespaced", Names: names,
			Versions: []*apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true, Schema: &apiextensionsv1.CustomResourceValidation{
				OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XKubernetesPreserveUnknownFields: proto.Bool(true)},
			}}},
		},
	})
	d.Status = &apiextensionsv1.CustomResourceDefinitionStatus{AcceptedNames: names, StoredVersions: []string{"v1"}}
	for _, kind := range []string{"NamesAccepted", "Established"} {
		d.Status.Conditions = append(d.Status.Conditions, &apiextensionsv1.CustomResourceDefinitionCondition{
			Type: kind, Status: "True", Reason: "Test", LastTransitionTime: apitime.Now(),
		})
	}
	if _, err := client.For[*apiextensionsv1.CustomResourceDefinition](c.Conn).UpdateStatus(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return client.Custom(c.Conn, widgetKind)
}

func widget(t *testing.T, widgets *client.Client[*metav1.CustomObject], m *metav1.ObjectMeta) *metav1.CustomObject {
	t.Helper()
	w, err := widgets.Create(t.Context(), &metav1.CustomObject{Metadata: m, Body: []byte(`{"spec":{}}`)})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func ownedBy(apiVersion, kind string, m *metav1.ObjectMeta) []*metav1.OwnerReference {
	return []*metav1.OwnerReference{{ApiVersion: apiVersion, Kind: kind, Name: m.GetName(), Uid: m.GetUid(), Controller: proto.Bool(true), BlockOwnerDeletion: proto.Bool(true)}}
}

// gone waits until a widget does not exist.
func gone(t *testing.T, widgets *client.Client[*metav1.CustomObject], namespace, name string) {
	t.Helper()
	w, err := widgets.Watch(t.Context(), client.WatchOptions{Namespace: namespace, FieldSelector: "metadata.name=" + name, SendInitialEvents: true, AllowBookmarks: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for there := false; ; {
		events, err := w.Next()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			switch {
			case e.Type == client.Deleted, e.Type == client.Bookmark && e.InitialEventsEnd && !there:
				return
			case e.Type != client.Bookmark:
				there = true
			}
		}
	}
}

// TestGarbageOfCustomKinds has owners and dependents of built-in kinds and of one that is added while the collector runs.
func TestGarbageOfCustomKinds(t *testing.T) {
	c := custom(t)
	c.Run(nil, "garbagecollector")
	c.configMap(t, "first", false)
	apitest.Create(t, c.Server, &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{
		Namespace: "default", Name: "early", OwnerReferences: ownedBy("example.com/v1", "Widget", &metav1.ObjectMeta{Name: "early", Uid: "early"}),
	}})
	// Its owner's deletion is never seen: it was gone before anybody looked at its kind.
	widgets := c.serveWidgets(t)
	apitest.AwaitGone[*corev1.ConfigMap](t, c.Server, "default", "early")
	for _, policy := range []string{client.Background, client.Foreground, client.Orphan} {
		t.Run(policy, func(t *testing.T) {
			name := strings.ToLower(policy)
			root := widget(t, widgets, &metav1.ObjectMeta{Namespace: "default", Name: name})
			middle := apitest.Create(t, c.Server, &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{
				Namespace: "default", Name: name, OwnerReferences: ownedBy("example.com/v1", "Widget", root.GetMetadata()),
			}})
			widget(t, widgets, &metav1.ObjectMeta{
				Namespace: "default", Name: name + "-leaf", OwnerReferences: ownedBy("v1", "ConfigMap", middle.GetMetadata()),
			})
			if err := widgets.Delete(t.Context(), "default", name, client.DeleteOptions{PropagationPolicy: policy}); err != nil {
				t.Fatal(err)
			}
			gone(t, widgets, "default", name)
			if policy == client.Orphan {
				apitest.Await(t, c.Server, "default", name, func(m *corev1.ConfigMap) bool { return len(m.GetMetadata().GetOwnerReferences()) == 0 })
				return
			}
			apitest.AwaitGone[*corev1.ConfigMap](t, c.Server, "default", name)
			gone(t, widgets, "default", name+"-leaf")
		})
	}
	// An owner that never was.
	widget(t, widgets, &metav1.ObjectMeta{Namespace: "default", Name: "lost", OwnerReferences: ownedBy("v1", "ConfigMap", &metav1.ObjectMeta{Name: "x", Uid: "x"})})
	gone(t, widgets, "default", "lost")
}

// TestNamespaceWithCustomObjects says what holds a namespace, and lets it go.
func TestNamespaceWithCustomObjects(t *testing.T) {
	c := custom(t)
	c.Run(nil, "namespace", "garbagecollector")
	widgets := c.serveWidgets(t)
	apitest.Create(t, c.Server, &corev1.Namespace{Metadata: &metav1.ObjectMeta{Name: "team"}})
	widget(t, widgets, &metav1.ObjectMeta{Namespace: "team", Name: "plain"})
	widget(t, widgets, &metav1.ObjectMeta{Namespace: "team", Name: "held", Finalizers: []string{"example.com/hold"}})
	if err := client.For[*corev1.Namespace](c.Conn).Delete(t.Context(), "", "team"); err != nil {
		t.Fatal(err)
	}
	apitest.Await(t, c.Server, "", "team", func(n *corev1.Namespace) bool {
		said := map[string]string{}
		for _, cond := range n.GetStatus().GetConditions() {
			if cond.GetStatus() == "True" {
				said[cond.GetType()] = cond.GetMessage()
			}
		}
		return said["NamespaceContentRemaining"] == "Some resources are remaining: widgets.example.com has 1 resource instances (held)" &&
			said["NamespaceFinalizersRemaining"] == "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
	})
	if _, err := widgets.Patch(t.Context(), "team", "held", client.MergePatch, []byte(`{"metadata":{"finalizers":null}}`)); err != nil {
		t.Fatal(err)
	}
	apitest.AwaitGone[*corev1.Namespace](t, c.Server, "", "team")
}
