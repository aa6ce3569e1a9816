package apierrors

import (
	"context"
	"errors"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"google.golang.org/grpc/status"
)

// StatusError is a failed request, as a Status.
type StatusError struct {
	// Status is never nil and always a failure. It must not be changed once the error is shared.
	Status *metav1.Status
	// Warnings are about what was sent, for the client to see beside the refusal.
	Warnings []string
	// cause is what the error stands for in Go's terms, such as context.Canceled; may be nil.
	cause error
}

// Error returns the status' message.
func (e *StatusError) Error() string {
	if m := e.Status.GetMessage(); m != "" {
		return m
	}
	if r := e.Status.GetReason(); r != "" {
		return r
	}
	return "unknown API error"
}

// Unwrap gives errors.Is the context error that a cancelled or timed out request stands for.
func (e *StatusError) Unwrap() error { return e.cause }

// New returns an error with the reason's usual HTTP code. The constructors of single reasons word their messages as
// clients expect them; New is for what they do not cover.
func New(reason, message string, details *metav1.StatusDetails) *StatusError {
	code, ok := httpCodes[reason]
	if !ok {
		code = 500
	}
	return &StatusError{Status: &metav1.Status{
		Status: StatusFailure, Message: message, Reason: reason, Details: details, Code: code,
	}}
}

// FromStatus returns the error that the status describes, or nil for a success or nil status.
func FromStatus(s *metav1.Status) error {
	if s == nil || s.GetStatus() == StatusSuccess {
		return nil
	}
	return &StatusError{Status: s}
}

// WithWarnings adds warnings to a refusal. nil stays nil.
func WithWarnings(err error, warnings []string) error {
	if err == nil || len(warnings) == 0 {
		return err
	}
	e := *as(err)
	e.Warnings = warnings
	return &e
}

// Warnings are those of a refusal.
func Warnings(err error) []string {
	var e *StatusError
	if errors.As(err, &e) {
		return e.Warnings
	}
	return nil
}

// FromError returns the Status of any error, for a front door to write. An error that carries none is an internal one.
// nil stays nil.
func FromError(err error) *metav1.Status {
	if err == nil {
		return nil
	}
	return as(err).Status
}

// as finds or makes the StatusError of a non-nil error.
func as(err error) *StatusError {
	var se *StatusError
	if errors.As(err, &se) {
		return se
	}
	if st, ok := status.FromError(err); ok {
		return fromGRPCStatus(st)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return newCanceled(err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		e := NewTimeout("request did not complete within its deadline", 0)
		e.cause = context.DeadlineExceeded
		return e
	}
	return NewInternal(err)
}

// newCanceled is a request that its own caller gave up. No client waits for it; the code is the customary 499.
func newCanceled(message string) *StatusError {
	return &StatusError{
		Status: &metav1.Status{Status: StatusFailure, Message: message, Reason: ReasonUnknown, Code: 499},
		cause:  context.Canceled,
	}
}
