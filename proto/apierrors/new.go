package apierrors

import (
	"errors"
	"fmt"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// qualify writes a resource or kind as errors do: "pods", "deployments.apps".
func qualify(group, resource string) string {
	if group == "" {
		return resource
	}
	return resource + "." + group
}

func about(group, kind, name string) *metav1.StatusDetails {
	return &metav1.StatusDetails{Group: group, Kind: kind, Name: name}
}

// NewNotFound says that an object does not exist.
func NewNotFound(group, plural, name string) *StatusError {
	return New(ReasonNotFound, fmt.Sprintf("%s %q not found", qualify(group, plural), name), about(group, plural, name))
}

// NewUnknownResource says that no such kind, version or subresource is served.
func NewUnknownResource(group, plural string) *StatusError {
	return New(ReasonNotFound, "the server could not find the requested resource", about(group, plural, ""))
}

// NewAlreadyExists says that a name is taken.
func NewAlreadyExists(group, plural, name string) *StatusError {
	return New(ReasonAlreadyExists, fmt.Sprintf("%s %q already exists", qualify(group, plural), name), about(group, plural, name))
}

// NewGenerateNameConflict says that every generated name that was tried is taken.
func NewGenerateNameConflict(group, plural, name string, retryAfterSeconds int32) *StatusError {
	d := about(group, plural, name)
	d.RetryAfterSeconds = retryAfterSeconds
	return New(ReasonAlreadyExists, fmt.Sprintf(
		"%s %q already exists, the server was not able to generate a unique name for the object",
		qualify(group, plural), name), d)
}

// NewConflict says that a write cannot be done to the object as it is now. A nil err is the optimistic lock's.
func NewConflict(group, plural, name string, err error) *StatusError {
	if err == nil {
		err = errors.New(OptimisticLock)
	}
	return New(ReasonConflict, fmt.Sprintf("Operation cannot be fulfilled on %s %q: %v", qualify(group, plural), name, err),
		about(group, plural, name))
}

// NewPreconditionFailed is the conflict of a write whose precondition does not hold. what is "UID" or
// "ResourceVersion".
func NewPreconditionFailed(group, plural, name, what, want, have string) *StatusError {
	message := fmt.Sprintf("Precondition failed: %s in precondition: %s, %s in object meta: %s", what, want, what, have)
	return NewConflict(group, plural, name, errors.New(message))
}

// NewApplyConflict says which fields of a server-side apply belong to other managers.
func NewApplyConflict(causes []*metav1.StatusCause, message string) *StatusError {
	return New(ReasonConflict, message, &metav1.StatusDetails{Causes: causes})
}

// NewBadRequest says that a request makes no sense, whatever the state of the object.
func NewBadRequest(message string) *StatusError { return New(ReasonBadRequest, message, nil) }

// NewMethodNotSupported says that a kind does not have the verb.
func NewMethodNotSupported(group, plural, verb string) *StatusError {
	return New(ReasonMethodNotAllowed, fmt.Sprintf("%s is not supported on resources of kind %q", verb, qualify(group, plural)),
		about(group, plural, ""))
}

// NewRequestEntityTooLarge says that a body exceeds the limit; message says which, as in "limit is 3145728".
func NewRequestEntityTooLarge(message string) *StatusError {
	return New(ReasonRequestEntityTooLarge, "Request entity too large: "+message, nil)
}

// NewUnsupportedMediaType says which content types a body may have.
func NewUnsupportedMediaType(accepted string) *StatusError {
	return New(ReasonUnsupportedMediaType,
		"the body of the request was in an unknown format - accepted media types include: "+accepted, nil)
}

// NewNotAcceptable says which content types a response may have.
func NewNotAcceptable(accepted string) *StatusError {
	return New(ReasonNotAcceptable, "only the following media types are accepted: "+accepted, nil)
}

// NewInternal wraps a failure that is the server's own.
func NewInternal(err error) *StatusError {
	e := New(ReasonInternalError, fmt.Sprintf("Internal error occurred: %v", err),
		&metav1.StatusDetails{Causes: []*metav1.StatusCause{{Message: err.Error()}}})
	e.cause = err
	return e
}
