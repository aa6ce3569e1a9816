package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kprotobuf "k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// keys are the places in etcd of kinds that are not at /registry/<plural>/.
var keys = map[string]string{
	"endpoints": "services/endpoints", "services": "services/specs", "nodes": "minions", "replicationcontrollers": "controllers", "ingresses": "ingress",
	"customresourcedefinitions": "apiextensions.k8s.io/customresourcedefinitions", "apiservices": "apiregistration.k8s.io/apiservices",
	"widgets": "example.com/widgets",
}

// foreign is an object as Kubernetes has stored it.
type foreign struct {
	*unstructured.Unstructured
	gvr schema.GroupVersionResource
	key string
}

func (f *foreign) resource(c dynamic.Interface) dynamic.ResourceInterface {
	if f.GetNamespace() == "" {
		return c.Resource(f.gvr)
	}
	return c.Resource(f.gvr).Namespace(f.GetNamespace())
}

// kubernetesObjects are one valid object of nearly every kind, and some custom ones.
func kubernetesObjects(t *testing.T) (out []*foreign) {
	t.Helper()
	text := string(must[[]byte](t)(os.ReadFile("../../../proto/compat/testdata/kinds.yaml")))
	text += "\n---\n{apiVersion: example.com/v1, kind: Widget, metadata: {name: one, namespace: n1, uid: w1}, spec: {color: red}}" +
		"\n---\n{apiVersion: example.com/v1, kind: Widget, metadata: {name: two.dots, namespace: n1, uid: w2}, spec: {color: blue, size: 7}}"
	for _, doc := range strings.Split(text, "\n---\n") {
		if strings.Contains(doc, "BUNDLE") || strings.Contains(doc, "REQUEST") {
			continue // need certificates
		}
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		if u.GetUID() == "" {
			u.SetUID(types.UID("uid-" + strings.ToLower(u.GetKind())))
		}
		plural, _ := meta.UnsafeGuessKindToResource(u.GroupVersionKind())
		if u.GetKind() == "Endpoints" {
			plural.Resource = "endpoints"
		}
		path := plural.Resource
		if keys[path] != "" {
			path = keys[path]
		}
		f := &foreign{Unstructured: u, gvr: plural, key: "/registry/" + path + "/" + u.GetName()}
		if u.GetNamespace() != "" {
			f.key = "/registry/" + path + "/" + u.GetNamespace() + "/" + u.GetName()
		}
		out = append(out, f)
	}
	return out
}

