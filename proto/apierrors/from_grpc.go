package apierrors

import (
	"context"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// FromGRPC returns the *StatusError that a gRPC call's error carries. An error without a Status comes from gRPC
// itself (no connection, a message that is too large, a cancelled context) and is worded in the same vocabulary;
// errors.Is still finds context.Canceled and context.DeadlineExceeded. nil stays nil; io.EOF and any other error
// that is no gRPC status are returned as they are.
func FromGRPC(err error) error {
	if err == nil {
		return nil
	}
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	return fromGRPCStatus(st)
}

func fromGRPCStatus(st *status.Status) *StatusError {
	for _, d := range st.Details() {
		if s, ok := d.(*metav1.Status); ok {
			e := &StatusError{Status: s}
			if st.Code() == codes.Canceled {
				e.cause = context.Canceled
			}
			return e
		}
	}
	message := st.Message()
	switch st.Code() {
	case codes.Canceled:
		return newCanceled(message)
	case codes.DeadlineExceeded:
		e := NewTimeout(message, 0)
		e.cause = context.DeadlineExceeded
		return e
	case codes.Unavailable:
		return NewServiceUnavailable("the server is currently unable to handle the request: " + message)
	case codes.ResourceExhausted:
		// The pipeline's own "too many requests" has a Status. What gRPC refuses by itself is a message's size.
		return NewRequestEntityTooLarge(message)
	case codes.Unauthenticated:
		return NewUnauthorized(message)
	case codes.Unimplemented:
		return New(ReasonMethodNotAllowed, message, nil)
	case codes.InvalidArgument:
		return NewBadRequest(message)
	}
	return New(ReasonInternalError, message, nil)
}
