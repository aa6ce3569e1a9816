package item

import (
	"strings"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/shape"
)

// node is a step on the way to selectable fields, by field number.
type node struct {
	children []edge
	// leaf is the index of a selectable field that ends here, or -1.
	leaf    int
	boolean bool
}

type edge struct {
	num protowire.Number
	to  *node
}

func (n *node) child(num protowire.Number) *node {
	for i := range n.children {
		if n.children[i].num == num {
			return n.children[i].to
		}
	}
	return nil
}

// paths are the compiled selectable fields of a kind.
type paths struct {
	root *node
	// zero holds the values of an object that has none of the fields.
	zero []string
	// computed tells which fields have no path: the schema computes them from the decoded object.
	computed []bool
	anyone   bool
}

var compiled sync.Map // *schema.Kind -> *paths

func pathsOf(k *schema.Kind) *paths {
	if p, ok := compiled.Load(k); ok {
		return p.(*paths)
	}
	p := &paths{root: &node{leaf: -1}, zero: make([]string, len(k.SelectableFields)), computed: make([]bool, len(k.SelectableFields))}
	for i, path := range k.SelectableFields {
		if path == "metadata.name" || path == "metadata.namespace" {
			continue
		}
		if !p.add(k.Descriptor, strings.Split(path, "."), i) {
			p.computed[i], p.anyone = true, true
		}
	}
	actual, _ := compiled.LoadOrStore(k, p)
	return actual.(*paths)
}

func (p *paths) add(md protoreflect.MessageDescriptor, names []string, leaf int) bool {
	var steps []protoreflect.FieldDescriptor
	for _, name := range names {
		if md == nil {
			return false
		}
		f, ok := shape.Of(md).Field(name)
		if !ok || f.Desc.Cardinality() == protoreflect.Repeated {
			return false
		}
		steps = append(append(steps, f.Inline...), f.Desc)
		md = f.Desc.Message()
	}
	at := p.root
	for _, fd := range steps {
		next := at.child(fd.Number())
		if next == nil {
			next = &node{leaf: -1}
			at.children = append(at.children, edge{fd.Number(), next})
		}
		at = next
	}
	at.leaf = leaf
	switch steps[len(steps)-1].Kind() {
	case protoreflect.StringKind:
	case protoreflect.BoolKind:
		at.boolean, p.zero[leaf] = true, "false"
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		p.zero[leaf] = "0"
	default:
		at.leaf = -1
		return false
	}
	return true
}
