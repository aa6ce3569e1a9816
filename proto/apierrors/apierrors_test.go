package apierrors_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
)

// every is one error of each constructor with the message, code and reason that Kubernetes' clients know.
var every = []struct {
	err     *apierrors.StatusError
	message string
	code    int32
	reason  string
	grpc    codes.Code
	is      func(error) bool
}{
	{apierrors.NewNotFound("", "pods", "x"), `pods "x" not found`, 404, "NotFound", codes.NotFound, apierrors.IsNotFound},
	{apierrors.NewNotFound("apps", "deployments", "x"), `deployments.apps "x" not found`, 404, "NotFound", codes.NotFound, apierrors.IsNotFound},
	{apierrors.NewUnknownResource("", "widgets"), `the server could not find the requested resource`, 404, "NotFound", codes.NotFound, apierrors.IsNotFound},
	{apierrors.NewAlreadyExists("", "pods", "x"), `pods "x" already exists`, 409, "AlreadyExists", codes.AlreadyExists, apierrors.IsAlreadyExists},
	{apierrors.NewGenerateNameConflict("", "pods", "x", 1), `pods "x" already exists, the server was not able to generate a unique name for the object`, 409, "AlreadyExists", codes.AlreadyExists, apierrors.IsAlreadyExists},
	{apierrors.NewConflict("", "pods", "x", nil), `Operation cannot be fulfilled on pods "x": the object has been modified; please apply your changes to the latest version and try again`, 409, "Conflict", codes.Aborted, apierrors.IsConflict},
	{apierrors.NewPreconditionFailed("", "pods", "x", "UID", "a", "b"), `Operation cannot be fulfilled on pods "x": Precondition failed: UID in precondition: a, UID in object meta: b`, 409, "Conflict", codes.Aborted, apierrors.IsConflict},
	{apierrors.NewApplyConflict(nil, "Apply failed with 1 conflict"), "Apply failed with 1 conflict", 409, "Conflict", codes.Aborted, apierrors.IsConflict},
	{apierrors.NewBadRequest("no"), "no", 400, "BadRequest", codes.InvalidArgument, apierrors.IsBadRequest},
	{apierrors.NewMethodNotSupported("", "pods", "patch"), `patch is not supported on resources of kind "pods"`, 405, "MethodNotAllowed", codes.Unimplemented, apierrors.IsMethodNotSupported},
	{apierrors.NewRequestEntityTooLarge("limit is 3145728"), "Request entity too large: limit is 3145728", 413, "RequestEntityTooLarge", codes.ResourceExhausted, apierrors.IsRequestEntityTooLarge},
	{apierrors.NewUnsupportedMediaType("application/json"), "the body of the request was in an unknown format - accepted media types include: application/json", 415, "UnsupportedMediaType", codes.InvalidArgument, apierrors.IsUnsupportedMediaType},
	{apierrors.NewNotAcceptable("application/json"), "only the following media types are accepted: application/json", 406, "NotAcceptable", codes.InvalidArgument, apierrors.IsNotAcceptable},
	{apierrors.NewInternal(io.ErrUnexpectedEOF), "Internal error occurred: unexpected EOF", 500, "InternalError", codes.Internal, apierrors.IsInternalError},
	{apierrors.NewTooManyRequests("later", 3), "later", 429, "TooManyRequests", codes.ResourceExhausted, apierrors.IsTooManyRequests},
	{apierrors.NewServiceUnavailable("starting"), "starting", 503, "ServiceUnavailable", codes.Unavailable, apierrors.IsServiceUnavailable},
	{apierrors.NewTimeout("slow", 1), "Timeout: slow", 504, "Timeout", codes.DeadlineExceeded, apierrors.IsTimeout},
	{apierrors.NewServerTimeout("", "pods", "list", 2), "The list operation against pods could not be completed at this time, please try again.", 500, "ServerTimeout", codes.Unavailable, apierrors.IsServerTimeout},
	{apierrors.NewTooOldResourceVersion(3, 9), "too old resource version: 3 (9)", 410, "Expired", codes.OutOfRange, apierrors.IsResourceExpired},
	{apierrors.NewTooLargeResourceVersion(9, 3, 1), "Timeout: Too large resource version: 9, current: 3", 504, "Timeout", codes.DeadlineExceeded, apierrors.IsTimeout},
	{apierrors.NewUnauthorized(""), "Unauthorized", 401, "Unauthorized", codes.Unauthenticated, apierrors.IsUnauthorized},
	{apierrors.NewForbidden("", "pods", "x", errors.New("no")), `pods "x" is forbidden: no`, 403, "Forbidden", codes.PermissionDenied, apierrors.IsForbidden},
	{apierrors.NewDenied(apierrors.Denied{User: "jane", Verb: "list", Resource: "pods", Namespace: "default"}), `pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"`, 403, "Forbidden", codes.PermissionDenied, apierrors.IsForbidden},
	{apierrors.NewDenied(apierrors.Denied{User: "jane", Verb: "update", Group: "apps", Resource: "deployments", Subresource: "scale", Name: "web", Reason: "why"}), `deployments.apps "web" is forbidden: User "jane" cannot update resource "deployments/scale" in API group "apps" at the cluster scope: why`, 403, "Forbidden", codes.PermissionDenied, apierrors.IsForbidden},
	{apierrors.NewDenied(apierrors.Denied{User: "jane", Verb: "get", Path: "/metrics"}), `forbidden: User "jane" cannot get path "/metrics"`, 403, "Forbidden", codes.PermissionDenied, apierrors.IsForbidden},
	{apierrors.NewNamespaceTerminating("", "pods", "x", "ns"), `pods "x" is forbidden: unable to create new content in namespace ns because it is being terminated`, 403, "Forbidden", codes.PermissionDenied, apierrors.IsForbidden},
	{apierrors.NewInvalid("apps", "Deployment", "x", nil), `Deployment.apps "x" is invalid`, 422, "Invalid", codes.InvalidArgument, apierrors.IsInvalid},
	{apierrors.NewInvalid("", "Pod", "x", []*metav1.StatusCause{{Reason: apierrors.CauseFieldRequired, Field: "spec.containers", Message: "Required value"}}), `Pod "x" is invalid: spec.containers: Required value`, 422, "Invalid", codes.InvalidArgument, apierrors.IsInvalid},
	{apierrors.NewInvalid("", "Pod", "x", []*metav1.StatusCause{{Field: "a", Message: "m"}, {Field: "b", Message: "n"}, {Field: "a", Message: "m"}}), `Pod "x" is invalid: [a: m, b: n]`, 422, "Invalid", codes.InvalidArgument, apierrors.IsInvalid},
}

