package compat

import (
	"encoding/json"
	"math"
	"math/rand"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/resource"
	genericfuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
)

var quantities = []string{"0", "1", "100m", "1500m", "0.5", "1Gi", "128Mi", "1025Ki", "1e3", "12e6", "3k", "999", "1000", "-2", "1n", "4Ti", "0.1Gi", "1.5Gi"}

// newFiller takes apimachinery's fuzzers, and makes what they leave out.
func newFiller(src rand.Source, codecs serializer.CodecFactory) *randfill.Filler {
	special := func(serializer.CodecFactory) []any {
		return []any{
			func(q *resource.Quantity, c randfill.Continue) {
				*q = resource.MustParse(quantities[c.Intn(len(quantities))])
			},
			func(v *intstr.IntOrString, c randfill.Continue) {
				if c.Bool() {
					*v = intstr.FromString(c.String(10))
				} else {
					*v = intstr.FromInt32(c.Int31())
				}
			},
			func(v *metav1.Time, c randfill.Continue) {
				if c.Intn(10) > 0 {
					*v = metav1.Unix(int64(c.Uint32())-c.Int63n(2)<<33, 0).Rfc3339Copy()
				}
			},
			// The zero time behind a pointer is null in their JSON and nothing in ours, which means the same.
			func(v **metav1.Time, c randfill.Continue) {
				if *v = nil; c.Bool() {
					t := metav1.Unix(int64(c.Uint32()), 0).Rfc3339Copy()
					*v = &t
				}
			},
			func(v **metav1.MicroTime, c randfill.Continue) {
				if *v = nil; c.Bool() {
					t := metav1.NewMicroTime(time.UnixMicro(int64(c.Uint32())*1e6 + c.Int63n(1e6)))
					*v = &t
				}
			},
			func(v *metav1.MicroTime, c randfill.Continue) {
				if c.Intn(10) > 0 {
					*v = metav1.NewMicroTime(time.UnixMicro(int64(c.Uint32())*1e6 + c.Int63n(1e6)))
				}
			},
			func(v *metav1.FieldsV1, c randfill.Continue) {
				v.SetRawBytes([]byte(`{"f:metadata":{"f:labels":{".":{},"f:` + label(c) + `":{}}}}`))
			},
			func(v *metav1.ManagedFieldsEntry, c randfill.Continue) { c.FillNoCustom(v) },
			func(v *apiextensionsv1.JSON, c randfill.Continue) {
				v.Raw = []byte([]string{`{"a":1}`, `"x"`, `[1,2.5,null]`, `7`, `false`}[c.Intn(5)])
			},
			func(v *apiextensionsv1.JSONSchemaProps, c randfill.Continue) {
				if c.Intn(16) == 0 { // keeps the recursion finite
					c.FillNoCustom(v)
					return
				}
				*v = apiextensionsv1.JSONSchemaProps{Type: "string", Description: c.String(5)}
				c.Fill(&v.Default)
				c.Fill(&v.Enum)
				c.Fill(&v.Maximum)
			},
			func(v *apiextensionsv1.JSONSchemaPropsOrBool, c randfill.Continue) {
				if v.Allows = c.Bool(); v.Allows && c.Bool() {
					v.Schema = &apiextensionsv1.JSONSchemaProps{Type: "x"}
				}
			},
			func(v *apiextensionsv1.JSONSchemaPropsOrArray, c randfill.Continue) {
				if c.Bool() {
					v.Schema = &apiextensionsv1.JSONSchemaProps{Type: "x"}
				} else {
					v.JSONSchemas = []apiextensionsv1.JSONSchemaProps{{Type: "x"}, {Format: "y"}}
				}
			},
			func(v *apiextensionsv1.JSONSchemaPropsOrStringArray, c randfill.Continue) {
				if c.Bool() {
					v.Schema = &apiextensionsv1.JSONSchemaProps{Type: "x"}
				} else {
					v.Property = []string{"a", c.String(4)}
				}
			},
			func(v *float64, c randfill.Continue) {
				*v = []float64{0, 1, -1.5, 1e21, 1e-7, 123456789, math.MaxFloat64, 0.1}[c.Intn(8)]
			},
		}
	}
	f := fuzzer.FuzzerFor(fuzzer.MergeFuzzerFuncs(genericfuzzer.Funcs, special), src, codecs)
	return f.NilChance(0.6).NumElements(1, 2)
}

