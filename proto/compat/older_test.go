package compat

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kprotobuf "k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/watchcache"
	ours "github.com/keelson/keelson/proto/schema"
)

// olderVersions calls f for each version that is said to mean the same as the one stored now.
func olderVersions(t *testing.T, f func(k *ours.Kind, old, now schema.GroupVersionKind)) {
	for _, k := range storedKinds() {
		for _, apiVersion := range watchcache.Older[k.Kind] {
			gv, err := schema.ParseGroupVersion(apiVersion)
			if err != nil {
				t.Fatal(err)
			}
			f(k, gv.WithKind(k.Kind), schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind})
		}
	}
}

// The bytes of an older version mean the same in the version stored now.
func TestOlderVersionsMeanTheSame(t *testing.T) {
	f := filler(7)
	olderVersions(t, func(k *ours.Kind, old, now schema.GroupVersionKind) {
		for range *iterations {
			was, err := scheme.Scheme.New(old)
			if err != nil {
				t.Fatal(err)
			}
			f.Fill(was)
			clearTypeMeta(was)
			raw, err := was.(wire).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			again, err := scheme.Scheme.New(old)
			if err != nil {
				t.Fatal(err)
			}
			is, err := scheme.Scheme.New(now)
			if err != nil {
				t.Fatal(err)
			}
			if err := again.(wire).Unmarshal(raw); err != nil {
				t.Fatal(err)
			}
			if err := is.(wire).Unmarshal(raw); err != nil {
				t.Errorf("%v: %v", old, err)
				return
			}
			if diff := cmp.Diff(tree(t, mustJSON(t, again)), tree(t, mustJSON(t, is))); diff != "" {
				t.Errorf("%v: %s", old, diff)
				return
			}
		}
	})
}

// Objects in versions that Kubernetes has stored before are served, and written in the version of today.
func TestSnapshotOfOlderVersions(t *testing.T) {
	s := newSnapshot(t)
	all := manifests(t)
	encoder := kprotobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	put := func(k *ours.Kind, obj runtime.Object, ns, name string) {
		var b strings.Builder
		if err := encoder.Encode(obj, &b); err != nil {
			t.Fatal(err)
		}
		s.put(key(k, ns, name), []byte(b.String()))
	}
	type entry struct {
		k        *ours.Kind
		ns, name string
	}
	var entries []entry
	olderVersions(t, func(k *ours.Kind, old, now schema.GroupVersionKind) {
		obj, err := scheme.Scheme.New(old)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(mustJSON(t, all[k.Kind]), obj); err != nil {
			t.Fatal(err)
		}
		obj.GetObjectKind().SetGroupVersionKind(old)
		m := obj.(metav1.Object)
		if k.Kind != "IPAddress" {
			m.SetName(strings.NewReplacer("/", "-", ".", "-").Replace(old.GroupVersion().String()) + "-" + m.GetName())
		}
		put(k, obj, m.GetNamespace(), m.GetName())
		entries = append(entries, entry{k, m.GetNamespace(), m.GetName()})
	})
	scaler := storedKind(t, "HorizontalPodAutoscaler")
	put(scaler, &autoscalingv1.HorizontalPodAutoscaler{TypeMeta: metav1.TypeMeta{APIVersion: "autoscaling/v1", Kind: "HorizontalPodAutoscaler"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "n1", Name: "old", UID: "u"}, Spec: autoscalingv1.HorizontalPodAutoscalerSpec{
			MaxReplicas: 7, TargetCPUUtilizationPercentage: new(int32(42)), ScaleTargetRef: autoscalingv1.CrossVersionObjectReference{Kind: "Deployment", Name: "d", APIVersion: "apps/v1"}}}, "n1", "old")
	entries = append(entries, entry{scaler, "n1", "old"})
	s.put("/registry/namespaces/n1", stored(t, all["Namespace"], false))
	s.start()
	for _, e := range entries {
		if _, err := s.s.Patch(s.ctx, &resourcev1.PatchRequest{Ref: ref(e.k, e.ns, e.name), Type: resourcev1.PatchType_PATCH_TYPE_MERGE,
			Patch: []byte(`{"metadata":{"labels":{"touched":"yes"}}}`)}); err != nil {
			t.Errorf("%s %s: %v", e.k.Kind, e.name, err)
			continue
		}
		kv, err := s.store.Get(s.ctx, key(e.k, e.ns, e.name))
		if err != nil {
			t.Fatal(err)
		}
		if _, gvk, err := universal.Decode(kv.Value, nil, nil); err != nil || gvk.GroupVersion().String() != e.k.APIVersion() {
			t.Errorf("%s %s is stored as %v, %v", e.k.Kind, e.name, gvk, err)
		}
	}
	if spec := tree(t, mustJSON(t, s.get(scaler, "n1", "old"))).(map[string]any)["spec"]; covers(spec, tree(t, []byte(
		`{"maxReplicas":7,"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":42}}}]}`)), "") != "" {
		t.Errorf("autoscaling/v1: %v", spec)
	}
}

