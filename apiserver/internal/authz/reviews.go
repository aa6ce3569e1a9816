package authz

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	authorizationv1 "github.com/keelson/keelson/proto/gen/keelson/authorization/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"

	"github.com/keelson/keelson/apiserver/internal/authz/node"
)

const reviewGroup = "authorization.k8s.io"

// Handlers serve the review kinds: the questions that `kubectl auth can-i` asks.
func (z *Authorizer) Handlers() []pipeline.Handler {
	return []pipeline.Handler{
		{Group: reviewGroup, Resource: "selfsubjectaccessreviews", Create: z.reviewSelf},
		{Group: reviewGroup, Resource: "subjectaccessreviews", Create: z.reviewSubject},
		{Group: reviewGroup, Resource: "localsubjectaccessreviews", Create: z.reviewLocal},
		{Group: reviewGroup, Resource: "selfsubjectrulesreviews", Create: z.reviewRules},
	}
}

func (z *Authorizer) reviewSelf(ctx context.Context, r *pipeline.SubRequest) (proto.Message, error) {
	body, ok := r.Body.(*authorizationv1.SelfSubjectAccessReview)
	if !ok {
		return nil, notReview(r.Body)
	}
	review := proto.CloneOf(body)
	spec := review.GetSpec()
	if causes := checkAttributes(spec.GetResourceAttributes(), spec.GetNonResourceAttributes()); len(causes) > 0 {
		return nil, apierrors.NewInvalid(reviewGroup, "SelfSubjectAccessReview", "", causes)
	}
	review.Status = z.review(ctx, attributes(r.User, spec.GetResourceAttributes(), spec.GetNonResourceAttributes()))
	return review, nil
}

func (z *Authorizer) reviewSubject(ctx context.Context, r *pipeline.SubRequest) (proto.Message, error) {
	body, ok := r.Body.(*authorizationv1.SubjectAccessReview)
	if !ok {
		return nil, notReview(r.Body)
	}
	review := proto.CloneOf(body)
	if causes := checkSpec(review.GetSpec()); len(causes) > 0 {
		return nil, apierrors.NewInvalid(reviewGroup, "SubjectAccessReview", "", causes)
	}
	review.Status = z.reviewSpec(ctx, review.GetSpec())
	return review, nil
}

func (z *Authorizer) reviewLocal(ctx context.Context, r *pipeline.SubRequest) (proto.Message, error) {
	body, ok := r.Body.(*authorizationv1.LocalSubjectAccessReview)
	if !ok {
		return nil, notReview(r.Body)
	}
	review := proto.CloneOf(body)
	spec := review.GetSpec()
	causes := checkSpec(spec)
	if spec.GetResourceAttributes().GetNamespace() != r.Namespace {
		causes = append(causes, invalid("spec.resourceAttributes.namespace",
			fmt.Sprintf("Invalid value: %q: must match metadata.namespace", spec.GetResourceAttributes().GetNamespace())))
	}
	if spec.GetNonResourceAttributes() != nil {
		causes = append(causes, invalid("spec.nonResourceAttributes", "Invalid value: disallowed on this kind of request"))
	}
	if len(causes) > 0 {
		return nil, apierrors.NewInvalid(reviewGroup, "LocalSubjectAccessReview", "", causes)
	}
	review.Status = z.reviewSpec(ctx, spec)
	return review, nil
}

func (z *Authorizer) reviewSpec(ctx context.Context, spec *authorizationv1.SubjectAccessReviewSpec) *authorizationv1.SubjectAccessReviewStatus {
	u := &identity.User{Name: spec.GetUser(), UID: spec.GetUid(), Groups: spec.GetGroups()}
	for k, v := range spec.GetExtra() {
		if u.Extra == nil {
			u.Extra = make(map[string][]string)
		}
		u.Extra[k] = v.GetItems()
	}
	return z.review(ctx, attributes(u, spec.GetResourceAttributes(), spec.GetNonResourceAttributes()))
}

func (z *Authorizer) review(ctx context.Context, a pipeline.Attributes) *authorizationv1.SubjectAccessReviewStatus {
	decision, reason, err := z.Authorize(ctx, a)
	status := &authorizationv1.SubjectAccessReviewStatus{
		Allowed: decision == pipeline.Allow, Denied: decision == pipeline.Deny, Reason: reason,
	}
	if err != nil {
		status.EvaluationError = err.Error()
	}
	return status
}

