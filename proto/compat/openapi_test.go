package compat

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilproto "k8s.io/kube-openapi/pkg/util/proto"
	"k8s.io/kube-openapi/pkg/validation/spec"

	ours "github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/openapi"
)

// served lists the kinds that have a type on both sides and a place in the documents.
func served() []schema.GroupVersionKind {
	var out []schema.GroupVersionKind
	for _, k := range ours.Builtin().Kinds() {
		gvk := schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind}
		if k.Served && k.Plural != "" && theirs.Recognizes(gvk) {
			out = append(out, gvk)
		}
	}
	return out
}

// jsonFields calls f for each field of a Go type as JSON shows it, those of inlined structs among them.
func jsonFields(t reflect.Type, f func(name string, typ reflect.Type)) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-" || !field.IsExported():
		case name == "" && (field.Anonymous || strings.Contains(options, "inline")):
			jsonFields(field.Type, f)
		case name != "":
			f(name, field.Type)
		}
	}
}

// TestOpenAPIV2DescribesEveryField reads the document the way that clients of old do, from gnostic's encoding, and looks
// for every field of the Go types in it.
func TestOpenAPIV2DescribesEveryField(t *testing.T) {
	doc, err := openapi.New(ours.Builtin(), "v1.37.0").V2()
	if err != nil {
		t.Fatal(err)
	}
	var swagger spec.Swagger
	if err := json.Unmarshal(doc.JSON, &swagger); err != nil {
		t.Fatal(err)
	}
	raw, err := doc.Protobuf()
	if err != nil {
		t.Fatal(err)
	}
	var gnostic openapi_v2.Document
	if err := proto.Unmarshal(raw, &gnostic); err != nil {
		t.Fatal(err)
	}
	models, err := utilproto.NewOpenAPIData(&gnostic)
	if err != nil {
		t.Fatal(err)
	}
	byKind := map[schema.GroupVersionKind]utilproto.Schema{}
	for _, name := range models.ListModels() {
		model := models.LookupModel(name)
		list, _ := model.GetExtensions()["x-kubernetes-group-version-kind"].([]any)
		for _, e := range list {
			m, _ := e.(map[any]any)
			group, _ := m["group"].(string)
			version, _ := m["version"].(string)
			kind, _ := m["kind"].(string)
			byKind[schema.GroupVersionKind{Group: group, Version: version, Kind: kind}] = model
		}
	}
	for _, gvk := range served() {
		model := byKind[gvk]
		if model == nil {
			t.Errorf("%s is not described", gvk)
			continue
		}
		w := walker{t: t, seen: map[reflect.Type]bool{}}
		w.model(gvk.Kind, model, theirs.AllKnownTypes()[gvk])
	}
}

type walker struct {
	t    *testing.T
	seen map[reflect.Type]bool
}

// model compares a schema with a Go type, and goes on into its fields.
func (w *walker) model(path string, s utilproto.Schema, typ reflect.Type) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch v := s.(type) {
	case utilproto.Reference:
		w.model(path, v.SubSchema(), typ)
	case *utilproto.Array:
		if typ.Kind() == reflect.Slice && typ.Elem().Kind() != reflect.Uint8 {
			w.model(path+"[]", v.SubType, typ.Elem())
		}
	case *utilproto.Map:
		if typ.Kind() == reflect.Map {
			w.model(path+"{}", v.SubType, typ.Elem())
		}
	case *utilproto.Kind:
		if typ.Kind() != reflect.Struct {
			w.t.Errorf("%s is described as an object, and is %s", path, typ)
			return
		}
		if w.seen[typ] {
			return
		}
		w.seen[typ] = true
		jsonFields(typ, func(name string, ft reflect.Type) {
			field := v.Fields[name]
			if field == nil {
				w.t.Errorf("%s.%s is not described", path, name)
				return
			}
			if field.GetDescription() == "" {
				if _, isRef := field.(utilproto.Reference); !isRef {
					w.t.Errorf("%s.%s has no description", path, name)
				}
			}
			w.model(path+"."+name, field, ft)
		})
	}
}
