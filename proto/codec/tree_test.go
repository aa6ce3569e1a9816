package codec_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/keelson/keelson/proto/codec"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

func TestTree(t *testing.T) {
	want := pod(t, parse(t, podType, string(podJSON), codec.DecodeOptions{}))
	tree, err := codec.ToTree(want)
	if err != nil {
		t.Fatal(err)
	}
	if tree["kind"] != "Pod" || tree["apiVersion"] != "v1" {
		t.Errorf("%v %v", tree["kind"], tree["apiVersion"])
	}
	if v := tree["metadata"].(map[string]any)["generation"]; v != int64(1) {
		t.Errorf("generation is %T", v)
	}
	got := &corev1.Pod{}
	if _, err := codec.FromTree(tree, got, codec.DecodeOptions{Validation: codec.Strict}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	for in, want := range map[string]any{
		`1`: int64(1), `1.0`: 1.0, `1e2`: 100.0, `9223372036854775808`: 9223372036854775808.0, `[]`: []any{}, `{"a":null,"a":true}`: map[string]any{"a": true},
	} {
		if got, err := codec.ParseTree([]byte(in)); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%s: %v %v", in, got, err)
		}
	}
	for _, bad := range []string{``, `{`, `[1,]`, `{"a":1,}`, `nul`, `1 2`, `{"a" 1}`, "\"\n\"", `1e999`} {
		if v, err := codec.ParseTree([]byte(bad)); err == nil {
			t.Errorf("%s is accepted as %v", bad, v)
		}
	}
	if _, err := codec.AppendTree(nil, map[string]any{"a": struct{}{}}); err == nil {
		t.Error("a struct is accepted")
	}
}
