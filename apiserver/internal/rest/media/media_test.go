package media

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestNegotiate(t *testing.T) {
	all := Want{Formats: []Format{JSON, YAML, Protobuf}, Views: true}
	reviews := Want{Formats: []Format{JSON}, Views: true, NoTables: true}
	plain := Want{Formats: []Format{JSON, YAML}}
	tests := []struct {
		name, accept string
		want         Want
		format       Format
		view         View
		ok           bool
	}{
		{"none", "", all, JSON, Object, true},
		{"any", "*/*", all, JSON, Object, true},
		{"yaml", "application/yaml", all, YAML, Object, true},
		{"client-go", "application/vnd.kubernetes.protobuf,application/json", all, Protobuf, Object, true},
		{"kubectl get", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", all, JSON, Table, true},
		{"table where none", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json", plain, JSON, Object, true},
		{"protobuf table falls through", "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json", all, JSON, Object, true},
		{"metadata", "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", all, Protobuf, Metadata, true},
		{"quality", "application/json;q=0.1,application/yaml;q=0.9", all, YAML, Object, true},
		{"unknown", "text/html", all, 0, 0, false},
		{"browser", "text/html,application/xhtml+xml,*/*;q=0.8", all, JSON, Object, true},
		{"cbor first", "application/cbor,application/json", all, JSON, Object, true},
		{"table of what is never stored", "application/json;as=Table;v=v1;g=meta.k8s.io", reviews, 0, 0, false},
		{"metadata of what is never stored", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", reviews, JSON, Metadata, true},
		{"unknown view", "application/json;as=Foo;g=meta.k8s.io;v=v1", all, 0, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", http.NoBody)
			if tt.accept != "" {
				r.Header.Set("Accept", tt.accept)
			}
			a, ok := Negotiate(r, tt.want)
			if ok != tt.ok || (ok && (a.Format != tt.format || a.View != tt.view)) {
				t.Errorf("got %+v %v", a, ok)
			}
		})
	}
}

func TestOfBody(t *testing.T) {
	for _, tt := range []struct {
		in string
		f  Format
		ok bool
	}{
		{"", JSON, true},
		{"application/json; charset=utf-8", JSON, true},
		{"application/yaml", YAML, true},
		{"application/vnd.kubernetes.protobuf", Protobuf, true},
		{"application/cbor", JSON, false},
		{"text/plain", JSON, false},
	} {
		if f, ok := OfBody(tt.in); f != tt.f || ok != tt.ok {
			t.Errorf("%q: %v %v", tt.in, f, ok)
		}
	}
}
