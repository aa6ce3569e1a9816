package apierrors

import (
	"fmt"
)

// NewUnauthorized says that a request has no valid credentials. The empty message is Kubernetes' "Unauthorized".
func NewUnauthorized(message string) *StatusError {
	if message == "" {
		message = "Unauthorized"
	}
	return New(ReasonUnauthorized, message, nil)
}

// NewForbidden says that a known user may not do what was asked, or that policy refuses it.
func NewForbidden(group, plural, name string, err error) *StatusError {
	var message string
	switch {
	case plural == "" && group == "":
		message = fmt.Sprintf("forbidden: %v", err)
	case name == "":
		message = fmt.Sprintf("%s is forbidden: %v", qualify(group, plural), err)
	default:
		message = fmt.Sprintf("%s %q is forbidden: %v", qualify(group, plural), name, err)
	}
	return New(ReasonForbidden, message, about(group, plural, name))
}

// Denied describes a request that the authorizer refused.
type Denied struct {
	User, Verb string
	// Of a resource request.
	Group, Resource, Subresource, Namespace, Name string
	// Of a non-resource request: its URL path. Resource is empty then.
	Path string
	// Reason is what the authorizer adds; may be empty.
	Reason string
}

// Error says who may not do what, in Kubernetes' words.
func (d Denied) Error() string {
	var m string
	switch {
	case d.Resource == "":
		m = fmt.Sprintf("User %q cannot %s path %q", d.User, d.Verb, d.Path)
	case d.Namespace != "":
		m = fmt.Sprintf("User %q cannot %s resource %q in API group %q in the namespace %q",
			d.User, d.Verb, d.resource(), d.Group, d.Namespace)
	default:
		m = fmt.Sprintf("User %q cannot %s resource %q in API group %q at the cluster scope",
			d.User, d.Verb, d.resource(), d.Group)
	}
	if d.Reason != "" {
		m += ": " + d.Reason
	}
	return m
}

func (d Denied) resource() string {
	if d.Subresource == "" {
		return d.Resource
	}
	return d.Resource + "/" + d.Subresource
}

// NewDenied is the Forbidden error of a request that the authorizer refused.
func NewDenied(d Denied) *StatusError {
	if d.Resource == "" {
		return NewForbidden("", "", "", d)
	}
	return NewForbidden(d.Group, d.Resource, d.Name, d)
}

// NewNamespaceTerminating refuses a create in a namespace that is being deleted.
func NewNamespaceTerminating(group, plural, name, namespace string) *StatusError {
	e := NewForbidden(group, plural, name, fmt.Errorf(
		"unable to create new content in namespace %s because it is being terminated", namespace))
	e.Status.Details.Causes = append(e.Status.Details.Causes, cause(CauseNamespaceTerminating, "metadata.namespace",
		fmt.Sprintf("namespace %s is being terminated", namespace)))
	return e
}

// NewNameMismatch is the BadRequest of an object that is sent to another object's address. what is "name" or
// "namespace".
func NewNameMismatch(what, inObject, inRequest string) *StatusError {
	if what == "namespace" {
		return NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	return NewBadRequest(fmt.Sprintf("the %s of the object (%s) does not match the %s on the URL (%s)",
		what, inObject, what, inRequest))
}
