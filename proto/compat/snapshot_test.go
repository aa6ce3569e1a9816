package compat

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	kjson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	kprotobuf "k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"sigs.k8s.io/yaml"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	ours "github.com/keelson/keelson/proto/schema"
)

// kubernetesPaths are the places in etcd where Kubernetes 1.37 keeps what is not at /registry/<resource>/.
var kubernetesPaths = map[string]string{
	"Endpoints": "services/endpoints", "Service": "services/specs", "Node": "minions", "ReplicationController": "controllers", "Ingress": "ingress",
	"CustomResourceDefinition": "apiextensions.k8s.io/customresourcedefinitions", "APIService": "apiregistration.k8s.io/apiservices",
}

// storedKinds are those that the server keeps in its store.
func storedKinds() (out []*ours.Kind) {
	for _, k := range ours.Builtin().Kinds() {
		if k.Served && !k.Ephemeral && ours.Builtin().Storage(k) == k && k.Kind != "Binding" && k.Kind != "ComponentStatus" {
			out = append(out, k)
		}
	}
	return out
}

// path is where Kubernetes stores a kind.
func path(k *ours.Kind) string {
	if p := kubernetesPaths[k.Kind]; p != "" {
		return "/registry/" + p + "/"
	}
	return "/registry/" + k.Plural + "/"
}

// encoders are Kubernetes' own.
var (
	protobufEncoder = kprotobuf.NewSerializer(theirs, theirs)
	jsonEncoder     = kjson.NewSerializerWithOptions(kjson.DefaultMetaFactory, theirs, theirs, kjson.SerializerOptions{})
	universal       = serializer.NewCodecFactory(theirs).UniversalDeserializer()
)

// stored is what Kubernetes writes for an object.
func stored(t testing.TB, obj runtime.Object, asJSON bool) []byte {
	t.Helper()
	gvks, _, err := theirs.ObjectKinds(obj)
	if err != nil {
		t.Fatal(err)
	}
	obj = obj.DeepCopyObject()
	obj.GetObjectKind().SetGroupVersionKind(gvks[0])
	var b bytes.Buffer
	var encoder runtime.Encoder = protobufEncoder
	if asJSON {
		encoder = jsonEncoder
	}
	if err := encoder.Encode(obj, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// snapshot is a store as Kubernetes leaves it behind, and the server on it.
type snapshot struct {
	*testing.T
	ctx   context.Context
	store *memory.Store
	s     *pipeline.Server
}

func newSnapshot(t *testing.T) *snapshot {
	ctx, cancel := context.WithTimeout(identity.NewContext(t.Context(), &identity.User{Name: "admin", Groups: []string{identity.GroupMasters}}), time.Minute)
	t.Cleanup(cancel)
	s := &snapshot{T: t, ctx: ctx, store: memory.New()}
	t.Cleanup(func() { s.store.Close() })
	return s
}

func (s *snapshot) put(key string, value []byte) {
	s.Helper()
	if _, err := s.store.Create(s.ctx, key, value, 0); err != nil {
		s.Fatalf("%s: %v", key, err)
	}
}

func (s *snapshot) start() {
	s.Helper()
	server, err := pipeline.New(pipeline.Config{Registry: ours.Builtin(), Store: s.store})
	if err == nil {
		err = server.Start(s.ctx)
	}
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(server.Close)
	s.s = server
}

func ref(k *ours.Kind, ns, name string) *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: k.Group, Version: k.Version, Plural: k.Plural}, Namespace: ns, Name: name}
}

// get returns an object as the server shows it, read by their code, without its resourceVersion.
func (s *snapshot) get(k *ours.Kind, ns, name string) runtime.Object {
	s.Helper()
	it, err := s.s.Get(s.ctx, &resourcev1.GetRequest{Ref: ref(k, ns, name)})
	if err != nil {
		s.Fatalf("%s %s/%s: %v", k.Kind, ns, name, err)
	}
	return s.read(k, it)
}

func (s *snapshot) read(k *ours.Kind, it *pipeline.Item) runtime.Object {
	s.Helper()
	obj, err := theirs.New(schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind})
	if err != nil {
		s.Fatal(err)
	}
	if w, ok := obj.(wire); ok && k.Kind != "CustomResourceDefinition" {
		err = w.Unmarshal(it.Wire())
	} else {
		var text []byte
		if text, err = it.JSON(); err == nil {
			err = json.Unmarshal(text, obj)
		}
	}
	if err != nil {
		s.Fatal(err)
	}
	clearTypeMeta(obj)
	m, err := meta.Accessor(obj)
	if err != nil {
		s.Fatal(err)
	}
	if m.GetResourceVersion() != fmt.Sprint(it.Revision) {
		s.Errorf("%s %s: resourceVersion %q at revision %d", k.Kind, it.Name, m.GetResourceVersion(), it.Revision)
	}
	m.SetResourceVersion("")
	return obj
}

