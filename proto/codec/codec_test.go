package codec_test

import (
	_ "embed"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// podJSON is a pod as a running cluster returns it.
//
//go:embed testdata/pod.json
var podJSON []byte

func typeOf(obj proto.Message) *codec.Type { return codec.For(obj.ProtoReflect().Descriptor()) }

var podType = typeOf(&corev1.Pod{})

func parse(t testing.TB, ty *codec.Type, doc string, o codec.DecodeOptions) []byte {
	t.Helper()
	wire, _, err := ty.ParseJSON(nil, []byte(doc), o)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

func TestPodRoundTrip(t *testing.T) {
	var tm codec.TypeMeta
	wire := parse(t, podType, string(podJSON), codec.DecodeOptions{Validation: codec.Strict, TypeMeta: &tm})
	if tm != (codec.TypeMeta{APIVersion: "v1", Kind: "Pod"}) {
		t.Errorf("type meta %+v", tm)
	}
	out, err := podType.AppendJSON(nil, wire, codec.EncodeOptions{APIVersion: tm.APIVersion, Kind: tm.Kind})
	if err != nil {
		t.Fatal(err)
	}
	if diff := diffJSON(t, podJSON, out); diff != "" {
		t.Errorf("-in +out\n%s", diff)
	}
	pod := &corev1.Pod{}
	if err := proto.Unmarshal(wire, pod); err != nil {
		t.Fatal(err)
	}
	if out, err = codec.Marshal(pod); err != nil || diffJSON(t, podJSON, out) != "" {
		t.Errorf("struct path: %v\n%s", err, out)
	}
}

// diffJSON compares documents, for the order of fields is not part of the contract.
func diffJSON(t testing.TB, want, got []byte) string {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(want, &a); err != nil {
		t.Fatalf("%v: %s", err, want)
	}
	if err := json.Unmarshal(got, &b); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	return cmp.Diff(a, b)
}

// TestForms reads documents and writes them again: what null, zero values and special types become.
func TestForms(t *testing.T) {
	pod, crd := &corev1.Pod{}, &apiextensionsv1.JSONSchemaProps{}
	for _, tc := range []struct {
		name     string
		obj      proto.Message
		in, want string
	}{
		{"empty", pod, `{}`, `{"metadata":{},"spec":{"containers":null},"status":{}}`},
		{"null document", pod, ` null `, `{"metadata":{},"spec":{"containers":null},"status":{}}`},
		{"nulls", pod, `{"metadata":null,"spec":{"containers":null,"priority":null,"hostname":null,"nodeSelector":null}}`,
			`{"metadata":{},"spec":{"containers":null},"status":{}}`},
		{"null elements", &corev1.PodSpec{}, `{"containers":[null],"nodeSelector":{"a":null},"overhead":{"cpu":null}}`,
			`{"containers":[{"name":"","resources":{}}],"nodeSelector":{"a":""},"overhead":{"cpu":"0"}}`},
		{"zero with and without presence", &corev1.PodSpec{}, `{"priority":0,"hostNetwork":false,"enableServiceLinks":false}`,
			`{"priority":0,"enableServiceLinks":false,"containers":null}`},
		{"quantities", &corev1.ResourceRequirements{}, `{"limits":{"a":1,"b":"1000m","c":"0.5","d":1e3,"e":"1024Mi","f":" 5 ","g":1.5,"h":"1500m"}}`,
			`{"limits":{"a":"1","b":"1","c":"500m","d":"1e3","e":"1Gi","f":"5","g":"1500m","h":"1500m"}}`},
		{"int or string", &corev1.ServicePort{}, `{"port":80,"targetPort":"http"}`, `{"port":80,"targetPort":"http"}`},
		{"zero int or string", &corev1.ServicePort{}, `{"port":80}`, `{"port":80,"targetPort":0}`},
		{"negative", &corev1.ServicePort{}, `{"port":-1,"targetPort":-5}`, `{"port":-1,"targetPort":-5}`},
		{"times", &metav1.ObjectMeta{}, `{"creationTimestamp":"2026-02-28T23:59:59+01:00","deletionTimestamp":"1969-12-31T23:59:58.5Z"}`,
			`{"creationTimestamp":"2026-02-28T22:59:59Z","deletionTimestamp":"1969-12-31T23:59:58Z"}`},
		{"epoch", &metav1.ObjectMeta{}, `{"creationTimestamp":"1970-01-01T00:00:00Z"}`, `{"creationTimestamp":"1970-01-01T00:00:00Z"}`},
		{"zero time", &metav1.ObjectMeta{}, `{"creationTimestamp":"0001-01-01T00:00:00Z"}`, `{}`},
		{"bytes", &corev1.Secret{}, `{"data":{"a":"aGk=","b":"","c":null,"d":[1,2]}}`, `{"metadata":{},"data":{"a":"aGk=","b":"","c":"","d":"AQI="}}`},
		{"escapes", &metav1.ObjectMeta{}, `{"name":"\u00e9\ud83d\ude00\n\"\\\/\u0001<&>","namespace":"\ud800x"}`,
			`{"name":"é😀\n\"\\/\u0001<&>","namespace":"` + "\ufffd" + `x"}`},
		{"not UTF-8", &metav1.ObjectMeta{}, "{\"name\":\"a\xffb\"}", `{"name":"a` + "\ufffd" + `b"}`},
		{"inlined", &corev1.Volume{}, `{"configMap":{"name":"c","optional":false},"name":"v"}`, `{"configMap":{"name":"c","optional":false},"name":"v"}`},
		{"raw", &metav1.ManagedFieldsEntry{}, `{"fieldsV1": {"f:a" : {}} }`, `{"fieldsV1":{"f:a" : {}}}`},
		{"schema", crd, `{"items":{"type":"a"},"additionalProperties":false,"default":{"x":[1]},"$ref":"r","maximum":1.5}`,
			`{"items":{"type":"a"},"additionalProperties":false,"default":{"x":[1]},"$ref":"r","maximum":1.5}`},
		{"schema lists", crd, `{"items":[{"type":"a"},{}],"additionalProperties":{"type":"b"},"dependencies":{"a":["x"],"b":{"type":"c"}},"maximum":1e21,"minimum":1e-7}`,
			`{"items":[{"type":"a"},{}],"additionalProperties":{"type":"b"},"dependencies":{"a":["x"],"b":{"type":"c"}},"maximum":1e+21,"minimum":1e-7}`},
		{"true", crd, `{"additionalProperties":true,"x-kubernetes-int-or-string":true}`, `{"additionalProperties":true,"x-kubernetes-int-or-string":true}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ty := typeOf(tc.obj)
			wire := parse(t, ty, tc.in, codec.DecodeOptions{Validation: codec.Strict})
			out, err := ty.AppendJSON(nil, wire, codec.EncodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := diffJSON(t, []byte(tc.want), out); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestMapsAreInOrder(t *testing.T) {
	ty := typeOf(&metav1.ObjectMeta{})
	wire := parse(t, ty, `{"labels":{"b":"1","a":"2","c":"3","b":"4"}}`, codec.DecodeOptions{})
	if out, err := ty.AppendJSON(nil, wire, codec.EncodeOptions{}); err != nil || string(out) != `{"labels":{"a":"2","b":"4","c":"3"}}` {
		t.Errorf("%v %s", err, out)
	}
}

// TestDuplicates: without validation the last occurrence counts; lists are replaced, objects merged.
func TestDuplicates(t *testing.T) {
	for _, tc := range []struct {
		obj      proto.Message
		in, want string
	}{
		{&corev1.PodSpec{}, `{"nodeName":"a","nodeName":"b","containers":[]}`, `{"nodeName":"b","containers":null}`},
		{&corev1.PodSpec{}, `{"nodeName":"a","nodeName":"","hostPID":true,"hostPID":false}`, `{"containers":null}`},
		{&corev1.PodSpec{}, `{"containers":[{"name":"a"}],"containers":[{"name":"b"}]}`, `{"containers":[{"name":"b","resources":{}}]}`},
		{&corev1.PodSpec{}, `{"priority":1,"priority":null,"affinity":{},"affinity":null}`, `{"containers":null}`},
		{&metav1.ObjectMeta{}, `{"labels":{"a":"1"},"labels":{"b":"2"}}`, `{"labels":{"a":"1","b":"2"}}`},
		{&corev1.ServicePort{}, `{"targetPort":"x","targetPort":5}`, `{"port":0,"targetPort":5}`},
		{&corev1.Volume{}, `{"hostPath":{"path":"a"},"name":"v","hostPath":{"type":"File"}}`, `{"name":"v","hostPath":{"path":"a","type":"File"}}`},
		{&corev1.EphemeralContainer{}, `{"name":"e","args":["a"],"targetContainerName":"t","args":["b"]}`, `{"name":"e","args":["b"],"resources":{},"targetContainerName":"t"}`},
	} {
		ty := typeOf(tc.obj)
		wire := parse(t, ty, tc.in, codec.DecodeOptions{})
		out, err := ty.AppendJSON(nil, wire, codec.EncodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := diffJSON(t, []byte(tc.want), out); diff != "" {
			t.Errorf("%s\n-want +got\n%s", tc.in, diff)
		}
		// The struct sees the same.
		msg := tc.obj.ProtoReflect().New().Interface()
		if err := proto.Unmarshal(wire, msg); err != nil {
			t.Fatal(err)
		}
		if out, err = codec.AppendMessage(nil, msg, codec.EncodeOptions{}); err != nil || diffJSON(t, []byte(tc.want), out) != "" {
			t.Errorf("%s: the struct has %s", tc.in, out)
		}
	}
}

func TestValidation(t *testing.T) {
	const doc = `{"kind":"Deployment","spec":{"foo":1,"replicas":1,"replicas":2,"template":{"spec":{"containers":[{"name":"a"},{"bar":{},"baz":[1]}],
		"nodeSelector":{"a":"1","a":"2"}}}},"Metadata":{}}`
	want := []string{
		`unknown field "spec.foo"`, `duplicate field "spec.replicas"`, `unknown field "spec.template.spec.containers[1].bar"`,
		`unknown field "spec.template.spec.containers[1].baz"`, `duplicate field "spec.template.spec.nodeSelector.a"`, `unknown field "Metadata"`,
	}
	ty := typeOf(&appsv1.Deployment{})
	_, warnings, err := ty.ParseJSON(nil, []byte(doc), codec.DecodeOptions{Validation: codec.Warn})
	if err != nil || !cmp.Equal(want, []string(warnings)) {
		t.Errorf("warn: %v %s", err, cmp.Diff(want, []string(warnings)))
	}
	wire, warnings, err := ty.ParseJSON(nil, []byte(doc), codec.DecodeOptions{})
	if err != nil || len(warnings) > 0 || len(wire) == 0 {
		t.Errorf("ignore: %v %v", err, warnings)
	}
	prefix := []byte("kept")
	out, _, err := ty.ParseJSON(prefix, []byte(doc), codec.DecodeOptions{Validation: codec.Strict})
	var strict *codec.StrictError
	if !errors.As(err, &strict) || !cmp.Equal(want, strict.Problems) {
		t.Errorf("strict: %v", err)
	}
	if string(out) != "kept" {
		t.Errorf("dst became %q", out)
	}
	if !strings.HasPrefix(err.Error(), `strict decoding error: unknown field "spec.foo", duplicate field`) {
		t.Error(err)
	}
	many := `{"metadata":{` + strings.TrimSuffix(strings.Repeat(`"x":1,`, 3), ",")
	for i := range 300 {
		many += `,"y` + strings.Repeat("z", i) + `":1`
	}
	if _, warnings, err = ty.ParseJSON(nil, []byte(many+`}}`), codec.DecodeOptions{Validation: codec.Warn}); err != nil || len(warnings) != 100 {
		t.Errorf("%d warnings, %v", len(warnings), err)
	}
}

// TestHostileWire: what is not our protobuf is an error or skipped, never a panic, and never breaks the JSON around it.
func TestHostileWire(t *testing.T) {
	field := func(num protowire.Number, v []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), v)
	}
	bad := map[string][]byte{
		"truncated":            {0x0a, 0x05, 'a'},
		"huge length":          {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"field zero":           {0x02, 0x00},
		"end of no group":      {0x0c},
		"raw that is not JSON": field(1, field(17, field(7, field(1, []byte(`{}},"evil":{`))))),
		"bad quantity":         field(2, field(32, append(field(1, []byte("cpu")), field(2, field(1, []byte("x")))...))),
	}
	schema := typeOf(&apiextensionsv1.JSONSchemaProps{})
	// A schema whose "not" is a schema whose "not" ...; every level says its type twice, so that all have to be merged.
	nest := func(levels int) []byte {
		w := field(5, []byte("leaf"))
		for range levels {
			w = append(append(field(5, []byte("a")), field(28, w)...), field(5, []byte("b"))...)
		}
		return w
	}
	if _, err := schema.AppendJSON(nil, nest(400), codec.EncodeOptions{}); err == nil {
		t.Error("no bound on the depth")
	}
	if out, err := schema.AppendJSON(nil, nest(100), codec.EncodeOptions{}); err != nil || strings.Count(string(out), `"type":"b"`) != 100 {
		t.Errorf("%v %s", err, out)
	}
	for name, wire := range bad {
		if out, err := podType.AppendJSON([]byte("x"), wire, codec.EncodeOptions{}); err == nil || string(out) != "x" {
			t.Errorf("%s: %s %v", name, out, err)
		}
	}
	unknown := append(field(1, field(1, []byte("n"))), field(2000, []byte("later"))...)
	unknown = append(unknown, protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 7)...)
	out, err := podType.AppendJSON(nil, unknown, codec.EncodeOptions{})
	if err != nil || string(out) != `{"metadata":{"name":"n"},"spec":{"containers":null},"status":{}}` {
		t.Errorf("%s %v", out, err)
	}
	empties := []byte{}
	for range 1000 {
		empties = append(empties, field(2, nil)...)
	}
	if _, err := podType.AppendJSON(nil, field(2, empties), codec.EncodeOptions{MaxBytes: 10000}); err == nil {
		t.Error("no bound on the output")
	}
}

func TestHostileJSON(t *testing.T) {
	schema := typeOf(&apiextensionsv1.JSONSchemaProps{})
	for name, doc := range map[string]string{
		"deep schema": strings.Repeat(`{"items":`, 5000) + `{}` + strings.Repeat(`}`, 5000),
		"deep raw":    `{"default":` + strings.Repeat(`[`, 20000) + strings.Repeat(`]`, 20000) + `}`,
		"duplicates":  `{` + strings.Repeat(`"enum":[1],`, 1000) + `"type":"a"}`,
		"exponent":    `{"maxLength":1e99999999999}`,
	} {
		if _, _, err := schema.ParseJSON(nil, []byte(doc), codec.DecodeOptions{}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for _, q := range []string{"1e999999999", "1E-999999999", "1e+0000000000000000000000000009999", strings.Repeat("9", 5000)} {
		if _, _, err := typeOf(&corev1.ResourceRequirements{}).ParseJSON(nil, []byte(`{"limits":{"cpu":"`+q+`"}}`), codec.DecodeOptions{}); err == nil {
			t.Errorf("%.40s is accepted", q)
		}
	}
	if _, _, err := podType.ParseJSON(nil, podJSON, codec.DecodeOptions{MaxBytes: 1000}); err == nil {
		t.Error("no bound on the input")
	}
}
