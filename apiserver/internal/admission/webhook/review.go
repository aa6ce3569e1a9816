package webhook

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

const reviewGroup = "admission.k8s.io/"

// newReview is the body of a question. request is the JSON tree of an AdmissionRequest.
func newReview(version, uid string, request map[string]any) ([]byte, error) {
	request["uid"] = uid
	return codec.AppendTree(nil, map[string]any{"kind": "AdmissionReview", "apiVersion": reviewGroup + version, "request": request})
}

// answer is an AdmissionReview's response.
type answer struct {
	UID              string            `json:"uid"`
	Allowed          bool              `json:"allowed"`
	Status           json.RawMessage   `json:"status"`
	Patch            []byte            `json:"patch"`
	PatchType        *string           `json:"patchType"`
	AuditAnnotations map[string]string `json:"auditAnnotations"`
	Warnings         []string          `json:"warnings"`

	status *metav1.Status
}

// parseAnswer reads an answer and checks that it is one, to the question of this uid.
func parseAnswer(body []byte, version, uid string, mutating bool) (*answer, error) {
	var review struct {
		APIVersion string  `json:"apiVersion"`
		Kind       string  `json:"kind"`
		Response   *answer `json:"response"`
	}
	if err := json.Unmarshal(body, &review); err != nil {
		return nil, fmt.Errorf("couldn't get version/kind; json parse error: %w", err)
	}
	a := review.Response
	if a == nil {
		return nil, invalidAnswer("webhook response was absent")
	}
	if len(a.Status) > 0 && string(a.Status) != "null" {
		a.status = &metav1.Status{}
		if _, err := codec.Unmarshal(a.Status, a.status, codec.DecodeOptions{}); err != nil {
			return nil, err
		}
	}
	if version == "v1" {
		if err := a.check(review.APIVersion, review.Kind, uid, mutating); err != nil {
			return nil, err
		}
	} else if !mutating {
		a.Patch = nil
	}
	return a, nil
}

// invalidError is an answer that reads well and is wrong.
type invalidError struct{ error }

func invalidAnswer(format string, args ...any) error {
	return invalidError{fmt.Errorf(format, args...)}
}

func (a *answer) check(apiVersion, kind, uid string, mutating bool) error {
	switch {
	case a.UID != uid:
		return invalidAnswer("expected response.uid=%q, got %q", uid, a.UID)
	case apiVersion != reviewGroup+"v1" || kind != "AdmissionReview":
		return invalidAnswer("expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got %s, Kind=%s", apiVersion, kind)
	case mutating && len(a.Patch) > 0 && a.PatchType == nil:
		return invalidAnswer("webhook returned response.patch but not response.patchType")
	case mutating && len(a.Patch) == 0 && a.PatchType != nil:
		return invalidAnswer("webhook returned response.patchType but not response.patch")
	case mutating && a.PatchType != nil && *a.PatchType == "":
		return invalidAnswer("webhook returned invalid response.patchType of %q", "")
	case !mutating && len(a.Patch) > 0:
		return invalidAnswer("validating webhook may not return response.patch")
	case !mutating && a.PatchType != nil:
		return invalidAnswer("validating webhook may not return response.patchType")
	}
	return nil
}

// callError is a question without a usable answer: the failure policy decides what becomes of it.
type callError struct {
	webhook string
	reason  error
}

// Error implements error.
func (e *callError) Error() string {
	return fmt.Sprintf("failed calling webhook %q: %v", e.webhook, e.reason)
}

// Unwrap implements errors.
func (e *callError) Unwrap() error { return e.reason }

func isCallError(err error) bool { return errors.As(err, new(*callError)) }
