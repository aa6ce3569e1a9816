package apierrors

import (
	"fmt"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// The errors of this file say that the request might succeed later, or with a fresh list.

func retryAfter(seconds int32) *metav1.StatusDetails {
	return &metav1.StatusDetails{RetryAfterSeconds: seconds}
}

// NewTooManyRequests asks the client to come back.
func NewTooManyRequests(message string, retryAfterSeconds int32) *StatusError {
	return New(ReasonTooManyRequests, message, retryAfter(retryAfterSeconds))
}

// NewServiceUnavailable says that the server cannot answer now.
func NewServiceUnavailable(message string) *StatusError {
	return New(ReasonServiceUnavailable, message, nil)
}

// NewTimeout says that a request was given up; it may still take effect.
func NewTimeout(message string, retryAfterSeconds int32) *StatusError {
	return New(ReasonTimeout, "Timeout: "+message, retryAfter(retryAfterSeconds))
}

// NewServerTimeout says that an operation hit a passing condition and had no effect.
func NewServerTimeout(group, plural, operation string, retryAfterSeconds int32) *StatusError {
	d := about(group, plural, operation)
	d.RetryAfterSeconds = retryAfterSeconds
	return New(ReasonServerTimeout, fmt.Sprintf(
		"The %s operation against %s could not be completed at this time, please try again.",
		operation, qualify(group, plural)), d)
}

// NewResourceExpired says that a revision is no longer available: list again.
func NewResourceExpired(message string) *StatusError { return New(ReasonExpired, message, nil) }

// NewTooOldResourceVersion is the expired error of a watch that starts before what the server still knows.
func NewTooOldResourceVersion(asked, oldest int64) *StatusError {
	return NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", asked, oldest))
}

// NewContinueExpired is the expired error of a chunked list whose revision is gone. The token continues at the
// present revision; it may be empty.
func NewContinueExpired(token string) *StatusError {
	e := NewResourceExpired("The provided continue parameter is too old to display a consistent list result. " +
		"You can start a new list without the continue parameter, or use the continue token in this response to " +
		"retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - " +
		"objects that were created, modified, or deleted between the time the first chunk was returned and now may " +
		"show up in the list.")
	e.Status.Metadata = &metav1.ListMeta{Continue: token}
	return e
}

// NewTooLargeResourceVersion says that the server has not reached a revision in the time that it may wait.
func NewTooLargeResourceVersion(asked, current int64, retryAfterSeconds int32) *StatusError {
	e := NewTimeout(fmt.Sprintf("Too large resource version: %d, current: %d", asked, current), retryAfterSeconds)
	e.Status.Details.Causes = []*metav1.StatusCause{
		{Reason: CauseResourceVersionTooLarge, Message: "Too large resource version"},
	}
	return e
}
