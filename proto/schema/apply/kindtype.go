package apply

import (
	"runtime"
	"slices"
	"sync"
	"weak"

	smd "sigs.k8s.io/structured-merge-diff/v6/schema"

	"github.com/keelson/keelson/proto/codec"
	kinds "github.com/keelson/keelson/proto/schema"
)

// kindType is what may stand in a place of an object, and who may own what of it: a type of structured-merge-diff with its
// references followed. Mostly one of the three forms is there; where there are more, the value tells which it has.
type kindType struct {
	scalar smd.Scalar // empty: none
	list   *listType
	dict   *dictType
	// untyped is a place of which the schema knows nothing. Sets are taken there as they are.
	untyped bool
}

type listType struct {
	elem *kindType
	// atomic lists have one owner. The items of others have their own, and are told apart by keys; or by their values, where
	// there are no keys.
	atomic bool
	keys   []keyField // by name
}

// keyField is a field of an item's key, and what its value is where the item does not say.
type keyField struct {
	name string
	def  *codec.Node
}

type dictType struct {
	fields map[string]*kindType
	elem   *kindType // of members that are not fields; nil where there may be none
	atomic bool
}

// member returns the type of a member, nil where there may be none, and whether it is a field.
func (d *dictType) member(name string) (t *kindType, field bool) {
	if t, ok := d.fields[name]; ok {
		return t, true
	}
	return d.elem, false
}

// form is how a value is looked at.
type form uint8

const (
	formless form = iota
	asScalar
	asList
	asDict
)

// of returns the form of a value. Null, and what does not fit, has the first form that there is.
func (t *kindType) of(n *codec.Node) form {
	switch n.Kind {
	case codec.NullNode:
	case codec.ListNode:
		if t.list != nil {
			return asList
		}
	case codec.ObjectNode:
		if t.dict != nil {
			return asDict
		}
	default:
		if t.scalar != "" {
			return asScalar
		}
	}
	switch {
	case t.dict != nil:
		return asDict
	case t.scalar != "":
		return asScalar
	case t.list != nil:
		return asList
	}
	return formless
}

// leaf tells whether a value is owned as a whole.
func (t *kindType) leaf(n *codec.Node) bool {
	switch t.of(n) {
	case asList:
		return t.list.atomic
	case asDict:
		return t.dict.atomic
	}
	return true
}

var compiled = struct {
	sync.Mutex
	types map[weak.Pointer[smd.Schema]]*kindType
}{types: map[weak.Pointer[smd.Schema]]*kindType{}}

// kindTypeOf returns the type of a kind's objects. It lives as long as the schema that it is made of: definitions of
// custom kinds come and go.
func kindTypeOf(k *kinds.Kind) *kindType {
	t := typeOf(k)
	compiled.Lock()
	defer compiled.Unlock()
	key := weak.Make(t.Schema)
	if c, ok := compiled.types[key]; ok {
		return c
	}
	c := (&compiler{schema: t.Schema, named: map[namedRef]*kindType{}}).ref(t.TypeRef)
	compiled.types[key] = c
	runtime.AddCleanup(t.Schema, func(key weak.Pointer[smd.Schema]) {
		compiled.Lock()
		defer compiled.Unlock()
		delete(compiled.types, key)
	}, key)
	return c
}

type namedRef struct {
	name     string
	relation smd.ElementRelationship
}

type compiler struct {
	schema *smd.Schema
	named  map[namedRef]*kindType // types may contain themselves
}

func (c *compiler) ref(r smd.TypeRef) *kindType {
	t := &kindType{}
	if r.NamedType != nil {
		key := namedRef{name: *r.NamedType}
		if r.ElementRelationship != nil {
			key.relation = *r.ElementRelationship
		}
		if known := c.named[key]; known != nil {
			return known
		}
		c.named[key] = t
	}
	if a, ok := c.schema.Resolve(r); ok {
		c.atom(t, a)
	}
	return t
}

func (c *compiler) atom(t *kindType, a smd.Atom) {
	if a.Scalar != nil {
		t.scalar = *a.Scalar
	}
	if a.List != nil {
		t.list = &listType{elem: c.ref(a.List.ElementType), atomic: a.List.ElementRelationship != smd.Associative}
		names := slices.Clone(a.List.Keys)
		slices.Sort(names)
		for _, name := range names {
			t.list.keys = append(t.list.keys, keyField{name: name, def: c.keyDefault(a.List, name)})
		}
	}
	if a.Map != nil {
		t.dict = &dictType{fields: make(map[string]*kindType, len(a.Map.Fields)), atomic: a.Map.ElementRelationship == smd.Atomic}
		for _, f := range a.Map.Fields {
			t.dict.fields[f.Name] = c.ref(f.Type)
		}
		if elem := a.Map.ElementType; elem != (smd.TypeRef{}) {
			t.dict.elem = c.ref(elem)
			t.untyped = a.Map.Fields == nil && (elem.NamedType != nil && *elem.NamedType == "__untyped_deduced_" ||
				elem.NamedType == nil && elem.Inlined.Scalar != nil && *elem.Inlined.Scalar == smd.Untyped)
		}
	}
}

func (c *compiler) keyDefault(l *smd.List, name string) *codec.Node {
	a, ok := c.schema.Resolve(l.ElementType)
	if !ok || a.Map == nil {
		return nil
	}
	f, _ := a.Map.FindField(name)
	if f.Default == nil {
		return nil
	}
	text, err := codec.AppendTree(nil, f.Default)
	if err != nil {
		return nil
	}
	n, err := codec.ParseNode(text)
	if err != nil {
		return nil
	}
	return &n
}

// check tells whether a value is of its type. The items of a list with keys must have one; two with the same key are an
// error unless duplicates are allowed.
func (t *kindType) check(n *codec.Node, duplicates bool) bool {
	switch t.of(n) {
	case asScalar:
		return scalarFits(t.scalar, n.Kind)
	case asList:
		return n.Kind == codec.NullNode || n.Kind == codec.ListNode && t.list.check(n.Items, duplicates)
	case asDict:
		if n.Kind != codec.ObjectNode {
			return n.Kind == codec.NullNode
		}
		for i := range n.Items {
			m, _ := t.dict.member(n.Items[i].Name)
			if m == nil || !m.check(&n.Items[i], duplicates) {
				return false
			}
		}
		return true
	}
	return false
}

func scalarFits(s smd.Scalar, k codec.NodeKind) bool {
	switch k {
	case codec.NullNode:
		return true
	case codec.FalseNode, codec.TrueNode:
		return s == smd.Boolean || s == smd.Untyped
	case codec.IntNode, codec.FloatNode:
		return s == smd.Numeric || s == smd.Untyped
	case codec.StringNode:
		return s == smd.String || s == smd.Untyped
	}
	return false
}

func (l *listType) check(items []codec.Node, duplicates bool) bool {
	if !l.atomic {
		var found identities
		for i := range items {
			id, ok := l.identity(&items[i])
			if !ok || found.add(id, len(items)) >= 0 && !duplicates {
				return false
			}
		}
	}
	for i := range items {
		if !l.elem.check(&items[i], duplicates) {
			return false
		}
	}
	return true
}
