package pipeline

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/schema"
)

// Attacher is an admission plugin of the configuration that wants to reach the server: Attach is called once, before
// any request.
type Attacher interface{ Attach(s *Server) }

// Access returns the way to the objects that plugins and kinds' logic have: not authorized, not admitted.
func (s *Server) Access() strategy.Access { return access{s} }

// Convert returns an object in another version of its kind; obj itself where it is that already.
func (s *Server) Convert(ctx context.Context, obj Object, from, to *schema.Kind) (Object, error) {
	if from == to {
		return obj, nil
	}
	if custom, ok := obj.(*metav1.CustomObject); ok {
		out, err := convert(ctx, []*metav1.CustomObject{custom}, from, to)
		if err != nil {
			return nil, err
		}
		return out[0], nil
	}
	// ToStorage may return its argument, which the caller owns.
	converted, ok := to.FromStorage(from.ToStorage(proto.Clone(obj))).(Object)
	if !ok || converted.ProtoReflect().Descriptor() != to.Descriptor {
		return nil, apierrors.NewInternal(errNoKind(obj))
	}
	return converted, nil
}
