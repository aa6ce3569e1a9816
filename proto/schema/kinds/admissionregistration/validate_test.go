package admissionregistration_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

func errorsOf(t *testing.T, obj proto.Message) string {
	t.Helper()
	k, ok := schema.Builtin().ByMessage(obj.ProtoReflect().Descriptor().FullName())
	if !ok {
		t.Fatalf("%T is no kind", obj)
	}
	k.Default(obj)
	var out []string
	for _, e := range k.Validate(obj, nil) {
		out = append(out, e.Error())
	}
	return strings.Join(out, "\n")
}

func check(t *testing.T, name string, obj proto.Message, want string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		if got := errorsOf(t, obj); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func meta() *metav1.ObjectMeta { return &metav1.ObjectMeta{Name: "x"} }

func rules(operations, groups, versions, resources []string) *v1.RuleWithOperations {
	return &v1.RuleWithOperations{Operations: operations, Rule: &v1.Rule{ApiGroups: groups, ApiVersions: versions, Resources: resources}}
}

func webhook(change func(*v1.ValidatingWebhook)) *v1.ValidatingWebhookConfiguration {
	w := &v1.ValidatingWebhook{Name: "a.b.c", SideEffects: proto.String("None"), AdmissionReviewVersions: []string{"v1"},
		ClientConfig: &v1.WebhookClientConfig{Url: proto.String("https://x.example/p")},
		Rules:        []*v1.RuleWithOperations{rules([]string{"*"}, []string{"*"}, []string{"*"}, []string{"*"})}}
	if change != nil {
		change(w)
	}
	return &v1.ValidatingWebhookConfiguration{Metadata: meta(), Webhooks: []*v1.ValidatingWebhook{w}}
}

func TestWebhooks(t *testing.T) {
	check(t, "good", webhook(nil), "")
	check(t, "defaults", webhook(func(w *v1.ValidatingWebhook) { w.TimeoutSeconds, w.FailurePolicy = nil, nil }), "")
	check(t, "name", webhook(func(w *v1.ValidatingWebhook) { w.Name = "a" }), "should be a domain with at least three segments separated by dots")
	check(t, "side effects", webhook(func(w *v1.ValidatingWebhook) { w.SideEffects = nil }), "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun")
	check(t, "no client", webhook(func(w *v1.ValidatingWebhook) { w.ClientConfig = nil }), "webhooks[0].clientConfig: Required value: exactly one of url or service is required")
	check(t, "service", webhook(func(w *v1.ValidatingWebhook) {
		w.ClientConfig = &v1.WebhookClientConfig{Service: &v1.ServiceReference{Path: proto.String("a")}}
	}), "webhooks[0].clientConfig.service.name: Required value: service name is required")
	check(t, "service path", webhook(func(w *v1.ValidatingWebhook) {
		w.ClientConfig = &v1.WebhookClientConfig{Service: &v1.ServiceReference{Name: "a", Namespace: "b", Path: proto.String("a")}}
	}), "must start with a '/'")
	check(t, "timeout", webhook(func(w *v1.ValidatingWebhook) { w.TimeoutSeconds = proto.Int32(31) }), "the timeout value must be between 1 and 30 seconds")
	check(t, "versions", webhook(func(w *v1.ValidatingWebhook) { w.AdmissionReviewVersions = nil }), "must specify one of v1, v1beta1")
	check(t, "resources", webhook(func(w *v1.ValidatingWebhook) {
		w.Rules[0].Rule.Resources = []string{"*/*", "pods"}
	}), "if '*/*' is present, must not specify other resources")
	check(t, "empty", &v1.MutatingWebhookConfiguration{Metadata: meta()}, "")
	check(t, "nil webhook", &v1.MutatingWebhookConfiguration{Metadata: meta(), Webhooks: []*v1.MutatingWebhook{{}}}, "webhooks[0].clientConfig")
}

func TestPolicies(t *testing.T) {
	match := func() *v1.MatchResources {
		return &v1.MatchResources{ResourceRules: []*v1.NamedRuleWithOperations{{RuleWithOperations: rules([]string{"CREATE"}, []string{""}, []string{"v1"}, []string{"pods"})}}}
	}
	vap := func(change func(*v1.ValidatingAdmissionPolicySpec)) *v1.ValidatingAdmissionPolicy {
		s := &v1.ValidatingAdmissionPolicySpec{MatchConstraints: match(), Validations: []*v1.Validation{{Expression: "true"}}}
		change(s)
		return &v1.ValidatingAdmissionPolicy{Metadata: meta(), Spec: s}
	}
	check(t, "good", vap(func(*v1.ValidatingAdmissionPolicySpec) {}), "")
	check(t, "no match", vap(func(s *v1.ValidatingAdmissionPolicySpec) { s.MatchConstraints = nil }), "spec.matchConstraints: Required value")
	check(t, "no rules", vap(func(s *v1.ValidatingAdmissionPolicySpec) { s.MatchConstraints.ResourceRules = nil }), "spec.matchConstraints.resourceRules: Required value")
	check(t, "variable", vap(func(s *v1.ValidatingAdmissionPolicySpec) {
		s.Variables = []*v1.Variable{{Name: "a-b", Expression: "1"}}
	}), "name is not a valid CEL identifier")
	check(t, "reason", vap(func(s *v1.ValidatingAdmissionPolicySpec) { s.Validations[0].Reason = proto.String("Why") }), `Unsupported value: "Why": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"`)
	check(t, "lines", vap(func(s *v1.ValidatingAdmissionPolicySpec) { s.Validations[0].Expression = "true &&\ntrue" }), "")
	check(t, "param kind", vap(func(s *v1.ValidatingAdmissionPolicySpec) { s.ParamKind = &v1.ParamKind{ApiVersion: "v1"} }), "spec.paramKind.kind: Required value")
	check(t, "nothing", &v1.ValidatingAdmissionPolicy{Metadata: meta()}, "validations or auditAnnotations must contain at least one item")
	check(t, "mutating", &v1.MutatingAdmissionPolicy{Metadata: meta(), Spec: &v1.MutatingAdmissionPolicySpec{MatchConstraints: match(), ReinvocationPolicy: "Never",
		Mutations: []*v1.Mutation{{PatchType: "JSONPatch"}}}}, "jsonPatch is required when patchType is JSONPatch")
	binding := func(ref *v1.ParamRef, actions ...string) *v1.ValidatingAdmissionPolicyBinding {
		return &v1.ValidatingAdmissionPolicyBinding{Metadata: meta(), Spec: &v1.ValidatingAdmissionPolicyBindingSpec{PolicyName: "p", ParamRef: ref, ValidationActions: actions}}
	}
	check(t, "binding", binding(nil, "Deny", "Audit"), "")
	check(t, "both", binding(nil, "Deny", "Warn"), "must not contain both Deny and Warn")
	check(t, "no action", binding(nil), "spec.validationActions: Required value")
	check(t, "param ref", binding(&v1.ParamRef{}, "Deny"), "one of name or selector must be specified")
	check(t, "not found", binding(&v1.ParamRef{Name: "a"}, "Deny"), "spec.paramRef.parameterNotFoundAction: Required value")
}
