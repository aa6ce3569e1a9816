package pipeline

import (
	"context"

	"github.com/keelson/keelson/proto/pipeline/identity"
)

// Decision is an authorizer's answer.
type Decision int

// Answers of an authorizer.
const (
	// NoOpinion leaves the request to the next authorizer; the last one's NoOpinion refuses it.
	NoOpinion Decision = iota
	// Allow lets the request pass.
	Allow
	// Deny refuses it, whatever another authorizer would say.
	Deny
)

// Attributes describe a request to an authorizer, in the terms of Kubernetes' SubjectAccessReview.
type Attributes struct {
	// User is who asks; never nil.
	User *identity.User
	// Verb is Kubernetes' request verb: get, list, watch, create, update, patch, delete, deletecollection; for paths
	// the lower-case HTTP method.
	Verb string
	// Group, Version, Resource and Subresource name what is asked for; empty for a path.
	Group, Version, Resource, Subresource string
	// Namespace is empty for cluster-scoped objects and requests over all namespaces.
	Namespace string
	// Name is empty for collections and for creations whose name is not known yet.
	Name string
	// Path is set for requests that are not for resources, such as /healthz.
	Path string
	// FieldSelector and LabelSelector are the request's selectors as sent: an authorizer may allow a narrow list only.
	FieldSelector, LabelSelector string
}

// Authorizer decides who may do what. The reason is shown to a refused caller.
type Authorizer interface {
	Authorize(ctx context.Context, a Attributes) (decision Decision, reason string, err error)
}
