package definition

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keelson/keelson/proto/codec"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
)

func TestWarnings(t *testing.T) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	_, err := codec.Unmarshal([]byte(`{"spec":{"versions":[{"name":"v1","schema":{"openAPIV3Schema":{"type":"object","properties":{
		"a":{"type":"string","format":"date-time"},"b":{"type":"string","format":"nope"},"c":{"type":"boolean","format":"int32"},
		"d":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"object"}},
		"e":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string","format":"k8s-short-name"}},
		"f":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"object"}}}}}}]}}`), crd, codec.DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`unrecognized format "nope"`, `unrecognized format "int32"`,
		`x-kubernetes-list-type: set for items of type "object" is not supported by server-side apply or CEL validation rules`}
	if diff := cmp.Diff(want, Warnings(crd, nil)); diff != "" {
		t.Error(diff)
	}
	if got := Warnings(crd, crd); len(got) > 0 {
		t.Errorf("said before: %q", got)
	}
}
