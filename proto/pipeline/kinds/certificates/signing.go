// Package certificates holds the certificates.k8s.io group's logic around writes.
package certificates

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	certificatesv1 "github.com/keelson/keelson/proto/gen/keelson/certificates/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/kinds/certificates"
)

type request = certificatesv1.CertificateSigningRequest

// Requests are the hooks of certificate signing requests: the server says who asks, nobody changes what was asked for, and
// who may sign may not approve.
func Requests(clock func() time.Time) strategy.Hooks {
	return strategy.Hooks{
		PrepareCreate: prepare,
		PrepareUpdate: func(_ context.Context, obj, old strategy.Object) { obj.(*request).Spec = old.(*request).GetSpec() },
		PrepareStatus: func(_ context.Context, obj, old strategy.Object) {
			r, was := obj.(*request), old.(*request)
			keepDecision(r, was, "Approved")
			keepDecision(r, was, "Denied")
			stamp(r, was, clock())
		},
		Parts: map[string]strategy.Part{"approval": {
			Metadata: true,
			Keep: func(obj, old strategy.Object) {
				r, was := obj.(*request), old.(*request)
				stamp(r, was, clock())
				conditions := r.GetStatus().GetConditions()
				r.Spec = was.GetSpec()
				r.Status = &certificatesv1.CertificateSigningRequestStatus{Conditions: conditions, Certificate: was.GetStatus().GetCertificate()}
			},
			Validate: func(_ *schema.Kind, obj, old strategy.Object) schema.ErrorList {
				return certificates.Approval(obj.(*request), old.(*request))
			},
		}},
	}
}

func prepare(ctx context.Context, obj strategy.Object) {
	r := obj.(*request)
	if r.Spec == nil {
		r.Spec = &certificatesv1.CertificateSigningRequestSpec{}
	}
	r.Spec.Username, r.Spec.Uid, r.Spec.Groups, r.Spec.Extra = "", "", nil, nil
	if u, ok := identity.FromContext(ctx); ok && u != nil {
		r.Spec.Username, r.Spec.Uid, r.Spec.Groups = u.Name, u.UID, u.Groups
		for k, v := range u.Extra {
			if r.Spec.Extra == nil {
				r.Spec.Extra = map[string]*certificatesv1.ExtraValue{}
			}
			r.Spec.Extra[k] = &certificatesv1.ExtraValue{Items: v}
		}
	}
	r.Status = &certificatesv1.CertificateSigningRequestStatus{}
}

// keepDecision takes a decision from the stored request: a signer writes the status with what it has read, which may say
// the same in other words.
func keepDecision(r, old *request, kind string) {
	was, now := indices(old, kind), indices(r, kind)
	if len(was) != len(now) {
		return // the validation refuses it
	}
	for i := range now {
		r.Status.Conditions[now[i]] = proto.CloneOf(old.Status.Conditions[was[i]])
	}
}

func indices(r *request, kind string) []int {
	var out []int
	for i, c := range r.GetStatus().GetConditions() {
		if c.Type == kind {
			out = append(out, i)
		}
	}
	return out
}

// stamp dates conditions that come without a date.
func stamp(r, old *request, now time.Time) {
	for _, c := range r.GetStatus().GetConditions() {
		if c.LastUpdateTime.GetSeconds() == 0 {
			c.LastUpdateTime = at(now)
		}
		if c.LastTransitionTime.GetSeconds() != 0 {
			continue
		}
		c.LastTransitionTime = at(now)
		for _, was := range old.GetStatus().GetConditions() {
			if was.Type == c.Type && was.Status == c.Status && was.LastTransitionTime.GetSeconds() != 0 {
				c.LastTransitionTime = proto.CloneOf(was.LastTransitionTime)
			}
		}
	}
}

func at(t time.Time) *metav1.Time {
	s := t.Unix()
	return &metav1.Time{Seconds: &s, Nanos: new(int32)}
}
