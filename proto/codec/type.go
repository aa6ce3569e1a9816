package codec

import (
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
)

// maxFields is the most fields a message may have in JSON: what is already seen of an object is a bit set on the stack.
const maxFields = 128

// Type is the compiled plan of one message. It is immutable and safe for concurrent use.
type Type struct {
	desc   protoreflect.MessageDescriptor
	name   string // "Pod"
	goName string // "v1.Pod", as Kubernetes' errors name it
	form   optionsv1.JSONForm
	typed  bool // apiVersion and kind are accepted wherever the message stands

	fields []*field         // in the order of declaration, which is the order of JSON output
	dense  []*field         // by field number
	sparse map[int32]*field // numbers too large for dense; nil in general
	keys   keyTable         // by JSON name, with the fields of inlined messages
	emits  []emission       // what is written for fields that are not set
	empty  []byte           // JSON of the message without any field
	meta   bool             // an ObjectMeta
	rest   *field           // takes the members that no other field has; nil in general

	emitted fieldSet // the fields of emits
}

// emission is what JSON holds for a field that is not set.
type emission struct {
	index   int
	literal []byte // with the leading comma: `,"containers":null`
}

// op says how a field is read and written. Repeated forms of scalars follow their singular ones.
type op uint8

const (
	opInvalid op = iota
	opBool
	opInt32
	opInt64
	opUint32
	opUint64
	opFloat
	opDouble
	opString
	opBytes
	opMessage
	opInline
	opMap
	opRest // a JSON object whose members stand among the message's own
)

// field is one field of a message on the wire.
type field struct {
	index    int    // in Type.fields
	num      int32  // protobuf number
	tag      []byte // encoded tag with the wire type that is written
	tagValue uint64
	op       op
	repeated bool
	packed   bool
	presence bool // zero is distinct from unset
	emit     optionsv1.Emit
	name     string // JSON name
	key      []byte // `,"name":`
	sub      *Type  // of messages and of map values that are messages
	val      *field // of maps: the value, as a field with number 2
	plain    bool   // of maps: the values are strings or quantities
	goType   string // "[]v1.Container"
	goElem   string // "v1.Container"
}

// jsonField is a field as JSON sees it: fields of inlined messages belong to the outer object.
type jsonField struct {
	*field
	slot   int         // in the set of seen keys
	owner  *Type       // the outer message: errors name it
	inline *inlineNode // nil for the message's own fields
}

// inlineNode is an inlined message within an outer one.
type inlineNode struct {
	field  *field
	parent *inlineNode
}

// maxInline bounds how deep messages are inlined in one another: Kubernetes' API needs two.
const maxInline = 4

func (n *inlineNode) depth() int {
	d := 0
	for ; n != nil; n = n.parent {
		d++
	}
	return d
}

// lookup returns the field with a protobuf number, nil where there is none.
func (t *Type) lookup(num uint64) *field {
	if num < uint64(len(t.dense)) {
		return t.dense[num]
	}
	if t.sparse != nil && num <= maxFieldNumber {
		return t.sparse[int32(num)]
	}
	return nil
}

const maxFieldNumber = 1<<29 - 1

// Descriptor returns the message that the type was compiled from.
func (t *Type) Descriptor() protoreflect.MessageDescriptor { return t.desc }

var (
	types   sync.Map // protoreflect.MessageDescriptor -> *Type
	compile sync.Mutex
)

// For returns the compiled type of a message. The first call for a message compiles it and everything it refers to;
// later calls are one map access. It panics where the message uses what Kubernetes' API never does (oneofs of several
// fields, maps with other keys than strings, groups): that is a mistake in a .proto file, not in input.
func For(md protoreflect.MessageDescriptor) *Type {
	if t, ok := types.Load(md); ok {
		return t.(*Type)
	}
	compile.Lock()
	defer compile.Unlock()
	c := compiler{made: map[protoreflect.MessageDescriptor]*Type{}}
	t := c.message(md)
	c.finish()
	for md, t := range c.made {
		types.Store(md, t)
	}
	return t
}