// covers tells where an object lacks something of another one: what may be more are defaults.
func covers(got, want any, at string) string {
	switch want := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for k, v := range want {
			if k == "serviceAccount" || k == "stringData" || k == "targetPort" && fmt.Sprint(v) == "0" {
				continue // an old name of another field; never stored; the same as none
			}
			if d := covers(g[k], v, at+"."+k); d != "" {
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
			if d := covers(g[i], want[i], fmt.Sprintf("%s[%d]", at, i)); d != "" {
				return d
			}
		}
		return ""
	case nil:
		return ""
	}
	if !equality.Semantic.DeepEqual(got, want) {
		return fmt.Sprintf("%s is %v, want %v", at, got, want)
	}
	return ""
}

func (s *snapshot) same(what string, want, got runtime.Object) {
	s.Helper()
	if d := covers(tree(s.T, mustJSON(s.T, got)), tree(s.T, mustJSON(s.T, want)), ""); d != "" {
		s.Errorf("%s: %s", what, d)
	}
}

// Whatever Kubernetes may have stored is served, whole: get, list and watch show every field.
func TestSnapshotOfRandomObjects(t *testing.T) {
	s := newSnapshot(t)
	// What is no object of the API is left alone.
	others := map[string]string{
		"/registry/masterleases/10.0.0.1": "k8s\x00x", "/registry/ranges/serviceips": "k8s\x00y", "/registry/ranges/servicenodeports": "k8s\x00z",
		"/registry/nobody/knows/this": "?", "/registry/peerserverleases/a": "b", "compact_rev_key": "17", "/elsewhere": "x",
	}
	for k, v := range others {
		s.put(k, []byte(v))
	}
	f := filler(11)
	want := map[string]runtime.Object{}
	names := []string{"a", "a.b", "system:a", "a-b", "0"}
	for _, k := range storedKinds() {
		for i, name := range names {
			obj, err := theirs.New(schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind})
			if err != nil {
				t.Fatal(err)
			}
			f.Fill(obj)
			clearTypeMeta(obj)
			m, err := meta.Accessor(obj)
			if err != nil {
				t.Fatal(err)
			}
			key := name
			m.SetName(name)
			m.SetNamespace("")
			m.SetResourceVersion("")
			if k.Namespaced {
				m.SetNamespace([]string{"n", "n-m"}[i%2])
				key = m.GetNamespace() + "/" + name
			}
			if k.Kind == "CustomResourceDefinition" || k.Kind == "APIService" {
				continue // definitions are acted upon: see TestSnapshotSurvivesUpdates
			}
			s.put(path(k)+key, stored(t, obj, i == 3)) // --storage-media-type=application/json is allowed
			want[k.Kind+" "+key] = obj
		}
	}
	s.start()
	for _, k := range storedKinds() {
		sel := &resourcev1.Selection{Resource: ref(k, "", "").Resource}
		list, err := s.s.List(s.ctx, &resourcev1.ListRequest{Selection: sel})
		if err != nil {
			t.Errorf("%s: %v", k.Kind, err)
			continue
		}
		watch, err := s.s.Watch(s.ctx, &resourcev1.WatchOpen{Selection: sel, SendInitialEvents: true})
		if err != nil {
			t.Errorf("%s: %v", k.Kind, err)
			continue
		}
		watched := 0
		for end := false; !end; {
			events, err := watch.Next(s.ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if end = end || e.InitialEventsEnd; e.Item != nil {
					watched++
				}
			}
		}
		watch.Close()
		if watched != len(list.Items) {
			t.Errorf("%s: %d objects listed, %d watched", k.Kind, len(list.Items), watched)
		}
		listed := 0
		for _, it := range list.Items {
			key := it.Name
			if it.Namespace != "" {
				key = it.Namespace + "/" + it.Name
			}
			obj := want[k.Kind+" "+key]
			if obj == nil {
				continue // the server's own
			}
			listed++
			s.same(k.Kind+" "+key, obj, s.read(k, it))
			s.same(k.Kind+" "+key, obj, s.get(k, it.Namespace, it.Name))
		}
		if k.Kind != "CustomResourceDefinition" && k.Kind != "APIService" && listed != len(names) {
			t.Errorf("%s: %d objects are served, want %d", k.Kind, listed, len(names))
		}
	}
	for k, v := range others {
		if kv, err := s.store.Get(s.ctx, k); err != nil || string(kv.Value) != v {
			t.Errorf("%s is now %q, %v", k, kv.Value, err)
		}
	}
}

