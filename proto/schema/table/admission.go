package table

import (
	"time"

	admissionv1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

var (
	_ = register(validatingWebhookCells, "webhooks.")
	_ = register(mutatingWebhookCells, "webhooks.")
	_ = register(validatingPolicyCells)
	_ = register(mutatingPolicyCells)
	_ = register(validatingBindingCells)
	_ = register(mutatingBindingCells)
)

func validatingWebhookCells(c *admissionv1.ValidatingWebhookConfiguration, now time.Time) []any {
	return []any{int64(len(c.Webhooks)), created(c.Metadata, now)}
}

func mutatingWebhookCells(c *admissionv1.MutatingWebhookConfiguration, now time.Time) []any {
	return []any{int64(len(c.Webhooks)), created(c.Metadata, now)}
}

func validatingPolicyCells(p *admissionv1.ValidatingAdmissionPolicy, now time.Time) []any {
	return []any{int64(len(p.GetSpec().GetValidations())), paramKind(p.GetSpec().GetParamKind()), created(p.Metadata, now)}
}

func mutatingPolicyCells(p *admissionv1.MutatingAdmissionPolicy, now time.Time) []any {
	return []any{int64(len(p.GetSpec().GetMutations())), paramKind(p.GetSpec().GetParamKind()), created(p.Metadata, now)}
}

func validatingBindingCells(b *admissionv1.ValidatingAdmissionPolicyBinding, now time.Time) []any {
	return policyBindingCells(b.GetSpec().GetPolicyName(), b.GetSpec().GetParamRef(), b.Metadata, now)
}

func mutatingBindingCells(b *admissionv1.MutatingAdmissionPolicyBinding, now time.Time) []any {
	return policyBindingCells(b.GetSpec().GetPolicyName(), b.GetSpec().GetParamRef(), b.Metadata, now)
}

func policyBindingCells(policy string, ref *admissionv1.ParamRef, meta *metav1.ObjectMeta, now time.Time) []any {
	param := unset
	if ref != nil {
		if param = selector(ref.Selector); ref.Name != "" {
			param = or(ref.Namespace, "*") + "/" + ref.Name // whether parameters have namespaces is not known here
		}
	}
	return []any{policy, param, created(meta, now)}
}

func paramKind(k *admissionv1.ParamKind) string {
	if k == nil {
		return unset
	}
	return k.ApiVersion + "/" + k.Kind
}
