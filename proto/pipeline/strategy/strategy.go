// Package strategy is the contract between the pipeline and the kinds' own logic (kinds/<group>): hooks around a
// write, and handlers of subresources.
package strategy

import (
	"context"

	"google.golang.org/protobuf/proto"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/schema"
)

// Object is a root object of any kind.
type Object = admission.Object

// Target names an object that the server itself is about to change.
type Target struct {
	Group, Resource, Subresource, Namespace, Name string
	DryRun                                        bool
	// Checked changes pass defaults, admission and validation, count in metadata.generation and are noted in the
	// managed fields, as if a client had sent them; for others the caller knows what it does.
	Checked bool
	// Manager is the field manager of a checked change.
	Manager string
}

// Access is how kinds' logic and plugins reach other objects. Calls are made by the server itself: they are not
// authorized.
type Access interface {
	// Lookup returns an object from the cache, which may be a little behind. ok is false where it is not there.
	Lookup(group, resource, namespace, name string) (it *item.Item, ok bool)
	// Read returns an object of at least the revision current at the call; an apierrors NotFound where it is not
	// there.
	Read(ctx context.Context, group, resource, namespace, name string) (*item.Item, error)
	// Await is Read that waits until the object exists, or the context ends: then the error is NotFound.
	Await(ctx context.Context, group, resource, namespace, name string) (*item.Item, error)
	// Items returns the cached objects of a kind in a namespace ("" is all), in order.
	Items(group, resource, namespace string) []*item.Item
	// Change reads an object, lets change alter it, and stores it; again where somebody else was faster. An error of
	// change ends it.
	Change(ctx context.Context, t Target, change func(obj Object) error) (*item.Item, error)
	// Delete deletes an object as a delete request would.
	Delete(ctx context.Context, group, resource, namespace, name string, o *metav1.DeleteOptions) (*item.Item, error)
}

// Find returns an object from the cache, and where it is not there, for it may have been created this moment, Read's
// answer. So what it returns may be a little behind, but an object is never missed.
func Find(ctx context.Context, a Access, group, resource, namespace, name string) (*item.Item, error) {
	if it, ok := a.Lookup(group, resource, namespace, name); ok {
		return it, nil
	}
	return a.Read(ctx, group, resource, namespace, name)
}

// Hooks are a kind's own logic around a write. Each may be nil.
type Hooks struct {
	// PrepareCreate clears or sets what clients cannot, after the plugins have changed the object.
	PrepareCreate func(ctx context.Context, obj Object)
	// PrepareUpdate does so for an update of the object itself; status has been taken from old.
	PrepareUpdate func(ctx context.Context, obj, old Object)
	// PrepareStatus does so for an update of the status; all but metadata and status has been taken from old.
	PrepareStatus func(ctx context.Context, obj, old Object)
	// StatusOnCreate tells that whoever creates an object says its status, too.
	StatusOnCreate bool
	// Renewed tells whether an update raises the generation though what is desired is the same.
	Renewed func(obj, old Object) bool
	// Parts are subresources, by name, that show the object itself and change a part of it, as status does.
	Parts map[string]Part
	// Reserve acquires what the object needs exclusively (addresses, ports), after validation and before the store. It
	// may change obj. The returned function is called with true once the write is done, with false where it failed, and not at all
	// where nobody knows.
	Reserve func(ctx context.Context, obj, old Object, dryRun bool) (done func(stored bool), err error)
	// Grace returns how many seconds a deletion gives the object, from what was asked for; nil means that the kind
	// has no graceful deletion.
	Grace func(obj Object, asked *int64) *int64
	// Computed returns the objects of a kind that is not stored, by name.
	Computed func(ctx context.Context) ([]Object, error)
	// Orphans tells that a deletion that says nothing of dependents leaves them alone.
	Orphans bool
	// BeginDelete alters the object when its deletion begins but cannot be finished at once.
	BeginDelete func(ctx context.Context, obj Object)
	// Held tells whether something other than metadata.finalizers still keeps a deleted object.
	Held func(obj Object) bool
	// Deleted is called after the object is gone from the store.
	Deleted func(ctx context.Context, obj Object)
}

// Part is a subresource that shows the object itself and changes a part of it.
type Part struct {
	// Keep takes from old everything of the object's spec and status that the subresource does not change.
	Keep func(obj, old Object)
	// Metadata tells that labels, annotations, finalizers and owners are the client's; else they are old's.
	Metadata bool
	// Validate returns what is wrong with the change, in place of the kind's own validation.
	Validate func(k *schema.Kind, obj, old Object) schema.ErrorList
}

// SubRequest is a request for a subresource, or for a kind that is never stored.
type SubRequest struct {
	Kind        *schema.Kind
	Subresource string
	Namespace   string
	Name        string
	// Body is what was sent; nil for a get.
	Body   proto.Message
	User   *identity.User
	DryRun bool
	// Manager is the field manager.
	Manager string
	Access  Access
	Warn    func(message string)
}

// HandlerFunc returns the response object. Errors are apierrors.StatusErrors.
type HandlerFunc func(ctx context.Context, r *SubRequest) (proto.Message, error)

// Applied turns an apply of a subresource into one of the object itself, so that fields are owned in one place.
type Applied struct {
	// Config returns the object's configuration (as a JSON tree, without apiVersion and kind) for the subresource's.
	Config func(config map[string]any) map[string]any
	// Show is what the subresource shows of an object.
	Show func(obj proto.Message) proto.Message
}

// Handler serves one subresource, or with Subresource empty one kind that is never stored.
type Handler struct {
	Group, Resource, Subresource string
	// Body is an empty message of the type that requests carry; nil is the resource's own kind.
	Body proto.Message
	// Get, Create and Update serve the verbs; nil ones are refused with 405. A patch is Get, the patch, Update.
	Get, Create, Update HandlerFunc
	// Applied serves server-side applies of a subresource that shows a few fields of its object in a form of its own.
	// Nil refuses them.
	Applied *Applied
	// Unauthorized skips the pipeline's authorization: for reviews that everybody may ask for about themselves.
	Unauthorized bool
}