// manifests are the valid objects of testdata, by kind.
func manifests(t testing.TB) map[string]runtime.Object {
	t.Helper()
	text, err := os.ReadFile("testdata/kinds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	certificate, request := credentials(t)
	out := map[string]runtime.Object{}
	for _, doc := range strings.Split(string(text), "\n---\n") {
		doc = strings.NewReplacer("BUNDLE", certificate, "REQUEST", request).Replace(doc)
		b, err := yaml.YAMLToJSONStrict([]byte(doc))
		if err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		obj, _, err := universal.Decode(b, nil, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		out[obj.GetObjectKind().GroupVersionKind().Kind] = obj
	}
	return out
}

// credentials are an authority's certificate, as a YAML string, and a signing request in base64.
func credentials(t testing.TB) (certificate, request string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "u"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	quoted, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	if err != nil {
		t.Fatal(err)
	}
	return string(quoted), base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}))
}

// Every kind as Kubernetes has stored it is changed here, and what the store then holds is read by their decoder.
func TestSnapshotSurvivesUpdates(t *testing.T) {
	s := newSnapshot(t)
	all := manifests(t)
	for _, k := range storedKinds() {
		obj := all[k.Kind]
		if obj == nil {
			t.Fatalf("testdata/kinds.yaml has no %s", k.Kind)
		}
		m, err := meta.Accessor(obj)
		if err != nil {
			t.Fatal(err)
		}
		if m.GetUID() == "" {
			m.SetUID("6f9d7b0e-1c0d-4d9f-9a9a-1f8a2f6a0000")
		}
		s.put(key(k, m.GetNamespace(), m.GetName()), stored(t, obj, k.StoredAsJSON))
	}
	s.start()
	for _, k := range storedKinds() {
		t.Run(k.Kind, func(t *testing.T) {
			s := &snapshot{T: t, ctx: s.ctx, store: s.store, s: s.s}
			m, err := meta.Accessor(all[k.Kind])
			if err != nil {
				t.Fatal(err)
			}
			before := s.get(k, m.GetNamespace(), m.GetName())
			want := all[k.Kind].DeepCopyObject()
			clearTypeMeta(want)
			s.same("served", want, before)
			res, err := s.s.Patch(s.ctx, &resourcev1.PatchRequest{Ref: ref(k, m.GetNamespace(), m.GetName()), Type: resourcev1.PatchType_PATCH_TYPE_MERGE,
				Patch: []byte(`{"metadata":{"annotations":{"touched":"yes"}}}`), Options: &resourcev1.WriteOptions{FieldManager: "compat"}})
			if err != nil {
				t.Fatal(err)
			}
			kv, err := s.store.Get(s.ctx, key(k, m.GetNamespace(), m.GetName()))
			if err != nil || kv.Revision != res.Item.Revision {
				t.Fatalf("stored at %d, %v; the answer is of %d", kv.Revision, err, res.Item.Revision)
			}
			got, gvk, err := universal.Decode(kv.Value, nil, nil)
			if err != nil {
				t.Fatalf("their decoder: %v\n%q", err, kv.Value)
			}
			if *gvk != (schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind}) {
				t.Errorf("stored as %v", gvk)
			}
			if bytes.HasPrefix(kv.Value, []byte("k8s\x00")) == k.StoredAsJSON {
				t.Errorf("stored as %.20q", kv.Value)
			}
			g, err := meta.Accessor(got)
			if err != nil {
				t.Fatal(err)
			}
			if g.GetAnnotations()["touched"] != "yes" || g.GetResourceVersion() != "" || g.GetUID() != m.GetUID() {
				t.Errorf("stored metadata: %+v", g)
			}
			clearTypeMeta(got)
			if after := s.get(k, m.GetNamespace(), m.GetName()); !equality.Semantic.DeepEqual(got, after) {
				t.Errorf("what their decoder reads is not what is served:\n%s\n%s", mustJSON(t, got), mustJSON(t, after))
			}
			s.same("after the update", before, got)
		})
	}
}

func key(k *ours.Kind, ns, name string) string {
	if ns != "" {
		return path(k) + ns + "/" + name
	}
	return path(k) + name
}
