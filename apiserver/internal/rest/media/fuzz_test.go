package media

import (
	"net/http"
	"net/url"
	"testing"
)

// Whatever a client accepts, what is chosen is something that there is.
func FuzzNegotiate(f *testing.F) {
	for _, s := range []string{"", "*/*", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "application/*;q=0.5, text/html", ";;;,,,", "application/json;q=x",
		"application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, accept, contentType string) {
		r := &http.Request{Header: http.Header{"Accept": {accept}, "User-Agent": {accept}}, URL: &url.URL{RawQuery: "pretty=" + url.QueryEscape(contentType)}}
		want := Want{Formats: []Format{JSON, Protobuf}, Views: true}
		if a, ok := Negotiate(r, want); ok && a.Format != JSON && a.Format != Protobuf {
			t.Errorf("%q: %+v", accept, a)
		}
		if a, ok := NegotiateAs(r, want.Formats, "apidiscovery.k8s.io", "APIGroupDiscoveryList", "v2"); ok && a.ViewVersion != "" && a.ViewVersion != "v2" {
			t.Errorf("%q: %+v", accept, a)
		}
		OfBody(contentType)
		Pretty(r)
	})
}
