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
	leaf int
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
	// forms are those of the selectable fields, by index of Kind.SelectableFields.
	forms []form
}

// form is the form of a selectable field's value.
type form uint8

const (
	formText form = iota
	formBoolean
	formInteger
	// formComputed is that of a field without a path: the schema computes it from the decoded object.
	formComputed
)

// zero is the value of an object that does not have the field.
func (f form) zero() string {
	switch f {
	case formBoolean:
		return "false"
	case formInteger:
		return "0"
	}
	return ""
}

// wire is the type of the value in an object's bytes.
func (f form) wire() protowire.Type {
	if f == formText {
		return protowire.BytesType
	}
	return protowire.VarintType
}

var compiled sync.Map // *schema.Kind -> *paths

func pathsOf(k *schema.Kind) *paths {
	if p, ok := compiled.Load(k); ok {
		return p.(*paths)
	}
	p := &paths{root: &node{leaf: -1}, forms: make([]form, len(k.SelectableFields))}
	for i, path := range k.SelectableFields {
		if path == "metadata.name" || path == "metadata.namespace" {
			continue
		}
		if !p.add(k.Descriptor, strings.Split(path, "."), i) {
			p.forms[i] = formComputed
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
		p.forms[leaf] = formBoolean
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		p.forms[leaf] = formInteger
	default:
		at.leaf = -1
		return false
	}
	return true
}
