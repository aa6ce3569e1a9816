package webhook

import "testing"

// FuzzAnswer reads anything as a webhook's answer: it is one, or an error.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u","allowed":true}}`,
		`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u","allowed":false,"status":{"code":403,"message":"no","details":{"causes":[{"field":"x"}]}}}}`,
		`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u","allowed":true,"patchType":"JSONPatch","patch":"W10="}}`,
		`{"response":{"uid":"u","patchType":"","patch":"!"}}`, `{"response":{"status":[]}}`, `{"response":null}`, `[]`, ``, `{"response":{"auditAnnotations":{"a":1}}}`,
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, mutating bool) {
		for _, version := range []string{"v1", "v1beta1"} {
			a, err := parseAnswer(body, version, "u", mutating)
			if err != nil {
				continue
			}
			if !a.Allowed {
				if d := denial("x", a.status); d.Error() == "" {
					t.Error("a refusal without a text")
				}
			}
			if !mutating && len(a.Patch) > 0 {
				t.Error("a patch of a webhook that may not change anything")
			}
		}
	})
}