func storedKind(t testing.TB, kind string) *ours.Kind {
	for _, k := range storedKinds() {
		if k.Kind == kind {
			return k
		}
	}
	t.Fatalf("no kind %s", kind)
	return nil
}

// What was stored without today's defaults has them; what has fields that nobody knows is served all the same.
func TestSnapshotIsCompleted(t *testing.T) {
	s := newSnapshot(t)
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "s", Namespace: "n1", UID: "u"},
		Spec: corev1.ServiceSpec{ClusterIP: "10.96.3.3", Ports: []corev1.ServicePort{{Port: 80}}}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "n1", UID: "u"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i:v1"}}}}
	k, podKind := storedKind(t, "Service"), storedKind(t, "Pod")
	s.put("/registry/services/specs/n1/s", stored(t, service, false))
	s.put("/registry/namespaces/n1", stored(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive}}, false))
	s.put("/registry/serviceaccounts/n1/default", stored(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: "n1"}}, false))
	// A field of a later release: number 3000 of the pod.
	raw, err := pod.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	unknown := &runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: "v1", Kind: "Pod"}, Raw: append(raw, "\xc2\xbb\x01\x05later"...)}
	wrapped, err := unknown.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString("k8s\x00")
	b.Write(wrapped)
	s.put("/registry/pods/n1/p", []byte(b.String()))
	s.start()
	got := s.get(k, "n1", "s").(*corev1.Service).Spec
	if got.Type != corev1.ServiceTypeClusterIP || got.SessionAffinity != corev1.ServiceAffinityNone || got.Ports[0].Protocol != corev1.ProtocolTCP || got.InternalTrafficPolicy == nil {
		t.Errorf("the service has not its defaults: %+v", got)
	}
	spec := s.get(podKind, "n1", "p").(*corev1.Pod).Spec
	if spec.RestartPolicy != corev1.RestartPolicyAlways || spec.TerminationGracePeriodSeconds == nil || spec.Containers[0].ImagePullPolicy != corev1.PullIfNotPresent {
		t.Errorf("the pod has not its defaults: %+v", spec)
	}
	// A selector sees the defaults as well.
	list, err := s.s.List(s.ctx, &resourcev1.ListRequest{Selection: &resourcev1.Selection{Resource: ref(podKind, "", "").Resource, FieldSelector: "spec.restartPolicy=Always"}})
	if err != nil || len(list.Items) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

// Addresses and ports of stored Services are taken from the first moment on.
func TestSnapshotAddressesAreTaken(t *testing.T) {
	s := newSnapshot(t)
	k := storedKind(t, "Service")
	s.put("/registry/services/specs/n1/s", stored(t, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "s", Namespace: "n1", UID: "u"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, ClusterIP: "10.96.3.3", ClusterIPs: []string{"10.96.3.3"}, Ports: []corev1.ServicePort{{Port: 80, NodePort: 30333}}}}, false))
	s.put("/registry/namespaces/n1", stored(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive}}, false))
	s.start()
	for spec, want := range map[string]string{
		`{"clusterIP":"10.96.3.3","ports":[{"port":80}]}`:            "provided IP is already allocated",
		`{"type":"NodePort","ports":[{"port":80,"nodePort":30333}]}`: "provided port is already allocated",
	} {
		_, err := s.s.Create(s.ctx, &resourcev1.CreateRequest{Ref: ref(k, "n1", "other"), Object: &resourcev1.Object{
			Encoding: resourcev1.Encoding_ENCODING_JSON, Raw: []byte(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"other"},"spec":` + spec + `}`)}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
}
