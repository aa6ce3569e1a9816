package schema

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"k8s.io/apimachinery/pkg/util/duration"
)

// schemaless is the behaviour of a custom kind of which nothing but its names is known.
type schemaless struct{}

func (schemaless) Prune(map[string]any, func(string))             {}
func (schemaless) Default(map[string]any)                         {}
func (schemaless) Validate(_, _ map[string]any, _ bool) ErrorList { return nil }
func (schemaless) Field(map[string]any, string) string            { return "" }
func (schemaless) ApplyType() typed.ParseableType                 { return deduced }
func (schemaless) Cells(obj map[string]any, now time.Time) []any {
	meta, _ := obj["metadata"].(map[string]any)
	created, _ := meta["creationTimestamp"].(string)
	t, err := time.Parse(time.RFC3339, created)
	if err != nil {
		return []any{"<unknown>"}
	}
	return []any{duration.HumanDuration(now.Sub(t))}
}

func (schemaless) OpenAPI(bool) map[string]any {
	return map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
}

// deduced is structured-merge-diff's type of everything: objects are granular and lists are atomic.
var deduced = func() typed.ParseableType {
	name := "deduced"
	ref := smd.TypeRef{NamedType: &name}
	untyped := smd.Untyped
	return typed.ParseableType{TypeRef: ref, Schema: &smd.Schema{Types: []smd.TypeDef{{Name: name, Atom: smd.Atom{
		Scalar: &untyped,
		List:   &smd.List{ElementType: ref, ElementRelationship: smd.Atomic},
		Map:    &smd.Map{ElementType: ref, ElementRelationship: smd.Separable},
	}}}}}
}()

func internalError(err error) *Error { return field.InternalError(nil, err) }