// value is what Kubernetes stores for the object.
func (f *foreign) value(t *testing.T) string {
	t.Helper()
	gvk := f.GroupVersionKind()
	if !scheme.Scheme.Recognizes(gvk) { // definitions, API services and custom objects are JSON
		return string(must[[]byte](t)(f.MarshalJSON()))
	}
	obj := must[runtime.Object](t)(scheme.Scheme.New(gvk))
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(f.Object, obj); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := kprotobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(obj, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Values that are no objects of ours, or that nobody can read.
const (
	unreadableKey   = "/registry/secrets/odd/sealed"
	unreadableValue = "k8s:enc:aescbc:v1:key1:\x00\x01\x02"
)

var bystanders = map[string]string{
	"/registry/masterleases/10.0.0.1": "k8s\x00x", "/registry/ranges/serviceips": "k8s\x00y", "compact_rev_key": "3", "/registry/health": "{}",
}

// An etcd that Kubernetes has filled is served whole: as it is, and from a snapshot of it.
func TestSnapshotOfKubernetes(t *testing.T) {
	objects := kubernetesObjects(t)
	etcd := startEtcd(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	for _, f := range objects {
		must[*clientv3.PutResponse](t)(etcd.client.Put(ctx, f.key, f.value(t)))
	}
	lease := must[*clientv3.LeaseGrantResponse](t)(etcd.client.Grant(ctx, 3600))
	event := &foreign{Unstructured: objects[0].DeepCopy(), gvr: schema.GroupVersionResource{Version: "v1", Resource: "events"}, key: "/registry/events/n1/leased.17"}
	for _, f := range objects {
		if f.GetKind() == "Event" {
			event.Unstructured = f.DeepCopy()
		}
	}
	event.SetName("leased.17")
	must[*clientv3.PutResponse](t)(etcd.client.Put(ctx, event.key, event.value(t), clientv3.WithLease(lease.ID)))
	objects = append(objects, event)
	for k, v := range bystanders {
		must[*clientv3.PutResponse](t)(etcd.client.Put(ctx, k, v))
	}
	must[*clientv3.PutResponse](t)(etcd.client.Put(ctx, unreadableKey, unreadableValue))
	file := filepath.Join(t.TempDir(), "snapshot.db")
	in := must[io.ReadCloser](t)(etcd.client.Snapshot(ctx))
	out := must[*os.File](t)(os.Create(file))
	must[int64](t)(io.Copy(out, in))
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}

	t.Run("restored", func(t *testing.T) {
		s := newServer(t, "restored")
		// As an operator would: etcdutl snapshot restore --name keelson --data-dir <data-dir>/etcd ...
		err := snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{SnapshotPath: file, Name: "keelson", OutputDataDir: filepath.Join(s.dir, "etcd"),
			PeerURLs: []string{"http://127.0.0.1:2380"}, InitialCluster: "keelson=http://127.0.0.1:2380", InitialClusterToken: "etcd-cluster"})
		if err != nil {
			t.Fatal(err)
		}
		s.supervise(t)
		if err := s.ready(ctx); err != nil {
			t.Fatal(err)
		}
		serves(t, s, objects, nil)
	})
	t.Run("as it is", func(t *testing.T) {
		serves(t, startServer(t, "plain", nil, etcd.flag()), objects, etcd)
	})
}

// serves looks at every object, changes it, and looks at what etcd then has.
func serves(t *testing.T, s *apiserver, objects []*foreign, etcd *members) {
	ctx := t.Context()
	c := must[*dynamic.DynamicClient](t)(dynamic.NewForConfig(s.config(t)))
	d := must[*discovery.DiscoveryClient](t)(discovery.NewDiscoveryClientForConfig(s.config(t)))
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d))
	// The custom kind is there once its definition has been acted upon.
	if err := eventually(ctx, "the custom kind is served", func() bool {
		_, err := c.Resource(apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions")).Get(ctx, "widgets.example.com", metav1.GetOptions{})
		_, listErr := c.Resource(schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "widgets"}).List(ctx, metav1.ListOptions{})
		return err == nil && listErr == nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, f := range objects {
		t.Run(f.GetKind()+" "+f.GetName(), func(t *testing.T) {
			m, err := mapper.RESTMapping(f.GroupVersionKind().GroupKind(), f.GroupVersionKind().Version)
			if err != nil || m.Resource != f.gvr {
				t.Fatalf("mapped to %v, %v", m, err)
			}
			got := must[*unstructured.Unstructured](t)(f.resource(c).Get(ctx, f.GetName(), metav1.GetOptions{}))
			if d := lacks(got.Object, f.Object, ""); d != "" {
				t.Error(d)
			}
			if f.GetKind() == "Widget" && got.Object["spec"].(map[string]any)["size"] == nil {
				t.Errorf("without the definition's default: %v", got.Object)
			}
			if f.GetNamespace() != "" || f.GetKind() != "Secret" {
				list := must[*unstructured.UnstructuredList](t)(f.resource(c).List(ctx, metav1.ListOptions{}))
				found := false
				for _, it := range list.Items {
					found = found || it.GetName() == f.GetName() && it.GetNamespace() == f.GetNamespace()
				}
				if !found {
					t.Errorf("not in the list of %d", len(list.Items))
				}
			}
			patched, err := f.resource(c).Patch(ctx, f.GetName(), types.MergePatchType, []byte(`{"metadata":{"annotations":{"touched":"yes"}}}`), metav1.PatchOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if etcd != nil {
				f.written(t, etcd, patched)
			}
		})
	}
	odd := c.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}).Namespace("odd")
	_, err := odd.Get(ctx, "sealed", metav1.GetOptions{})
	if !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), unreadableKey) || !strings.Contains(err.Error(), "aescbc") {
		t.Errorf("a secret under an unknown key: %v", err)
	}
	if _, err := odd.List(ctx, metav1.ListOptions{}); !apierrors.IsStoreReadError(err) || !strings.Contains(err.Error(), unreadableKey) {
		t.Errorf("a list with a secret under an unknown key: %v", err)
	}
	if err := odd.Delete(ctx, "sealed", metav1.DeleteOptions{IgnoreStoreReadErrorWithClusterBreakingPotential: new(true)}); err != nil {
		t.Error(err)
	}
	if list, err := odd.List(ctx, metav1.ListOptions{}); err != nil || len(list.Items) > 0 {
		t.Errorf("after its deletion: %v, %v", list, err)
	}
	if etcd == nil {
		return
	}
	for k, v := range bystanders {
		if k == "compact_rev_key" {
			continue // is shared with Kubernetes' API servers
		}
		if resp := must[*clientv3.GetResponse](t)(etcd.client.Get(ctx, k)); len(resp.Kvs) != 1 || string(resp.Kvs[0].Value) != v {
			t.Errorf("%s is now %v", k, resp.Kvs)
		}
	}
}

