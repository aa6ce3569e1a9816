package authn

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	authenticationv1 "github.com/keelson/keelson/proto/gen/keelson/authentication/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

const reviewGroup = "authentication.k8s.io"

// Handlers serve the issuing of tokens and the review kinds.
func (a *Authenticator) Handlers() []pipeline.Handler {
	return []pipeline.Handler{
		a.tokens.Handler(),
		{Group: reviewGroup, Resource: "tokenreviews", Create: a.reviewToken},
		{Group: reviewGroup, Resource: "selfsubjectreviews", Create: reviewSelf},
	}
}

// reviewToken tells somebody else, a webhook or an extension, whose token it was shown.
func (a *Authenticator) reviewToken(ctx context.Context, r *pipeline.SubRequest) (proto.Message, error) {
	body, ok := r.Body.(*authenticationv1.TokenReview)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("not a TokenReview: %T", r.Body))
	}
	if body.GetSpec().GetToken() == "" {
		return nil, apierrors.NewBadRequest("token is required for TokenReview in authentication")
	}
	review := proto.CloneOf(body)
	audiences := body.GetSpec().GetAudiences()
	u, matched, err := a.tokens.Review(ctx, body.GetSpec().GetToken(), audiences)
	review.Status = &authenticationv1.TokenReviewStatus{}
	if err != nil {
		review.Status.Error = err.Error()
		return review, nil
	}
	review.Status.Authenticated, review.Status.User, review.Status.Audiences = true, userInfo(u), matched
	return review, nil
}

// reviewSelf answers `kubectl auth whoami`.
func reviewSelf(_ context.Context, r *pipeline.SubRequest) (proto.Message, error) {
	now := time.Now().Unix()
	return &authenticationv1.SelfSubjectReview{Metadata: &metav1.ObjectMeta{CreationTimestamp: &metav1.Time{Seconds: &now}}, Status: &authenticationv1.SelfSubjectReviewStatus{UserInfo: userInfo(r.User)}}, nil
}

func userInfo(u *identity.User) *authenticationv1.UserInfo {
	info := &authenticationv1.UserInfo{Username: u.Name, Uid: u.UID, Groups: slices.Clone(u.Groups)}
	for k, v := range u.Extra {
		if info.Extra == nil {
			info.Extra = make(map[string]*authenticationv1.ExtraValue)
		}
		info.Extra[k] = &authenticationv1.ExtraValue{Items: slices.Clone(v)}
	}
	return info
}
