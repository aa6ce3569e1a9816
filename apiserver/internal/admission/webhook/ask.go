package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/keelson/keelson/apiserver/internal/admission/expr"
	"github.com/keelson/keelson/apiserver/internal/admission/hook"
	"github.com/keelson/keelson/apiserver/internal/cel"
	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/schema"
)

// question is a webhook that is to be asked, and in which version of the kind it wants to see the object.
type question struct {
	*webhook
	kind *schema.Kind
}

// wants tells whether a webhook is for a request; nil is not.
func (b *base) wants(ctx context.Context, s *hook.Subject, w *webhook) (*question, error) {
	if w.match == nil {
		return nil, nil
	}
	k, err := w.match.Of(ctx, s)
	if err != nil || k == nil {
		return nil, err
	}
	q := &question{webhook: w, kind: k}
	if w.broken != nil {
		if w.ignore {
			return nil, nil
		}
		return nil, apierrors.NewForbidden(s.R.Kind.Group, s.R.Kind.Plural, s.Name(), w.broken)
	}
	if len(w.conditions) == 0 {
		return q, nil
	}
	in, err := expr.NewInput(ctx, s, k, b.authorizer)
	if err != nil {
		return nil, err
	}
	ok, err := w.conditions.Hold(in.NewRun(ctx, nil, nil, cel.NewBudget(cel.PerMatchConditions)))
	switch {
	case err != nil && w.ignore, err == nil && !ok:
		return nil, nil
	case err != nil:
		return nil, apierrors.NewForbidden(s.R.Kind.Group, s.R.Kind.Plural, s.Name(), err)
	}
	return q, nil
}

// request is the JSON tree of what a webhook is asked.
func (q *question) request(ctx context.Context, s *hook.Subject) (map[string]any, error) {
	tree, err := expr.Request(s, q.kind)
	if err != nil {
		return nil, err
	}
	trees, err := s.Trees(ctx, q.kind)
	if err != nil {
		return nil, err
	}
	tree["object"], tree["oldObject"] = orNull(trees.Object), orNull(trees.Old)
	if tree["options"] == nil {
		tree["options"] = nil
	}
	return tree, nil
}

func orNull(t map[string]any) any {
	if t == nil {
		return nil
	}
	return t
}

// ask sends the question and returns the answer. Warnings and annotations are passed on by the caller.
func (b *base) ask(ctx context.Context, q *question, dryRun bool, request map[string]any) (*answer, error) {
	if dryRun && q.sideEffects != "None" && q.sideEffects != "NoneOnDryRun" {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("admission webhook %q does not support dry run", q.name))
	}
	fail := func(format string, args ...any) error { return &callError{q.name, fmt.Errorf(format, args...)} }
	if q.reviewVersion == "" {
		return nil, fail("could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)")
	}
	uid := uuid.NewString()
	body, err := newReview(q.reviewVersion, uid, request)
	if err != nil {
		return nil, fail("could not create admission objects: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	response, err := b.client.Post(ctx, q.endpoint, body)
	if err != nil {
		return nil, fail("failed to call webhook: %w", err)
	}
	a, err := parseAnswer(response, q.reviewVersion, uid, b.mutating)
	var invalid invalidError
	switch {
	case errors.As(err, &invalid):
		return nil, fail("received invalid webhook response: %w", invalid.error)
	case err != nil:
		return nil, fail("failed to call webhook: %w", err)
	}
	return a, nil
}

// heed passes on what an answer says beside its verdict, and returns the refusal where it is one.
func heed(r *admission.Request, q *question, a *answer) error {
	for key, value := range a.AuditAnnotations {
		if r.Annotate != nil {
			r.Annotate(q.name+"/"+key, value)
		}
	}
	for _, w := range a.Warnings {
		if r.Warn != nil {
			r.Warn(w)
		}
	}
	if a.Allowed {
		return nil
	}
	return denial(q.name, a.status)
}

// denial is the error that a refusal becomes: the webhook's own status, with its name before the message.
func denial(name string, s *metav1.Status) error {
	if s == nil {
		s = &metav1.Status{}
	}
	if s.Code < http.StatusBadRequest {
		s.Code = http.StatusBadRequest
	}
	if s.Status == "" || s.Status == "Success" {
		s.Status = "Failure"
	}
	by := fmt.Sprintf("admission webhook %q denied the request", name)
	switch {
	case s.Message != "":
		s.Message = by + ": " + s.Message
	case s.Reason != "":
		s.Message = by + ": " + s.Reason
	default:
		s.Message = by + " without explanation"
	}
	return &apierrors.StatusError{Status: s}
}

// observe counts a call.
func (b *base) observe(q *question, r *admission.Request, since time.Time, err error) {
	b.metrics.observe(q.name, b.kind(), string(r.Operation), time.Since(since), q.ignore, err)
}