// written reads with Kubernetes' decoder what the server has stored.
func (f *foreign) written(t *testing.T, etcd *members, answer *unstructured.Unstructured) {
	t.Helper()
	resp := must[*clientv3.GetResponse](t)(etcd.client.Get(t.Context(), f.key))
	if len(resp.Kvs) != 1 || fmt.Sprint(resp.Kvs[0].ModRevision) != answer.GetResourceVersion() {
		t.Fatalf("stored: %v", resp.Kvs)
	}
	kv := resp.Kvs[0]
	if f.GetKind() == "Event" && kv.Lease == 0 {
		t.Error("an event without a lease")
	}
	if f.GetKind() == "Secret" {
		if !bytes.HasPrefix(kv.Value, []byte("k8s:enc:aesgcm:v1:")) {
			t.Errorf("a secret in plain text: %.20q", kv.Value)
		}
		return
	}
	got := &unstructured.Unstructured{}
	if scheme.Scheme.Recognizes(f.GroupVersionKind()) {
		obj, gvk, err := scheme.Codecs.UniversalDeserializer().Decode(kv.Value, nil, nil)
		if err != nil || *gvk != f.GroupVersionKind() {
			t.Fatalf("their decoder: %v, %v", gvk, err)
		}
		got.Object = must[map[string]any](t)(runtime.DefaultUnstructuredConverter.ToUnstructured(obj))
	} else if err := got.UnmarshalJSON(kv.Value); err != nil {
		t.Fatalf("%v: %.100q", err, kv.Value)
	}
	want := answer.DeepCopy()
	want.SetResourceVersion("")
	unstructured.RemoveNestedField(want.Object, "metadata", "resourceVersion")
	if d := lacks(got.Object, want.Object, ""); d != "" {
		t.Errorf("stored: %s", d)
	}
	if got.GetResourceVersion() != "" {
		t.Errorf("stored with resourceVersion %q", got.GetResourceVersion())
	}
}

// lacks tells what of an object is missing from another one, which may have more: defaults.
func lacks(got, want any, at string) string {
	switch want := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for k, v := range want {
			if d := lacks(g[k], v, at+"."+k); d != "" {
				return d
			}
		}
		return ""
	case []any:
		g, _ := got.([]any)
		if len(g) != len(want) {
			return fmt.Sprintf("%s has %d items, want %d", at, len(g), len(want))
		}
		for i := range want {
			if d := lacks(g[i], want[i], fmt.Sprintf("%s[%d]", at, i)); d != "" {
				return d
			}
		}
		return ""
	case nil:
		return ""
	}
	if !reflect.DeepEqual(got, want) && fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Sprintf("%s is %v, want %v", at, got, want)
	}
	return ""
}
