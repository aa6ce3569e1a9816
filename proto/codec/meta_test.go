package codec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/keelson/keelson/proto/codec"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

func pod(t *testing.T, wire []byte) *corev1.Pod {
	t.Helper()
	p := &corev1.Pod{}
	if err := proto.Unmarshal(wire, p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestResourceVersion(t *testing.T) {
	wire := parse(t, podType, string(podJSON), codec.DecodeOptions{})
	stored, err := codec.DropResourceVersion(nil, wire)
	if err != nil {
		t.Fatal(err)
	}
	if rv := pod(t, stored).Metadata.ResourceVersion; rv != "" {
		t.Errorf("resource version %q is left", rv)
	}
	read := codec.AppendResourceVersion(nil, stored, "99")
	want := pod(t, wire)
	want.Metadata.ResourceVersion = "99"
	if diff := cmp.Diff(want, pod(t, read), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	text, err := podType.AppendJSON(nil, read, codec.EncodeOptions{})
	if err != nil || strings.Count(string(text), `"metadata":{`) != 1 || !strings.Contains(string(text), `"resourceVersion":"99"`) {
		t.Errorf("%v %s", err, text)
	}
	// Where the object had one, the appended one wins.
	text, err = podType.AppendJSON(nil, codec.AppendResourceVersion(nil, wire, "100"), codec.EncodeOptions{})
	if err != nil || strings.Count(string(text), `"resourceVersion"`) != 1 || !strings.Contains(string(text), `"resourceVersion":"100"`) {
		t.Errorf("%v %s", err, text)
	}
	meta, err := codec.ScanMeta(codec.AppendResourceVersion(nil, wire, "101"))
	if err != nil || meta.ResourceVersion != "101" || meta.Name != "checkout-6d4f8c7b95-x2lqn" {
		t.Errorf("%v %+v", err, meta)
	}
	again, err := codec.DropResourceVersion(nil, codec.AppendResourceVersion(nil, stored, "7"))
	if err != nil || string(again) != string(stored) {
		t.Errorf("an appended version leaves traces: %v", err)
	}
}

func TestScanMeta(t *testing.T) {
	wire := parse(t, podType, `{"metadata":{"name":"n","namespace":"ns","generateName":"g-","uid":"u","generation":3,
		"creationTimestamp":"1970-01-01T00:01:00Z","deletionTimestamp":"1970-01-01T00:02:00Z","labels":{"b":"2","a":"1","b":"3"},
		"annotations":{"x":"y"},"finalizers":["f1","f2"],"ownerReferences":[{"apiVersion":"v1","kind":"K","name":"o","uid":"ou","controller":true}]}}`, codec.DecodeOptions{})
	got, err := codec.ScanMeta(wire)
	if err != nil {
		t.Fatal(err)
	}
	want := codec.Meta{
		Name: "n", Namespace: "ns", GenerateName: "g-", UID: "u", Generation: 3,
		CreationSeconds: 60, DeletionSeconds: 120, Deleting: true,
		Labels:          []codec.KeyValue{{Key: "a", Value: "1"}, {Key: "b", Value: "3"}},
		Annotations:     []codec.KeyValue{{Key: "x", Value: "y"}},
		Finalizers:      []string{"f1", "f2"},
		OwnerReferences: []codec.OwnerReference{{APIVersion: "v1", Kind: "K", Name: "o", UID: "ou", Controller: true}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if v, ok := got.Label("b"); !ok || v != "3" {
		t.Errorf("label b is %q", v)
	}
	if _, ok := got.Label("c"); ok {
		t.Error("label c is set")
	}
	if _, err := codec.ScanMeta([]byte{0x0a, 0x7f}); err == nil {
		t.Error("malformed input is accepted")
	}
}

func TestManagedFields(t *testing.T) {
	wire := codec.AppendResourceVersion(nil, parse(t, podType, string(podJSON), codec.DecodeOptions{}), "5")
	object, fragment, err := codec.DetachManagedFields(wire)
	if err != nil {
		t.Fatal(err)
	}
	want := pod(t, wire)
	if diff := cmp.Diff(want, pod(t, append(append([]byte{}, object...), fragment...)), protocmp.Transform()); diff != "" {
		t.Errorf("joined: %s", diff)
	}
	want.Metadata.ManagedFields = nil
	if diff := cmp.Diff(want, pod(t, object), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if f := pod(t, fragment); len(f.Metadata.ManagedFields) != 2 || f.Metadata.Name != "" || f.Spec != nil {
		t.Errorf("fragment is %v", f)
	}
	if again, none, err := codec.DetachManagedFields(object); err != nil || none != nil || string(again) != string(object) {
		t.Errorf("a second time: %v %x", err, none)
	}
	text, err := podType.AppendJSON(nil, wire, codec.EncodeOptions{OmitManagedFields: true})
	if err != nil || strings.Contains(string(text), "managedFields") {
		t.Errorf("%v %s", err, text)
	}
	trimmed, err := codec.TrimToMetadata(nil, wire)
	if p := pod(t, trimmed); err != nil || p.Spec != nil || p.Metadata.ResourceVersion != "5" || len(p.Metadata.ManagedFields) != 2 {
		t.Errorf("%v %v", err, p)
	}
}
