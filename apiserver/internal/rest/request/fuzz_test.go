package request

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// Any URL and method is read as something, and what its query says is taken or refused as the client's mistake.
func FuzzParse(f *testing.F) {
	for _, u := range []string{"/api/v1/namespaces/ns/pods/p/log?follow=1", "/apis/apps/v1/watch/deployments", "/api/v1/namespaces/ns/status", "/api/v1/watch",
		"/apis//v1/x", "//api/v1//pods", "/api/v1/pods?limit=-1&continue=x&resourceVersion=y&timeoutSeconds=1e9", "/api/v1/pods?watch&sendInitialEvents=maybe",
		"/api/v1/namespaces/a%2Fb/pods/..?fieldManager=%00", "/api/v1/nodes/n/proxy/a/b?dryRun=None&force=x&fieldValidation=y"} {
		f.Add("GET", u)
	}
	f.Add("DELETE", "/api/v1/pods?propagationPolicy=x&gracePeriodSeconds=-5&orphanDependents=1")
	f.Fuzz(func(t *testing.T, method, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		r := &http.Request{Method: method, URL: u, Header: http.Header{}}
		info := Parse(r)
		if info.Verb == "" && method != "" || !info.IsResource && info.Resource != "" {
			t.Errorf("%s %s: %+v", method, path, info)
		}
		info.LongRunning(r)
		info.Scope()
		check := func(err error) {
			if err != nil && apierrors.FromError(err).GetCode()/100 != 4 {
				t.Errorf("%s: %v", path, err)
			}
		}
		_, err = List(r, &resourcev1.Selection{})
		check(err)
		_, err = Watch(r, &resourcev1.Selection{})
		check(err)
		_, err = Write(r, "CreateOptions")
		check(err)
		_, _, err = Patch(r, len(path)%2 == 0)
		check(err)
		o, err := Delete(u.Query())
		check(err)
		if err == nil {
			check(CheckDelete(o))
		}
	})
}
