package webhook_test

import (
	"testing"

	"github.com/keelson/keelson/apiserver/internal/admission/admissiontest"
	"github.com/keelson/keelson/apiserver/internal/admission/policy"
	"github.com/keelson/keelson/apiserver/internal/admission/webhook"
	"github.com/keelson/keelson/apiserver/internal/callout"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
)

// BenchmarkNothing is what every write pays where nothing is configured, and where a policy is for something else.
func BenchmarkNothing(b *testing.B) {
	c := webhook.Config{Client: callout.New("test")}
	plugins := []admission.Plugin{policy.NewMutating(policy.Config{}), webhook.NewMutating(c), policy.NewValidating(policy.Config{}), webhook.NewValidating(c)}
	s := admissiontest.Start(b, plugins...)
	k, _ := s.Registry().ByResource("", "v1", "configmaps")
	run := func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := &admission.Request{Operation: admission.Create, Kind: k, ObjectKind: k, Namespace: "default", Name: "c", User: admissiontest.User,
				Object: &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Name: "c"}}}
			for _, p := range plugins {
				if err := p.Admit(s.Ctx, r); err != nil {
					b.Fatal(err)
				}
				if v, ok := p.(admission.Validator); ok {
					if err := v.Validate(s.Ctx, r); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
	}
	b.Run("empty", run)
	s.Must(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: p}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: ["*"], resources: [deployments]}]}
  validations: [{expression: "true"}]
`, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: p}
spec: {policyName: p, validationActions: [Deny]}
`)
	b.Run("other", run)
}
