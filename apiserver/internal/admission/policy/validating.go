package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/admission/expr"
	"github.com/keelson/keelson/apiserver/internal/admission/hook"
	"github.com/keelson/keelson/proto/apierrors"
	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/schema"
)

const (
	maxAnnotation = 10 << 10
	// maxFailures is how many failures the audit annotation names.
	maxFailures = 50
)

// Validating enforces ValidatingAdmissionPolicies.
type Validating struct {
	base
	policies source[*validating]
}

// NewValidating returns the plugin.
func NewValidating(c Config) *Validating {
	p := &Validating{base: newBase(c, "validatingadmissionpolicybindings")}
	p.policies = source[*validating]{resource: "validatingadmissionpolicies", log: p.log, compile: func(name string, msg proto.Message) *validating {
		return compileValidating(name, msg.(*v1.ValidatingAdmissionPolicy).GetSpec())
	}}
	return p
}

// Name implements admission.Plugin.
func (*Validating) Name() string { return "ValidatingAdmissionPolicy" }

// Admit implements admission.Plugin; it changes nothing.
func (*Validating) Admit(context.Context, *admission.Request) error { return nil }

// verdicts is what the policies make of one request.
type verdicts struct {
	r           *admission.Request
	denials     []failure
	failures    []auditFailure
	annotations map[string][]string
}

// auditFailure is an entry of the audit annotation "validation.policy.admission.k8s.io/validation_failure".
type auditFailure struct {
	Message           string   `json:"message"`
	Policy            string   `json:"policy"`
	Binding           string   `json:"binding"`
	ExpressionIndex   int      `json:"expressionIndex"`
	ValidationActions []string `json:"validationActions"`
}

// Validate implements admission.Validator.
func (p *Validating) Validate(ctx context.Context, r *admission.Request) error {
	if p.idle(r) {
		return nil
	}
	policies := p.policies.current(p.host.Access())
	if len(policies) == 0 {
		return nil
	}
	bindings := p.bindings.current(p.host.Access())
	s := hook.New(r, p.host)
	v := &verdicts{r: r, annotations: map[string][]string{}}
	inputs := map[*schema.Kind]*expr.Input{}
	for _, one := range policies {
		fail := func(b *binding, err error) {
			if !one.ignore {
				v.denials = append(v.denials, failure{&one.subject, b, "", err})
			}
		}
		for _, i := range p.invocations(ctx, s, &one.subject, bindings, fail) {
			in := inputs[i.kind]
			if in == nil {
				var err error
				if in, err = expr.NewInput(ctx, s, i.kind, p.authorizer); err != nil {
					return err
				}
				inputs[i.kind] = in
			}
			v.take(one, i.binding, one.evaluate(ctx, in, i))
		}
	}
	return v.conclude()
}

// take does with the decisions of one evaluation what the binding says.
func (v *verdicts) take(p *validating, b *binding, out outcome) {
	for i, d := range out.decisions {
		if d.err == nil {
			continue
		}
		for _, action := range b.actions {
			switch action {
			case "Deny":
				v.denials = append(v.denials, failure{&p.subject, b, d.reason, d.err})
			case "Warn":
				if v.r.Warn != nil {
					v.r.Warn(fmt.Sprintf("Validation failed for ValidatingAdmissionPolicy '%s' with binding '%s': %v", p.name, b.name, d.err))
				}
			case "Audit":
				v.failures = append(v.failures, auditFailure{d.err.Error(), p.name, b.name, i, b.actions})
			}
		}
	}
	if out.broken != nil {
		v.denials = append(v.denials, failure{&p.subject, b, "", out.broken})
	}
	for key, value := range out.annotations {
		key = p.name + "/" + key
		if !slices.Contains(v.annotations[key], value) {
			v.annotations[key] = append(v.annotations[key], value)
		}
	}
}

// conclude notes what is to be noted, and refuses by the first denial.
func (v *verdicts) conclude() error {
	if v.r.Annotate != nil {
		for _, key := range slices.Sorted(maps.Keys(v.annotations)) {
			v.r.Annotate(key, strings.Join(v.annotations[key], ", "))
		}
		if len(v.failures) > 0 {
			if text, err := json.Marshal(v.failures[:min(len(v.failures), maxFailures)]); err == nil {
				v.r.Annotate("validation.policy.admission.k8s.io/validation_failure", string(text))
			}
		}
	}
	if len(v.denials) == 0 {
		return nil
	}
	d := v.denials[0]
	message := fmt.Sprintf("ValidatingAdmissionPolicy '%s' denied request: %v", d.policy.name, d.err)
	if d.binding != nil {
		message = fmt.Sprintf("ValidatingAdmissionPolicy '%s' with binding '%s' denied request: %v", d.policy.name, d.binding.name, d.err)
	}
	return refusal(v.r, message, d.reason)
}

// refusal is a Forbidden in all but its reason and code.
func refusal(r *admission.Request, message, reason string) error {
	name := r.Name
	if name == "" && r.Object != nil {
		name = r.Object.GetMetadata().GetName()
	}
	err := apierrors.NewForbidden(r.Kind.Group, r.Kind.Plural, name, errors.New(message))
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		return err
	}
	if reason == "" {
		reason = "Invalid"
	}
	status.Status.Reason, status.Status.Code = reason, code(reason)
	if status.Status.Details == nil {
		status.Status.Details = &metav1.StatusDetails{}
	}
	status.Status.Details.Causes = append(status.Status.Details.Causes, &metav1.StatusCause{Message: message})
	return status
}

func code(reason string) int32 {
	switch reason {
	case "Forbidden":
		return http.StatusForbidden
	case "Unauthorized":
		return http.StatusUnauthorized
	case "RequestEntityTooLarge":
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusUnprocessableEntity
}
