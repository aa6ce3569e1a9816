package apierrors

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
)

// grpcCodes is the one translation of reasons to gRPC codes. It is for proxies, metrics and clients that know nothing
// of Status: the Status itself goes along as a detail, so nothing is lost where two reasons share a code.
var grpcCodes = map[string]codes.Code{
	ReasonUnauthorized:          codes.Unauthenticated,
	ReasonForbidden:             codes.PermissionDenied,
	ReasonNotFound:              codes.NotFound,
	ReasonAlreadyExists:         codes.AlreadyExists,
	ReasonConflict:              codes.Aborted,
	ReasonGone:                  codes.OutOfRange,
	ReasonExpired:               codes.OutOfRange,
	ReasonInvalid:               codes.InvalidArgument,
	ReasonServerTimeout:         codes.Unavailable,
	ReasonStoreReadError:        codes.DataLoss,
	ReasonTimeout:               codes.DeadlineExceeded,
	ReasonTooManyRequests:       codes.ResourceExhausted,
	ReasonBadRequest:            codes.InvalidArgument,
	ReasonMethodNotAllowed:      codes.Unimplemented,
	ReasonNotAcceptable:         codes.InvalidArgument,
	ReasonRequestEntityTooLarge: codes.ResourceExhausted,
	ReasonUnsupportedMediaType:  codes.InvalidArgument,
	ReasonInternalError:         codes.Internal,
	ReasonServiceUnavailable:    codes.Unavailable,
}

// ToGRPC returns the error as one that a gRPC handler returns: a code with the Status as detail. nil stays nil.
func ToGRPC(err error) error {
	if err == nil {
		return nil
	}
	return as(err).GRPCStatus().Err()
}

// GRPCStatus lets grpc-go translate a StatusError that a handler returns as it is.
func (e *StatusError) GRPCStatus() *status.Status {
	code, ok := grpcCodes[e.Status.GetReason()]
	switch {
	case ok:
	case e.Status.GetCode() == 499:
		code = codes.Canceled
	default:
		code = codes.Unknown
	}
	st := status.New(code, e.Error())
	if detailed, err := st.WithDetails(protoadapt.MessageV1Of(e.Status)); err == nil {
		return detailed
	}
	return st
}