// reviewRules lists what the caller may do in a namespace, as far as roles say it.
func (z *Authorizer) reviewRules(_ context.Context, r *pipeline.SubRequest) (proto.Message, error) {
	body, ok := r.Body.(*authorizationv1.SelfSubjectRulesReview)
	if !ok {
		return nil, notReview(r.Body)
	}
	review := proto.CloneOf(body)
	namespace := review.GetSpec().GetNamespace()
	if namespace == "" {
		return nil, apierrors.NewBadRequest("no namespace on request")
	}
	rules, missing := z.index.RulesFor(r.User, namespace)
	status := &authorizationv1.SubjectRulesReviewStatus{}
	for _, rule := range rules {
		if len(rule.GetResources()) > 0 {
			status.ResourceRules = append(status.ResourceRules, &authorizationv1.ResourceRule{
				Verbs: rule.GetVerbs(), ApiGroups: rule.GetApiGroups(), Resources: rule.GetResources(), ResourceNames: rule.GetResourceNames(),
			})
		}
		if len(rule.GetNonResourceURLs()) > 0 {
			status.NonResourceRules = append(status.NonResourceRules, &authorizationv1.NonResourceRule{
				Verbs: rule.GetVerbs(), NonResourceURLs: rule.GetNonResourceURLs(),
			})
		}
	}
	if _, isNode := node.NodeName(r.User); isNode {
		missing = append([]string{"node authorizer does not support user rule resolution"}, missing...)
	}
	status.Incomplete = len(missing) > 0
	status.EvaluationError = join(missing...)
	review.Status = status
	return review, nil
}

func attributes(u *identity.User, r *authorizationv1.ResourceAttributes, n *authorizationv1.NonResourceAttributes) pipeline.Attributes {
	if r == nil {
		return pipeline.Attributes{User: u, Verb: n.GetVerb(), Path: n.GetPath()}
	}
	return pipeline.Attributes{
		User: u, Verb: r.GetVerb(), Group: r.GetGroup(), Version: r.GetVersion(), Resource: r.GetResource(),
		Subresource: r.GetSubresource(), Namespace: r.GetNamespace(), Name: r.GetName(),
		FieldSelector: fieldSelector(r.GetFieldSelector()), LabelSelector: r.GetLabelSelector().GetRawSelector(),
	}
}

// fieldSelector writes requirements in the form that requests have. What cannot be written so is left out, which makes
// the question wider, never narrower.
func fieldSelector(s *authorizationv1.FieldSelectorAttributes) string {
	out := s.GetRawSelector()
	for _, r := range s.GetRequirements() {
		if r.GetOperator() != "In" || len(r.GetValues()) != 1 {
			continue
		}
		if out != "" {
			out += ","
		}
		out += r.GetKey() + "=" + r.GetValues()[0]
	}
	return out
}

func checkAttributes(r *authorizationv1.ResourceAttributes, n *authorizationv1.NonResourceAttributes) []*metav1.StatusCause {
	switch {
	case r != nil && n != nil:
		return []*metav1.StatusCause{invalid("spec.nonResourceAttributes",
			"Invalid value: cannot be specified in combination with resourceAttributes")}
	case r == nil && n == nil:
		return []*metav1.StatusCause{invalid("spec.resourceAttributes",
			"Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified")}
	}
	return nil
}

func checkSpec(spec *authorizationv1.SubjectAccessReviewSpec) []*metav1.StatusCause {
	causes := checkAttributes(spec.GetResourceAttributes(), spec.GetNonResourceAttributes())
	if spec.GetUser() == "" && len(spec.GetGroups()) == 0 {
		causes = append(causes, invalid("spec.user", `Invalid value: "": at least one of user or group must be specified`))
	}
	return causes
}

func invalid(field, message string) *metav1.StatusCause {
	return &metav1.StatusCause{Reason: apierrors.CauseFieldInvalid, Field: field, Message: message}
}

func notReview(body proto.Message) error {
	return apierrors.NewBadRequest(fmt.Sprintf("not a review: %T", body))
}
