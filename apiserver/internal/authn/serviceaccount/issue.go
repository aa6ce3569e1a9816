package serviceaccount

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	authenticationv1 "github.com/keelson/keelson/proto/gen/keelson/authentication/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"

	"github.com/keelson/keelson/apiserver/internal/authn/jwt"
)

const (
	defaultExpiration = 3600    // seconds
	minExpiration     = 600     // seconds
	maxExpiration     = 1 << 32 // seconds
)

// Handler serves the token subresource of service accounts.
func (t *Tokens) Handler() pipeline.Handler {
	return pipeline.Handler{
		Resource: "serviceaccounts", Subresource: "token",
		Body:   &authenticationv1.TokenRequest{},
		Create: t.issue,
	}
}

func (t *Tokens) issue(ctx context.Context, r *pipeline.SubRequest) (proto.Message, error) {
	body, ok := r.Body.(*authenticationv1.TokenRequest)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("not a TokenRequest: %T", r.Body))
	}
	if name := body.GetMetadata().GetName(); name != "" && name != r.Name {
		return nil, apierrors.NewInvalid("authentication.k8s.io", "TokenRequest", r.Name, []*metav1.StatusCause{{
			Reason: apierrors.CauseFieldInvalid, Field: "metadata.name",
			Message: fmt.Sprintf("Invalid value: %q: must match the service account name if specified", name)}})
	}
	request := proto.CloneOf(body)
	if request.Spec == nil {
		request.Spec = &authenticationv1.TokenRequestSpec{}
	}
	spec := request.Spec
	if spec.ExpirationSeconds == nil {
		spec.ExpirationSeconds = proto.Int64(defaultExpiration)
	}
	if causes := check(spec); len(causes) > 0 {
		return nil, apierrors.NewInvalid("authentication.k8s.io", "TokenRequest", "", causes)
	}
	if len(spec.Audiences) == 0 {
		spec.Audiences = []string{t.o.Issuer}
	}
	if t.o.Restrict != nil {
		if err := t.o.Restrict(ctx, r.User, r.Namespace, r.Name, request); err != nil {
			return nil, err
		}
	}
	account := &corev1.ServiceAccount{}
	if err := read(ctx, r, "serviceaccounts", r.Name, account); err != nil {
		return nil, err
	}
	k := &jwt.Kubernetes{
		Namespace: r.Namespace, ServiceAccount: jwt.Ref{Name: r.Name, UID: account.GetMetadata().GetUid()},
	}
	if spec.BoundObjectRef != nil {
		if err := bind(ctx, r, spec.BoundObjectRef, k); err != nil {
			return nil, err
		}
	}
	now := t.o.Now()
	expires := now.Add(time.Duration(spec.GetExpirationSeconds()) * time.Second)
	token, err := t.signer.Sign(&jwt.Claims{
		Audience: spec.Audiences, Expiry: expires.Unix(), IssuedAt: now.Unix(), NotBefore: now.Unix(), Issuer: t.o.Issuer,
		ID: uuid.NewString(), Kubernetes: k, Subject: identity.ServiceAccountPrefix + r.Namespace + ":" + r.Name,
	})
	if err != nil {
		return nil, apierrors.NewInternal(fmt.Errorf("signing a token: %w", err))
	}
	request.Metadata = &metav1.ObjectMeta{
		Name: r.Name, Namespace: r.Namespace, Uid: account.GetMetadata().GetUid(), CreationTimestamp: &metav1.Time{Seconds: proto.Int64(now.Unix())},
	}
	request.Status = &authenticationv1.TokenRequestStatus{
		Token: token, ExpirationTimestamp: &metav1.Time{Seconds: proto.Int64(expires.Unix())},
	}
	return request, nil
}

func check(spec *authenticationv1.TokenRequestSpec) []*metav1.StatusCause {
	invalid := func(message string) []*metav1.StatusCause {
		return []*metav1.StatusCause{{Reason: apierrors.CauseFieldInvalid, Field: "spec.expirationSeconds",
			Message: fmt.Sprintf("Invalid value: %d: %s", spec.GetExpirationSeconds(), message)}}
	}
	switch {
	case spec.GetExpirationSeconds() < minExpiration:
		return invalid("may not specify a duration less than 10 minutes")
	case spec.GetExpirationSeconds() > maxExpiration:
		return invalid("may not specify a duration larger than 2^32 seconds")
	}
	return nil
}

// read returns an object as it is now, not as a view remembers it.
func read(ctx context.Context, r *pipeline.SubRequest, plural, name string, into proto.Message) error {
	namespace := r.Namespace
	if plural == "nodes" {
		namespace = ""
	}
	it, err := r.Access.Read(ctx, "", plural, namespace, name)
	if err != nil {
		return err
	}
	return it.Unmarshal(into)
}

// bind puts the object that the token is to die with into the claims.
func bind(ctx context.Context, r *pipeline.SubRequest, ref *authenticationv1.BoundObjectReference, k *jwt.Kubernetes) error {
	switch {
	case ref.GetApiVersion() == "v1" && ref.GetKind() == "Pod":
		pod := &corev1.Pod{}
		if err := read(ctx, r, "pods", ref.GetName(), pod); err != nil {
			return err
		}
		if pod.GetSpec().GetServiceAccountName() != r.Name {
			return apierrors.NewBadRequest(fmt.Sprintf(
				"cannot bind token for serviceaccount %q to pod running with different serviceaccount name.", r.Name))
		}
		k.Pod = &jwt.Ref{Name: ref.GetName(), UID: pod.GetMetadata().GetUid()}
		if name := pod.GetSpec().GetNodeName(); name != "" {
			// The node is told for information; without it the token is as good.
			n := &corev1.Node{}
			if err := read(ctx, r, "nodes", name, n); err == nil {
				k.Node = &jwt.Ref{Name: name, UID: n.GetMetadata().GetUid()}
			}
		}
		return sameUID("pods", ref, k.Pod)
	case ref.GetApiVersion() == "v1" && ref.GetKind() == "Secret":
		secret := &corev1.Secret{}
		if err := read(ctx, r, "secrets", ref.GetName(), secret); err != nil {
			return err
		}
		k.Secret = &jwt.Ref{Name: ref.GetName(), UID: secret.GetMetadata().GetUid()}
		return sameUID("secrets", ref, k.Secret)
	case ref.GetApiVersion() == "v1" && ref.GetKind() == "Node":
		n := &corev1.Node{}
		if err := read(ctx, r, "nodes", ref.GetName(), n); err != nil {
			return err
		}
		k.Node = &jwt.Ref{Name: ref.GetName(), UID: n.GetMetadata().GetUid()}
		return sameUID("nodes", ref, k.Node)
	}
	return apierrors.NewBadRequest(fmt.Sprintf("cannot bind token to object of type %s, Kind=%s", ref.GetApiVersion(), ref.GetKind()))
}

func sameUID(plural string, ref *authenticationv1.BoundObjectReference, have *jwt.Ref) error {
	if ref.GetUID() == "" || ref.GetUID() == have.UID {
		return nil
	}
	return apierrors.NewConflict("", plural, ref.GetName(), errors.New(
		"the UID in the bound object reference ("+ref.GetUID()+") does not match the UID in record. The object might have been deleted and then recreated"))
}