func TestVocabulary(t *testing.T) {
	for _, c := range every {
		t.Run(c.message, func(t *testing.T) {
			if got := c.err.Error(); got != c.message {
				t.Errorf("message = %s", got)
			}
			s := apierrors.FromError(fmt.Errorf("wrapped: %w", c.err))
			if s.Code != c.code || s.Reason != c.reason || s.Status != apierrors.StatusFailure {
				t.Errorf("status = %v", s)
			}
			if !c.is(fmt.Errorf("wrapped: %w", c.err)) {
				t.Error("its Is function does not know it")
			}
		})
	}
}

func TestOverGRPC(t *testing.T) {
	for _, c := range every {
		t.Run(c.message, func(t *testing.T) {
			sent := apierrors.ToGRPC(fmt.Errorf("wrapped: %w", c.err))
			if got := status.Code(sent); got != c.grpc {
				t.Errorf("code = %v, want %v", got, c.grpc)
			}
			// What arrives is made of the code, message and details alone.
			back := apierrors.FromGRPC(status.FromProto(status.Convert(sent).Proto()).Err())
			if !c.is(back) || back.Error() != c.message {
				t.Errorf("back = %v", back)
			}
			if diff := cmp.Diff(c.err.Status, apierrors.FromError(back), protocmp.Transform()); diff != "" {
				t.Errorf("status changed on the way (-sent +received):\n%s", diff)
			}
			if got := status.Code(c.err); got != c.grpc {
				t.Errorf("code of the error itself = %v", got)
			}
		})
	}
}

