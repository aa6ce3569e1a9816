package request

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := []struct {
		method, url string
		want        Info
	}{
		{"GET", "/version", Info{Verb: "get", Path: "/version"}},
		{"GET", "/api/v1", Info{Verb: "get", Path: "/api/v1"}},
		{"GET", "/apis/apps/v1", Info{Verb: "get", Path: "/apis/apps/v1"}},
		{"GET", "/api/v1/pods", Info{IsResource: true, Verb: "list", Version: "v1", Resource: "pods"}},
		{"GET", "/api/v1/pods?watch", Info{IsResource: true, Verb: "watch", Version: "v1", Resource: "pods"}},
		{"GET", "/api/v1/pods?watch=false", Info{IsResource: true, Verb: "list", Version: "v1", Resource: "pods"}},
		{"GET", "/api/v1/watch/pods", Info{IsResource: true, Verb: "watch", Version: "v1", Resource: "pods"}},
		{"HEAD", "/api/v1/nodes/n1", Info{IsResource: true, Verb: "get", Version: "v1", Resource: "nodes", Name: "n1"}},
		{"GET", "/api/v1/namespaces", Info{IsResource: true, Verb: "list", Version: "v1", Resource: "namespaces"}},
		{"GET", "/api/v1/namespaces/ns", Info{IsResource: true, Verb: "get", Version: "v1", Resource: "namespaces", Namespace: "ns", Name: "ns"}},
		{"PUT", "/api/v1/namespaces/ns/finalize", Info{IsResource: true, Verb: "update", Version: "v1", Resource: "namespaces", Namespace: "ns", Name: "ns", Subresource: "finalize"}},
		{"GET", "/api/v1/namespaces/ns/pods/p/log?follow=true", Info{IsResource: true, Verb: "get", Version: "v1", Resource: "pods", Namespace: "ns", Name: "p", Subresource: "log"}},
		{"POST", "/apis/apps/v1/namespaces/ns/deployments", Info{IsResource: true, Verb: "create", Group: "apps", Version: "v1", Resource: "deployments", Namespace: "ns"}},
		{"PATCH", "/apis/apps/v1/namespaces/ns/deployments/d/scale", Info{IsResource: true, Verb: "patch", Group: "apps", Version: "v1", Resource: "deployments", Namespace: "ns", Name: "d", Subresource: "scale"}},
		{"DELETE", "/api/v1/namespaces/ns/configmaps", Info{IsResource: true, Verb: "deletecollection", Version: "v1", Resource: "configmaps", Namespace: "ns"}},
		{"GET", "/api/v1/namespaces/ns/pods/p/proxy/a/b", Info{IsResource: true, Verb: "get", Version: "v1", Resource: "pods", Namespace: "ns", Name: "p", Subresource: "proxy", Tail: "a/b"}},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.url, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.url, http.NoBody)
			tt.want.Path = r.URL.Path
			if diff := cmp.Diff(&tt.want, Parse(r)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
