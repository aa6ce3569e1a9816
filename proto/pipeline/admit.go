package pipeline

import (
	"context"
	"fmt"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/schema"
)

// admissionRounds is how often the plugins see a write at most: a second time where one of them changed what the ones
// before it have seen.
const admissionRounds = 2

func (r *request) admission(op admission.Operation, obj, old Object) *admission.Request {
	return &admission.Request{
		Operation: op, Kind: r.res.kind, ObjectKind: r.res.kind, Subresource: r.sub, Namespace: r.namespace, Name: r.name,
		Object: obj, Old: old, User: r.user, DryRun: r.dryRun, Warn: r.warn, Annotate: r.annotate,
		Options: func() proto.Message { return r.writeOptions(op) },
	}
}

// annotate logs what a plugin notes about the request.
func (r *request) annotate(key, value string) {
	r.s.log.Info("audit annotation", zap.String("resource", r.res.kind.GroupResource()), zap.String("namespace", r.namespace),
		zap.String("name", r.name), zap.String("user", r.user.Name), zap.String("key", key), zap.String("value", value))
}

// writeOptions are the client's options in the form that its verb has.
func (r *request) writeOptions(op admission.Operation) proto.Message {
	var dryRun []string
	if r.dryRun {
		dryRun = []string{"All"}
	}
	validation := ""
	switch r.validation {
	case codec.Warn:
		validation = "Warn"
	case codec.Strict:
		validation = "Strict"
	}
	switch {
	case op == admission.Delete && r.deleteOptions != nil:
		return r.deleteOptions
	case op == admission.Delete:
		return &metav1.DeleteOptions{DryRun: dryRun}
	case r.patching:
		return &metav1.PatchOptions{DryRun: dryRun, Force: r.force, FieldManager: r.manager, FieldValidation: validation}
	case op == admission.Update:
		return &metav1.UpdateOptions{DryRun: dryRun, FieldManager: r.manager, FieldValidation: validation}
	}
	return &metav1.CreateOptions{DryRun: dryRun, FieldManager: r.manager, FieldValidation: validation}
}

// admit lets the plugins change the object. What the server does by itself is not admitted: the request that made it do
// so was.
func (r *request) admit(ctx context.Context, a *admission.Request) error {
	if r.own {
		return nil
	}
	for a.Round = 0; a.Round < admissionRounds; a.Round++ {
		a.Again = false
		for _, p := range r.s.admission {
			if err := p.Admit(ctx, a); err != nil {
				return err
			}
		}
		if !a.Again {
			break
		}
	}
	return r.sameObject(a)
}

// sameObject refuses what plugins make of an object that would then be stored elsewhere. A creation's name is theirs to
// choose.
func (r *request) sameObject(a *admission.Request) error {
	if a.Object == nil || a.ObjectKind != a.Kind {
		return nil
	}
	meta := metadata(a.Object)
	if a.Kind.Namespaced && meta.GetNamespace() != r.namespace {
		return apierrors.NewNameMismatch("namespace", meta.GetNamespace(), r.namespace)
	}
	if was := a.Old; was != nil && meta.GetName() != was.GetMetadata().GetName() {
		return apierrors.NewInvalid(a.Kind.Group, a.Kind.Kind, r.name, causes("FieldValueInvalid", "metadata.name",
			fmt.Sprintf("Invalid value: %q: field is immutable", meta.GetName())))
	}
	return nil
}

// validateAdmission lets the plugins look at the final object.
func (r *request) validateAdmission(ctx context.Context, a *admission.Request) error {
	if r.own {
		return nil
	}
	for _, p := range r.s.admission {
		if v, ok := p.(admission.Validator); ok {
			if err := v.Validate(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// admitBody lets the plugins see, change and refuse what is sent to a subresource's handler or to a kind that is never
// stored.
func (r *request) admitBody(ctx context.Context, op admission.Operation, k *schema.Kind, body, old proto.Message) error {
	obj, ok := body.(Object)
	if !ok || r.own {
		return nil
	}
	metadata(obj)
	was, _ := old.(Object)
	a := r.admission(op, obj, was)
	a.ObjectKind = k
	if err := r.admit(ctx, a); err != nil {
		return err
	}
	return r.validateAdmission(ctx, a)
}
