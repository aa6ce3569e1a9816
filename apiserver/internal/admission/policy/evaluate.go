package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/common/types"

	"github.com/keelson/keelson/apiserver/internal/admission/expr"
	"github.com/keelson/keelson/apiserver/internal/cel"
	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
)

// validating is a compiled ValidatingAdmissionPolicy.
type validating struct {
	subject
	validations []validation
	annotations []annotation
}

type validation struct {
	*v1.Validation
	program, message *cel.Program
}

type annotation struct {
	key     string
	program *cel.Program
}

func compileValidating(name string, s *v1.ValidatingAdmissionPolicySpec) *validating {
	out := &validating{}
	var c *expr.Compiler
	if out.subject, c = compileSubject(name, s, false); c == nil {
		return out
	}
	for _, v := range s.GetValidations() {
		p, err := c.Compile(v.Expression, cel.BoolType)
		out.fail(err)
		one := validation{Validation: v, program: p}
		if v.MessageExpression != "" {
			one.message, err = c.CompileText(v.MessageExpression, cel.StringType)
			out.fail(err)
		}
		out.validations = append(out.validations, one)
	}
	for _, a := range s.GetAuditAnnotations() {
		p, err := c.Compile(a.ValueExpression, cel.StringType, cel.NullType)
		out.fail(err)
		out.annotations = append(out.annotations, annotation{a.Key, p})
	}
	return out
}

// decision is what came of one validation; a nil err passes.
type decision struct {
	reason string
	err    error
}

// outcome is what came of one evaluation. broken is an annotation that cannot be made, where that refuses.
type outcome struct {
	decisions   []decision
	annotations map[string]string
	broken      error
}

// evaluate runs a policy's expressions for one request.
func (p *validating) evaluate(ctx context.Context, in *expr.Input, i invocation) outcome {
	run, ok, err := p.start(ctx, in, i)
	if err != nil {
		return outcome{decisions: []decision{p.failed(err)}}
	}
	if !ok {
		return outcome{}
	}
	out := outcome{annotations: map[string]string{}}
	for _, v := range p.validations {
		d, stop := p.decide(run, v)
		if stop {
			return outcome{decisions: []decision{d}}
		}
		out.decisions = append(out.decisions, d)
	}
	run = in.NewRun(ctx, p.variables, i.params, cel.NewBudget(cel.PerObject))
	for _, a := range p.annotations {
		p.annotate(run, a, &out)
	}
	return out
}

// failed is what an error of the policy itself leads to.
func (p *validating) failed(err error) decision {
	if p.ignore {
		return decision{}
	}
	return decision{err: err}
}

// decide evaluates one validation; stop ends the policy.
func (p *validating) decide(run *expr.Run, v validation) (d decision, stop bool) {
	value, err := run.Eval(v.program)
	switch {
	case errors.Is(err, cel.ErrBudget):
		return p.failed(err), true
	case err != nil:
		return p.failed(fmt.Errorf("expression '%v' resulted in error: %w", v.Expression, err)), false
	case value == types.True:
		return decision{}, false
	}
	reason := v.GetReason()
	if reason == "" {
		reason = "Invalid"
	}
	message := ""
	if v.message != nil {
		text, err := run.Eval(v.message)
		if errors.Is(err, cel.ErrBudget) {
			return p.failed(fmt.Errorf("failed messageExpression: %w", err)), false
		}
		if err == nil {
			message, _ = text.Value().(string)
		}
		// A message of several lines or of great length is none.
		if message = strings.TrimSpace(message); len(message) > cel.MaxMessageBytes || strings.Contains(message, "\n") {
			message = ""
		}
	}
	if message == "" {
		message = strings.TrimSpace(v.Message)
	}
	if message == "" {
		message = "failed expression: " + strings.TrimSpace(v.Expression)
	}
	return decision{reason, errors.New(message)}, false
}

func (p *validating) annotate(run *expr.Run, a annotation, out *outcome) {
	value, err := run.Eval(a.program)
	if err != nil {
		if !p.ignore {
			out.broken = fmt.Errorf("expression '%v' resulted in error: %w", a.program.Expression, err)
		}
		return
	}
	text, _ := value.Value().(string)
	if text = strings.TrimSpace(text); text != "" {
		out.annotations[a.key] = text[:min(len(text), maxAnnotation)]
	}
}
