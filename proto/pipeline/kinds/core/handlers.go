package core

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	policyv1 "github.com/keelson/keelson/proto/gen/keelson/policy/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// Handlers serve the core group's subresources that need nothing but the pipeline.
func Handlers() []strategy.Handler {
	return []strategy.Handler{
		{Resource: "pods", Subresource: "binding", Body: &corev1.Binding{}, Create: bind},
		{Resource: "bindings", Body: &corev1.Binding{}, Create: bind},
		{Resource: "pods", Subresource: "eviction", Body: &policyv1.Eviction{}, Create: evict},
		{Resource: "namespaces", Subresource: "finalize", Update: finalize},
		{Resource: "serviceaccounts", Subresource: "token", Create: noSigner},
	}
}

// noSigner stands where the server was given nothing that signs tokens.
func noSigner(context.Context, *strategy.SubRequest) (proto.Message, error) {
	return nil, apierrors.New(apierrors.ReasonMethodNotAllowed, "this server has nothing to sign service account tokens with", nil)
}
