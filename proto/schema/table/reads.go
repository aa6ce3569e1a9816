package table

import (
	"strings"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/projection"
)

// reads are the paths that the computed cells of a kind are made of, beside name and creation. Kinds whose objects are few
// and small, or shown nearly whole, have none.
var reads = map[protoreflect.FullName][]string{}

var projections sync.Map // protoreflect.FullName -> *projection.Projection

// Reads returns what Cells reads of objects of a kind: they are the same of an object that holds no more. It is nil where
// that is not known.
func Reads(k *schema.Kind) *projection.Projection {
	if k.IsCustom() || k.Descriptor == nil {
		return nil
	}
	name := k.Descriptor.FullName()
	if p, ok := projections.Load(name); ok {
		return p.(*projection.Projection)
	}
	p := readsOf(k)
	projections.Store(name, p)
	return p
}

func readsOf(k *schema.Kind) *projection.Projection {
	paths := reads[k.Descriptor.FullName()]
	if computed[k.Descriptor.FullName()] == nil {
		for _, c := range definitions(k) {
			paths = append(paths, strings.TrimPrefix(c.Path, "."))
		}
	}
	if len(paths) == 0 {
		return nil
	}
	p, err := projection.Of(k.Descriptor, append([]string{"metadata.name", "metadata.creationTimestamp"}, paths...)...)
	if err != nil {
		return nil // something without metadata, or a column without a field
	}
	return p
}