func label(c randfill.Continue) string {
	b, _ := json.Marshal(c.String(8))
	return string(b[1 : len(b)-1])
}

// fillOurs sets random fields of one of our messages, so that fields that Kubernetes does not have are found.
func fillOurs(r *rand.Rand, m protoreflect.Message, depth int) {
	form := proto.GetExtension(m.Descriptor().Options(), optionsv1.E_JsonForm).(optionsv1.JSONForm)
	fields := m.Descriptor().Fields()
	set := func(i int, v any) { m.Set(fields.Get(i), protoreflect.ValueOf(v)) }
	switch form {
	case optionsv1.JSONForm_JSON_FORM_UNSPECIFIED, optionsv1.JSONForm_JSON_FORM_LIST:
	case optionsv1.JSONForm_JSON_FORM_TIME, optionsv1.JSONForm_JSON_FORM_MICRO_TIME:
		set(0, int64(r.Uint32()))
		set(1, int32(0))
		return
	case optionsv1.JSONForm_JSON_FORM_DURATION:
		set(0, int64(r.Uint32()))
		return
	case optionsv1.JSONForm_JSON_FORM_QUANTITY:
		q := resource.MustParse(quantities[r.Intn(len(quantities))])
		set(0, q.String())
		return
	case optionsv1.JSONForm_JSON_FORM_INT_OR_STRING:
		set(1, r.Int31())
		return
	case optionsv1.JSONForm_JSON_FORM_RAW:
		set(0, []byte(`{"kind":"K","apiVersion":"v1"}`))
		return
	default: // a schema
		if depth > 6 {
			return
		}
		for i := range fields.Len() {
			if fd := fields.Get(i); fd.Kind() == protoreflect.MessageKind && !fd.IsList() {
				fillOurs(r, m.Mutable(fd).Message(), depth+1)
			} else if fd.Kind() == protoreflect.BoolKind {
				m.Set(fd, protoreflect.ValueOfBool(true))
			}
		}
		return
	}
	for i := range fields.Len() {
		if fd := fields.Get(i); depth < 9 && r.Intn(10) < 8-depth/2 {
			fillField(r, m, fd, depth)
		}
	}
}

func fillField(r *rand.Rand, m protoreflect.Message, fd protoreflect.FieldDescriptor, depth int) {
	switch {
	case fd.IsMap():
		mp := m.Mutable(fd).Map()
		v := mp.NewValue()
		if fd.MapValue().Kind() == protoreflect.MessageKind {
			fillOurs(r, v.Message(), depth+1)
		} else {
			v = scalar(r, fd.MapValue())
		}
		mp.Set(protoreflect.ValueOfString("key").MapKey(), v)
	case fd.IsList():
		list := m.Mutable(fd).List()
		if fd.Kind() == protoreflect.MessageKind {
			fillOurs(r, list.AppendMutable().Message(), depth+1)
		} else {
			list.Append(scalar(r, fd))
		}
	case fd.Kind() == protoreflect.MessageKind:
		fillOurs(r, m.Mutable(fd).Message(), depth+1)
	default:
		m.Set(fd, scalar(r, fd))
	}
}

func scalar(r *rand.Rand, fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(r.Int31n(1000) - 500)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(r.Int63() - r.Int63())
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(r.Uint32())
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(r.Uint64())
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(r.NormFloat64())
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{1, 2, byte(r.Intn(256))})
	}
	return protoreflect.ValueOfString([]string{"a", "é<&>", "x\n\"y\\", "\u2028", "日本"}[r.Intn(5)])
}
