package pipeline

import (
	"context"

	"github.com/keelson/keelson/proto/pipeline/admission"
)

func (r *request) admission(op admission.Operation, obj, old Object) *admission.Request {
	return &admission.Request{
		Operation: op, Kind: r.res.kind, Subresource: r.sub, Namespace: r.namespace, Name: r.name,
		Object: obj, Old: old, User: r.user, DryRun: r.dryRun, Warn: r.warn,
	}
}

// admit lets the plugins change the object.
func (s *Server) admit(ctx context.Context, a *admission.Request) error {
	for _, p := range s.admission {
		if err := p.Admit(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// validateAdmission lets the plugins look at the final object.
func (s *Server) validateAdmission(ctx context.Context, a *admission.Request) error {
	for _, p := range s.admission {
		if v, ok := p.(admission.Validator); ok {
			if err := v.Validate(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}
