package apierrors

// Reasons of a failure, as they stand in Status.reason. The empty reason is an unknown one.
const (
	ReasonUnknown               = ""
	ReasonUnauthorized          = "Unauthorized"
	ReasonForbidden             = "Forbidden"
	ReasonNotFound              = "NotFound"
	ReasonAlreadyExists         = "AlreadyExists"
	ReasonConflict              = "Conflict"
	ReasonGone                  = "Gone"
	ReasonInvalid               = "Invalid"
	ReasonServerTimeout         = "ServerTimeout"
	ReasonStoreReadError        = "StorageReadError"
	ReasonTimeout               = "Timeout"
	ReasonTooManyRequests       = "TooManyRequests"
	ReasonBadRequest            = "BadRequest"
	ReasonMethodNotAllowed      = "MethodNotAllowed"
	ReasonNotAcceptable         = "NotAcceptable"
	ReasonRequestEntityTooLarge = "RequestEntityTooLarge"
	ReasonUnsupportedMediaType  = "UnsupportedMediaType"
	ReasonInternalError         = "InternalError"
	ReasonExpired               = "Expired"
	ReasonServiceUnavailable    = "ServiceUnavailable"
)

// Causes of a failure, as they stand in Status.details.causes[].reason.
const (
	CauseFieldNotFound            = "FieldValueNotFound"
	CauseFieldRequired            = "FieldValueRequired"
	CauseFieldDuplicate           = "FieldValueDuplicate"
	CauseFieldInvalid             = "FieldValueInvalid"
	CauseFieldNotSupported        = "FieldValueNotSupported"
	CauseFieldForbidden           = "FieldValueForbidden"
	CauseFieldTooLong             = "FieldValueTooLong"
	CauseFieldTooMany             = "FieldValueTooMany"
	CauseFieldTypeInvalid         = "FieldValueTypeInvalid"
	CauseFieldInternal            = "InternalError"
	CauseUnexpectedServerResponse = "UnexpectedServerResponse"
	CauseFieldManagerConflict     = "FieldManagerConflict"
	CauseResourceVersionTooLarge  = "ResourceVersionTooLarge"
	CauseNamespaceTerminating     = "NamespaceTerminating"
	CauseDisruptionBudget         = "DisruptionBudget"
)

// Values of Status.status.
const (
	StatusSuccess = "Success"
	StatusFailure = "Failure"
)

// OptimisticLock is what a Conflict says when a write names a resourceVersion that is no longer the current one.
const OptimisticLock = "the object has been modified; please apply your changes to the latest version and try again"

// httpCodes maps each reason to its HTTP code; the Is functions fall back on the code where a foreign server sent a reason
// that is not listed here.
var httpCodes = map[string]int32{
	ReasonUnauthorized:          401,
	ReasonForbidden:             403,
	ReasonNotFound:              404,
	ReasonAlreadyExists:         409,
	ReasonConflict:              409,
	ReasonGone:                  410,
	ReasonExpired:               410,
	ReasonInvalid:               422,
	ReasonServerTimeout:         500,
	ReasonStoreReadError:        500,
	ReasonTimeout:               504,
	ReasonTooManyRequests:       429,
	ReasonBadRequest:            400,
	ReasonMethodNotAllowed:      405,
	ReasonNotAcceptable:         406,
	ReasonRequestEntityTooLarge: 413,
	ReasonUnsupportedMediaType:  415,
	ReasonInternalError:         500,
	ReasonServiceUnavailable:    503,
}
