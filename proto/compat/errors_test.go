package compat

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	kjson "sigs.k8s.io/json"

	"github.com/keelson/keelson/proto/codec"
)

func rootNamed(t testing.TB, name string) root {
	for _, r := range roots(t) {
		if r.String() == name {
			return r
		}
	}
	t.Fatalf("no type %s", name)
	return root{}
}

// TestErrorsAreTheirs compares what both sides say of bad documents, word by word. Where ours adds the path to a value
// (theirs gives none), their text must be the end of ours.
func TestErrorsAreTheirs(t *testing.T) {
	const deployment = "apps/v1.Deployment"
	for _, tc := range []struct{ kind, doc string }{
		{deployment, `{"spec":{"replicas":"3"}}`},
		{deployment, `{"spec":{"replicas":1.5}}`},
		{deployment, `{"spec":{"replicas":3000000000}}`},
		{deployment, `{"spec":{"replicas":-1}}`},
		{deployment, `{"spec":{"replicas":true}}`},
		{deployment, `{"spec":{"paused":"yes"}}`},
		{deployment, `{"spec":{"paused":1}}`},
		{deployment, `{"spec":[]}`},
		{deployment, `{"spec":"x"}`},
		{deployment, `{"spec":{"template":{"spec":{"containers":{}}}}}`},
		{deployment, `{"spec":{"template":{"spec":{"containers":["a"]}}}}`},
		{deployment, `{"spec":{"template":{"spec":{"containers":[{"name":1}]}}}}`},
		{deployment, `{"spec":{"template":{"spec":{"containers":[{"name":"a"},{"ports":[{"containerPort":"80"}]}]}}}}`},
		{deployment, `{"spec":{"template":{"spec":{"containers":[{"command":"sh"}]}}}}`},
		{deployment, `{"spec":{"template":{"spec":{"containers":[{"command":["sh",1]}]}}}}`},
		{deployment, `{"spec":{"template":{"spec":{"containers":[{"resources":{"limits":{"cpu":"x"}}}]}}}}`},
		{deployment, `{"spec":{"template":{"spec":{"containers":[{"resources":{"limits":{"cpu":[]}}}]}}}}`},
		{deployment, `{"spec":{"template":{"spec":{"containers":[{"resources":{"limits":{"cpu":true}}}]}}}}`},
		{deployment, `{"spec":{"template":{"spec":{"containers":[{"livenessProbe":{"httpGet":{"port":true}}}]}}}}`},
		{deployment, `{"spec":{"template":{"spec":{"containers":[{"livenessProbe":{"httpGet":{"port":80.5}}}]}}}}`},
		{deployment, `{"spec":{"template":{"spec":{"volumes":[{"hostPath":"x"}]}}}}`},
		{deployment, `{"spec":{"template":{"spec":{"volumes":[{"hostPath":{"path":5}}]}}}}`},
		{deployment, `{"metadata":{"labels":{"a":1}}}`},
		{deployment, `{"metadata":{"labels":["a"]}}`},
		{deployment, `{"metadata":{"creationTimestamp":"yesterday"}}`},
		{deployment, `{"metadata":{"creationTimestamp":5}}`},
		{deployment, `{"metadata":{"creationTimestamp":"2026-13-01T00:00:00Z"}}`},
		{deployment, `{"kind":5}`},
		{deployment, `{"metadata":{"name":"a","Name":"b"},"Spec":{}}`},
		{deployment, `{"spec":{"foo":1,"template":{"spec":{"containers":[{"name":"a"},{"bar":1,"image":"x","image":"y"}]}}}}`},
		{deployment, `{"spec":{"replicas":1,"replicas":2,"replicas":3}}`},
		{deployment, `{"metadata":{"labels":{"a":"1","a":"2"},"labels":{"b":"1"}}}`},
		{deployment, `{"spec":{"template":{"spec":{"volumes":[{"name":"v","hostPath":{"path":"/"},"hostpath":{},"hostPath":{"path":"/"}}]}}}}`},
		{deployment, `{"spec":{"template":{"spec":{"nodeSelector":{"a/b":"1","a/b":"1"}}}}}`},
		{deployment, `{"spec":{"selector":{"matchLabels":{"x":"y"},"matchExpression":[]}},"kind":"Deployment","kind":"Deployment"}`},
		{deployment, `{`}, {deployment, ``}, {deployment, `[]`}, {deployment, `5`}, {deployment, `"x"`}, {deployment, `null`},
		{deployment, `{"a"}`}, {deployment, `{"a":}`}, {deployment, `{"a":1,}`}, {deployment, `{"a":1 "b":2}`}, {deployment, `{"a":tru}`},
		{deployment, `{"a":01}`}, {deployment, `{"a":"\x"}`}, {deployment, `{"a":[1,]}`}, {deployment, `{"a":[1 2]}`}, {deployment, `{} {}`},
		{deployment, "{\"a\":\"\n\"}"}, {deployment, `{"a":1.}`}, {deployment, `{"a":1e}`}, {deployment, `{"a":-}`}, {deployment, `{a:1}`},
		{deployment, `{"metadata":{"name":"x`}, {deployment, `{"metadata":{"name":"\u12G4"}}`}, {deployment, `{"spec":nul}`},
		{"v1.Secret", `{"data":{"a":"not base64!"}}`},
		{"v1.Secret", `{"data":{"a":5}}`},
		{"v1.Secret", `{"data":"x"}`},
		{"coordination.k8s.io/v1.Lease", `{"spec":{"renewTime":"2026-01-01T00:00:00Z"}}`},
		{"coordination.k8s.io/v1.Lease", `{"spec":{"leaseDurationSeconds":99999999999}}`},
		{"apiextensions.k8s.io/v1.CustomResourceDefinition", `{"spec":{"versions":[{"schema":{"openAPIV3Schema":{"maximum":"x"}}}]}}`},
		{"apps/v1.StatefulSet", `{"spec":{"volumeClaimTemplates":[{"kind":"PersistentVolumeClaim","apiVersion":"v1","metadata":{"name":"x"}}]}}`},
		{"v1.Pod", `{"spec":{"ephemeralContainers":[{"name":"a","nam":"b","targetContainerName":"c","image":5}]}}`},
	} {
		r := rootNamed(t, tc.kind)
		theirStrict, theirErr := kjson.UnmarshalStrict([]byte(tc.doc), r.their(t))
		_, warnings, ourErr := codec.For(r.desc).ParseJSON(nil, []byte(tc.doc), codec.DecodeOptions{Validation: codec.Warn})
		_, _, strictErr := codec.For(r.desc).ParseJSON(nil, []byte(tc.doc), codec.DecodeOptions{Validation: codec.Strict})
		switch {
		case theirErr != nil && ourErr == nil:
			t.Errorf("%s\nours accepts it; theirs: %v", tc.doc, theirErr)
		case theirErr == nil && ourErr != nil:
			t.Errorf("%s\ntheirs accepts it; ours: %v", tc.doc, ourErr)
		case theirErr != nil && !sameError(ourErr, theirErr.Error()):
			t.Errorf("%s\ntheirs: %v\nours:   %v", tc.doc, theirErr, ourErr)
		case theirErr == nil:
			var texts []string
			for _, e := range theirStrict {
				texts = append(texts, e.Error())
			}
			if got, want := strings.Join(warnings, "\n"), strings.Join(texts, "\n"); got != want {
				t.Errorf("%s\ntheirs: %s\nours:   %s", tc.doc, want, got)
			}
			if (len(theirStrict) > 0) != (strictErr != nil) {
				t.Errorf("%s: strict: %v", tc.doc, strictErr)
			}
		}
	}
}

// embedded matches the names of embedded Go structs, which their paths contain and documents do not.
var embedded = regexp.MustCompile(`\.[A-Z]\w*(\.[a-z])`)

func sameError(ours error, theirs string) bool {
	theirs = embedded.ReplaceAllString(theirs, "$1")
	var value *codec.ValueError
	if errors.As(ours, &value) {
		return value.Path != "" && strings.HasSuffix(ours.Error(), ": "+theirs)
	}
	return ours.Error() == theirs
}
