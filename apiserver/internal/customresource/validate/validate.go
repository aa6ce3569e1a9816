// Package validate tells what is wrong with custom objects, in Kubernetes' words: by the OpenAPI schema of their kind,
// by what lists of type map and set promise, as whole objects inside others, and by CEL rules. What an update leaves as it
// was is not refused, though the schema may have become stricter meanwhile.
package validate

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/keelson/keelson/apiserver/internal/customresource/rules"
	"github.com/keelson/keelson/apiserver/internal/customresource/structural"
	"github.com/keelson/keelson/proto/schema"
)

// Validator validates the objects of one version of a kind. It may be used concurrently.
type Validator struct {
	root   *structural.Schema
	spec   *spec.Schema
	status *spec.Schema
	rules  *rules.Set
	scale  *schema.Scale
}

// ruleTime bounds the rules of one object; their cost is bounded, too.
const ruleTime = 10 * time.Second

// New returns the validator of a schema with its compiled rules.
func New(root *structural.Schema, set *rules.Set, scale *schema.Scale) *Validator {
	v := &Validator{root: root, rules: set, scale: scale}
	if root != nil {
		v.spec = specOf(root.Props)
		v.status = specOf(root.Props.GetProperties()["status"])
	}
	return v
}

// Validate returns what is wrong with an object; old is nil on create.
func (v *Validator) Validate(obj, old map[string]any, status bool) field.ErrorList {
	if v.root == nil {
		return nil
	}
	var history *pair
	if old != nil {
		history = &pair{value: obj, old: old, schema: v.root}
	}
	var errs field.ErrorList
	if status {
		errs = v.statusOnly(obj, history)
	} else {
		errs = checkOpenAPI(v.spec, obj, history, nil)
	}
	errs = append(errs, checkScale(v.scale, obj, status)...)
	errs = append(errs, checkEmbedded(v.root, obj, nil, true)...)
	if old == nil || len(checkLists(v.root, old, nil)) == 0 {
		errs = append(errs, checkLists(v.root, obj, nil)...)
	}
	if v.rules.Empty() {
		return errs
	}
	if blocked(errs) {
		return append(errs, field.Invalid(nil, nil, "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), ruleTime)
	defer cancel()
	var was rules.History
	if history != nil {
		was = history
	}
	if status {
		return append(errs, v.rules.CheckStatus(ctx, obj, was)...)
	}
	return append(errs, v.rules.Check(ctx, obj, was)...)
}

func (v *Validator) statusOnly(obj map[string]any, history *pair) field.ErrorList {
	value, ok := obj["status"]
	if !ok || v.status == nil {
		return nil
	}
	below := history.key("status")
	return checkOpenAPI(v.status, value, below, field.NewPath("status"))
}

// blocked tells whether errors are of a kind with which rules cannot be evaluated.
func blocked(errs field.ErrorList) bool {
	for _, e := range errs {
		switch e.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return true
		}
	}
	return false
}

// Old implements rules.History.
func (p *pair) Old() any { return p.old }

// Same implements rules.History.
func (p *pair) Same() bool { return p.unchanged() }

// Field implements rules.History.
func (p *pair) Field(name string) rules.History {
	if below := p.key(name); below != nil {
		return below
	}
	return nil
}

// Item implements rules.History.
func (p *pair) Item(i int) rules.History {
	if below := p.index(i); below != nil {
		return below
	}
	return nil
}

// Value returns what is wrong with a value by itself, such as a default; set may be nil.
func Value(s *structural.Schema, set *rules.Set, value any, at *field.Path) field.ErrorList {
	errs := checkOpenAPI(specOf(s.Props), value, nil, at)
	errs = append(errs, checkEmbedded(s, value, at, false)...)
	errs = append(errs, checkLists(s, value, at)...)
	if set.Empty() || blocked(errs) {
		return errs
	}
	ctx, cancel := context.WithTimeout(context.Background(), ruleTime)
	defer cancel()
	return append(errs, set.CheckValue(ctx, value, at)...)
}