func TestErrorsOfGRPCItself(t *testing.T) {
	for _, c := range []struct {
		code   codes.Code
		is     func(error) bool
		target error
	}{
		{codes.Unavailable, apierrors.IsServiceUnavailable, nil},
		{codes.DeadlineExceeded, apierrors.IsTimeout, context.DeadlineExceeded},
		{codes.Canceled, func(error) bool { return true }, context.Canceled},
		{codes.ResourceExhausted, apierrors.IsRequestEntityTooLarge, nil},
		{codes.Unauthenticated, apierrors.IsUnauthorized, nil},
		{codes.Unimplemented, apierrors.IsMethodNotSupported, nil},
		{codes.Internal, apierrors.IsInternalError, nil},
		{codes.Unknown, apierrors.IsInternalError, nil},
	} {
		err := apierrors.FromGRPC(status.Error(c.code, "said"))
		if !c.is(err) {
			t.Errorf("%v became %v (%s)", c.code, err, apierrors.Reason(err))
		}
		if c.target != nil && !errors.Is(err, c.target) {
			t.Errorf("%v is not %v", c.code, c.target)
		}
	}
	if apierrors.FromGRPC(nil) != nil || apierrors.ToGRPC(nil) != nil || apierrors.FromError(nil) != nil {
		t.Error("nil does not stay nil")
	}
	if apierrors.FromGRPC(io.EOF) != io.EOF {
		t.Error("io.EOF does not stay io.EOF")
	}
}

func TestContextErrorsCrossGRPC(t *testing.T) {
	cross := func(err error) error {
		return apierrors.FromGRPC(status.Convert(apierrors.ToGRPC(fmt.Errorf("get: %w", err))).Err())
	}
	if back := cross(context.Canceled); !errors.Is(back, context.Canceled) {
		t.Errorf("cancelled came back as %v", back)
	}
	// The server's deadline is not the caller's.
	if back := cross(context.DeadlineExceeded); !apierrors.IsTimeout(back) || errors.Is(back, context.DeadlineExceeded) {
		t.Errorf("deadline exceeded came back as %v", back)
	}
}

func TestIsFallsBackOnTheCode(t *testing.T) {
	foreign := apierrors.FromStatus(&metav1.Status{Status: "Failure", Reason: "Odd", Code: 404})
	if !apierrors.IsNotFound(foreign) {
		t.Error("an unknown reason with code 404 is not NotFound")
	}
	exists := apierrors.NewAlreadyExists("", "pods", "x")
	if apierrors.IsConflict(exists) {
		t.Error("AlreadyExists is taken for a Conflict because both are 409")
	}
	for name, is := range map[string]func(error) bool{
		"IsNotFound": apierrors.IsNotFound, "IsConflict": apierrors.IsConflict, "IsTooManyRequests": apierrors.IsTooManyRequests,
		"IsRequestEntityTooLarge": apierrors.IsRequestEntityTooLarge,
	} {
		if is(nil) {
			t.Errorf("%s(nil)", name)
		}
		if is(errors.New("plain")) {
			t.Errorf("%s(plain error)", name)
		}
	}
}

func TestFromStatus(t *testing.T) {
	if err := apierrors.FromStatus(nil); err != nil {
		t.Errorf("nil: %v", err)
	}
	if err := apierrors.FromStatus(&metav1.Status{Status: apierrors.StatusSuccess}); err != nil {
		t.Errorf("success: %v", err)
	}
	if err := apierrors.FromStatus(&metav1.Status{}); err == nil || err.Error() == "" {
		t.Errorf("an empty status: %v", err)
	}
}

func TestRetryAfterAndCauses(t *testing.T) {
	if d, ok := apierrors.RetryAfter(apierrors.NewTooManyRequests("x", 3)); !ok || d != 3*time.Second {
		t.Errorf("RetryAfter = %v, %v", d, ok)
	}
	if _, ok := apierrors.RetryAfter(apierrors.NewBadRequest("x")); ok {
		t.Error("a bad request asks to retry")
	}
	if !apierrors.HasCause(apierrors.NewTooLargeResourceVersion(9, 3, 1), apierrors.CauseResourceVersionTooLarge) {
		t.Error("no cause")
	}
	if !apierrors.HasCause(apierrors.NewNamespaceTerminating("", "pods", "x", "ns"), apierrors.CauseNamespaceTerminating) {
		t.Error("no cause")
	}
	if got := apierrors.FromError(apierrors.NewContinueExpired("tok")).Metadata.Continue; got != "tok" {
		t.Errorf("continue = %q", got)
	}
}
