// Package admission is the contract between the pipeline and the plugins that change or refuse writes: after defaults
// are set and before the object is validated (Admit), and after it is validated (Validate).
package admission

import (
	"context"

	"google.golang.org/protobuf/proto"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/schema"
)

// Object is a root object of any kind.
type Object interface {
	proto.Message
	GetMetadata() *metav1.ObjectMeta
}

// Operation is what the request does.
type Operation string

// Operations, in Kubernetes' spelling.
const (
	Create  Operation = "CREATE"
	Update  Operation = "UPDATE"
	Delete  Operation = "DELETE"
	Connect Operation = "CONNECT"
)

// Request is one write as plugins see it.
type Request struct {
	Operation Operation
	// Kind is the kind that the request addresses.
	Kind *schema.Kind
	// ObjectKind is the kind of Object, Old and Body: Kind itself, but on subresources that take another one (a Binding,
	// a Scale, a TokenRequest).
	ObjectKind *schema.Kind
	// Subresource is empty for the object itself.
	Subresource string
	Namespace   string
	// Name is empty for a creation whose name is still to be generated.
	Name string
	// Object is the object about to be stored, or what was sent to a subresource; plugins change it in place in Admit.
	// Nil for a deletion and for a connection.
	Object Object
	// Old is the stored object, not to be changed; nil for a creation.
	Old Object
	// Body is what a connection is asked with (PodExecOptions): it has no metadata, thus is no Object. Nil otherwise.
	Body proto.Message
	// Options returns what the client said about the write: a CreateOptions, UpdateOptions, PatchOptions or
	// DeleteOptions of meta/v1. Nil for a connection.
	Options func() proto.Message
	// User is who asks; never nil.
	User   *identity.User
	DryRun bool
	// Warn adds a warning to the response.
	Warn func(message string)
	// Annotate notes something about the request for those who audit it.
	Annotate func(key, value string)

	// Round is 0, and 1 when all plugins run once more because one of them has set Again: it changed what others may
	// have to see.
	Round int
	Again bool
	// Notes are a plugin's own, by its name, kept from one round to the next.
	Notes map[string]any

	undo []func(ctx context.Context)
}

// OnFailure has f called where the write fails for sure after it was admitted: a plugin gives back what it has taken for
// it.
func (r *Request) OnFailure(f func(ctx context.Context)) { r.undo = append(r.undo, f) }

// Failed calls what OnFailure has collected.
func (r *Request) Failed(ctx context.Context) {
	for _, f := range r.undo {
		f(ctx)
	}
	r.undo = nil
}

// Note keeps a plugin's own state for the next round.
func (r *Request) Note(plugin string, v any) {
	if r.Notes == nil {
		r.Notes = map[string]any{}
	}
	r.Notes[plugin] = v
}

// Plugin changes objects on their way in, or refuses them by an apierrors.StatusError.
type Plugin interface {
	// Name is used in error messages and logs.
	Name() string
	// Admit may change r.Object. It is called once for each attempt, thus must not keep state between calls.
	Admit(ctx context.Context, r *Request) error
}

// Validator is a Plugin that also looks at the final, valid object and may refuse it.
type Validator interface {
	Plugin
	// Validate must not change r.Object.
	Validate(ctx context.Context, r *Request) error
}
