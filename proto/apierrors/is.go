package apierrors

import (
	"time"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// statusOf returns the Status inside err: its own, or that of a gRPC error. Other errors have none.
func statusOf(err error) *metav1.Status {
	if err == nil {
		return nil
	}
	return as(err).Status
}

// Reason returns the Status' reason; ReasonUnknown for nil.
func Reason(err error) string { return statusOf(err).GetReason() }

// is tells whether the reason is this one, or an unknown one with this one's code.
func is(err error, reason string) bool {
	s := statusOf(err)
	if s == nil {
		return false
	}
	if s.GetReason() == reason {
		return true
	}
	_, known := httpCodes[s.GetReason()]
	return !known && s.GetCode() == httpCodes[reason]
}

// The Is functions tell errors apart by reason, through wrapping. They are false for nil.

// IsNotFound tells whether the object does not exist.
func IsNotFound(err error) bool { return is(err, ReasonNotFound) }

// IsAlreadyExists tells whether the name is taken.
func IsAlreadyExists(err error) bool { return Reason(err) == ReasonAlreadyExists }

// IsConflict tells whether a write lost against another one: read again and retry.
func IsConflict(err error) bool { return is(err, ReasonConflict) }

// IsInvalid tells whether the object was refused by validation.
func IsInvalid(err error) bool { return is(err, ReasonInvalid) }

// IsGone tells whether the reason is Gone; a revision that is no longer available is IsResourceExpired.
func IsGone(err error) bool { return is(err, ReasonGone) }

// IsResourceExpired tells whether a revision is no longer available: list again.
func IsResourceExpired(err error) bool { return Reason(err) == ReasonExpired }

// IsBadRequest tells whether the request makes no sense.
func IsBadRequest(err error) bool { return is(err, ReasonBadRequest) }

// IsUnauthorized tells whether credentials are missing or invalid.
func IsUnauthorized(err error) bool { return is(err, ReasonUnauthorized) }

// IsForbidden tells whether the user may not do this.
func IsForbidden(err error) bool { return is(err, ReasonForbidden) }

// IsMethodNotSupported tells whether the kind does not have the verb.
func IsMethodNotSupported(err error) bool { return is(err, ReasonMethodNotAllowed) }

// IsNotAcceptable tells whether the server cannot write what the client accepts.
func IsNotAcceptable(err error) bool { return is(err, ReasonNotAcceptable) }

// IsUnsupportedMediaType tells whether the server cannot read what the client sent.
func IsUnsupportedMediaType(err error) bool { return is(err, ReasonUnsupportedMediaType) }

// IsServiceUnavailable tells whether the server cannot be reached or cannot answer now.
func IsServiceUnavailable(err error) bool { return is(err, ReasonServiceUnavailable) }

// IsTimeout tells whether a request was given up; it may have taken effect.
func IsTimeout(err error) bool { return is(err, ReasonTimeout) }

// IsServerTimeout tells whether an operation hit a passing condition and had no effect.
func IsServerTimeout(err error) bool { return Reason(err) == ReasonServerTimeout }

// IsInternalError tells whether the failure is the server's own.
func IsInternalError(err error) bool { return is(err, ReasonInternalError) }

// IsTooManyRequests tells whether the server asks to come back later.
func IsTooManyRequests(err error) bool {
	s := statusOf(err)
	return s.GetReason() == ReasonTooManyRequests || s.GetCode() == httpCodes[ReasonTooManyRequests]
}

// IsRequestEntityTooLarge tells whether the body exceeds the server's limit.
func IsRequestEntityTooLarge(err error) bool {
	s := statusOf(err)
	return s.GetReason() == ReasonRequestEntityTooLarge || s.GetCode() == httpCodes[ReasonRequestEntityTooLarge]
}

// HasCause tells whether the details name the cause.
func HasCause(err error, reason string) bool {
	for _, c := range statusOf(err).GetDetails().GetCauses() {
		if c.GetReason() == reason {
			return true
		}
	}
	return false
}

// RetryAfter returns how long the server asks the client to wait, and whether it asks at all.
func RetryAfter(err error) (time.Duration, bool) {
	s := statusOf(err)
	seconds := s.GetDetails().GetRetryAfterSeconds()
	return time.Duration(seconds) * time.Second, seconds > 0 || s.GetReason() == ReasonServerTimeout
}
