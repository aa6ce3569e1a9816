package codec

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unsafe"
)

// Node is a JSON value of a document that was read once and is walked several times: what ParseTree gives, in a fraction
// of the memory. Nodes are not changed, so that documents can share parts.
type Node struct {
	Kind NodeKind
	// Name is the key of a member of an object.
	Name string
	// Text is a string without its escapes, or a number's digits.
	Text string
	// Items are those of a list, or an object's members by name, each name once.
	Items []Node
}

// NodeKind is the type of a JSON value. Numbers without fraction and exponent that fit 64 bits are Int.
type NodeKind uint8

// Kinds of nodes.
const (
	NullNode NodeKind = iota
	FalseNode
	TrueNode
	IntNode
	FloatNode
	StringNode
	ListNode
	ObjectNode
)

// Member returns an object's member; nil where there is none.
func (n *Node) Member(name string) *Node {
	if n == nil || n.Kind != ObjectNode {
		return nil
	}
	i, ok := slices.BinarySearchFunc(n.Items, name, func(m Node, name string) int { return strings.Compare(m.Name, name) })
	if !ok {
		return nil
	}
	return &n.Items[i]
}

// String returns a string's text; empty for everything else.
func (n *Node) String() string {
	if n == nil || n.Kind != StringNode {
		return ""
	}
	return n.Text
}

// Int returns the value of an Int.
func (n *Node) Int() int64 {
	v, _ := strconv.ParseInt(n.Text, 10, 64)
	return v
}

// Float returns the value of a number.
func (n *Node) Float() float64 {
	v, _ := strconv.ParseFloat(n.Text, 64)
	return v
}

// Tree returns the value as ParseTree does; it shares no memory with the document.
func (n *Node) Tree() any {
	switch n.Kind {
	case FalseNode, TrueNode:
		return n.Kind == TrueNode
	case IntNode:
		return n.Int()
	case FloatNode:
		return n.Float()
	case StringNode:
		return strings.Clone(n.Text)
	case ListNode:
		list := make([]any, len(n.Items))
		for i := range n.Items {
			list[i] = n.Items[i].Tree()
		}
		return list
	case ObjectNode:
		m := make(map[string]any, len(n.Items))
		for i := range n.Items {
			m[strings.Clone(n.Items[i].Name)] = n.Items[i].Tree()
		}
		return m
	}
	return nil
}

// Nodes is the memory of nodes. It can be used again once all nodes that came from it are forgotten.
type Nodes struct {
	// open are the items of what is not read to its end yet.
	open []Node
	// pieces hold the items of each list and object next to each other; the last one has room.
	pieces [][]Node
	// repeats is set by an object with a key twice.
	repeats bool
}

// Sizes of pieces, in nodes of 64 bytes. What exceeds maxKept is not kept for later documents.
const (
	minPiece = 64
	maxPiece = 4096
	maxKept  = 4096
)

// Make returns n empty nodes.
func (m *Nodes) Make(n int) []Node {
	last := len(m.pieces) - 1
	if last < 0 || cap(m.pieces[last])-len(m.pieces[last]) < n {
		size := minPiece
		if last >= 0 {
			size = max(size, min(2*cap(m.pieces[last]), maxPiece))
		}
		m.pieces = append(m.pieces, make([]Node, 0, max(size, n)))
		last++
	}
	start := len(m.pieces[last])
	m.pieces[last] = m.pieces[last][:start+n]
	return m.pieces[last][start : start+n : start+n]
}

// Reset forgets all nodes. The largest piece is kept for others.
func (m *Nodes) Reset() {
	if len(m.pieces) > 0 {
		last := m.pieces[len(m.pieces)-1]
		clear(m.pieces)
		if m.pieces = m.pieces[:0]; cap(last) <= maxKept {
			clear(last)
			m.pieces = append(m.pieces, last[:0])
		}
	}
	if cap(m.open) > maxKept {
		m.open = nil
	}
	clear(m.open[:cap(m.open)])
	m.open = m.open[:0]
}

// ParseNode reads any JSON document, of which ParseTree would make a tree. The nodes refer to json, which must not change
// for as long as they are used.
func ParseNode(json []byte) (Node, error) { return new(Nodes).Parse(json) }

// Repeats tells whether an object of the document that was parsed last has a key twice.
func (m *Nodes) Repeats() bool { return m.repeats }

// Parse is ParseNode with memory for the nodes.
func (m *Nodes) Parse(json []byte) (Node, error) {
	p := parsers.Get().(*parser)
	defer p.free()
	p.in, p.i = json, 0
	p.space()
	if len(m.pieces) == 0 {
		// JSON of the API has a value for each 12 to 25 bytes.
		m.pieces = append(m.pieces, make([]Node, 0, min(len(json)/12+4, maxPiece)))
	}
	m.repeats = false
	b := nodeBuilder{parser: p, Nodes: m}
	n, err := b.value(0)
	b.open = b.open[:0]
	if err != nil {
		return Node{}, err
	}
	if p.space(); p.i < len(p.in) {
		return Node{}, p.syntax("after top-level value")
	}
	return n, nil
}

type nodeBuilder struct {
	*parser
	*Nodes
}

func (b *nodeBuilder) value(depth int) (Node, error) {
	p := b.parser
	if depth > maxNesting {
		return Node{}, &SyntaxError{msg: "exceeded max depth", Offset: int64(p.i)}
	}
	switch c := p.peek(); c {
	case '"':
		s, err := b.text()
		return Node{Kind: StringNode, Text: s}, err
	case '{':
		p.i++
		return b.object(depth)
	case '[':
		p.i++
		return b.list(depth)
	case 't':
		i, err := literal(p.in, p.i, "true")
		p.i = i
		return Node{Kind: TrueNode}, err
	case 'f':
		i, err := literal(p.in, p.i, "false")
		p.i = i
		return Node{Kind: FalseNode}, err
	case 'n':
		return Node{}, p.null()
	default:
		if c != '-' && c-'0' > 9 {
			return Node{}, p.syntax("looking for beginning of value")
		}
		return b.number()
	}
}

// text reads a string, at whose quote the parser stands.
func (b *nodeBuilder) text() (string, error) {
	b.i++
	s, err := b.string()
	if err != nil || len(s) == 0 {
		return "", err
	}
	s = b.stable(s)
	return unsafe.String(&s[0], len(s)), nil
}

func (b *nodeBuilder) number() (Node, error) {
	p := b.parser
	end, whole, err := number(p.in, p.i)
	if err != nil {
		return Node{}, err
	}
	text := unsafe.String(&p.in[p.i], end-p.i)
	p.i = end
	if whole {
		if len(text) < 19 || fits(text) {
			if text == "-0" {
				text = "0"
			}
			return Node{Kind: IntNode, Text: text}, nil
		}
	}
	if _, err := strconv.ParseFloat(text, 64); err != nil {
		return Node{}, &TypeError{Value: "number " + strings.Clone(text), Type: "float64"}
	}
	return Node{Kind: FloatNode, Text: text}, nil
}

func fits(number string) bool {
	_, err := strconv.ParseInt(number, 10, 64)
	return err == nil
}

func (b *nodeBuilder) object(depth int) (Node, error) {
	p, base := b.parser, len(b.open)
	sorted := true
	if p.space(); p.peek() == '}' {
		p.i++
		return Node{Kind: ObjectNode}, nil
	}
	for {
		if p.peek() != '"' {
			return Node{}, p.syntax("looking for beginning of object key string")
		}
		name, err := b.text()
		if err != nil {
			return Node{}, err
		}
		if p.space(); p.peek() != ':' {
			return Node{}, p.syntax("after object key")
		}
		p.i++
		p.space()
		n, err := b.value(depth + 1)
		if err != nil {
			return Node{}, err
		}
		n.Name = name
		sorted = sorted && (len(b.open) == base || b.open[len(b.open)-1].Name < name)
		b.open = append(b.open, n)
		p.space()
		switch p.peek() {
		case ',':
			p.i++
			p.space()
		case '}':
			p.i++
			if !sorted {
				b.sort(base)
			}
			return Node{Kind: ObjectNode, Items: b.close(base)}, nil
		default:
			return Node{}, p.syntax("after object key:value pair")
		}
	}
}

// sort orders members by name. Of several with one name the last one counts.
func (b *nodeBuilder) sort(base int) {
	members := b.open[base:]
	slices.SortStableFunc(members, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	kept := members[:1]
	for _, m := range members[1:] {
		if last := len(kept) - 1; kept[last].Name == m.Name {
			kept[last] = m
			b.repeats = true
		} else {
			kept = append(kept, m)
		}
	}
	b.open = b.open[:base+len(kept)]
}

func (b *nodeBuilder) list(depth int) (Node, error) {
	p, base := b.parser, len(b.open)
	if p.space(); p.peek() == ']' {
		p.i++
		return Node{Kind: ListNode}, nil
	}
	for {
		n, err := b.value(depth + 1)
		if err != nil {
			return Node{}, err
		}
		b.open = append(b.open, n)
		p.space()
		switch p.peek() {
		case ',':
			p.i++
			p.space()
		case ']':
			p.i++
			return Node{Kind: ListNode, Items: b.close(base)}, nil
		default:
			return Node{}, p.syntax("after array element")
		}
	}
}

// close moves the items from base on to where they stay.
func (b *nodeBuilder) close(base int) []Node {
	items := b.Make(len(b.open) - base)
	copy(items, b.open[base:])
	b.open = b.open[:base]
	return items
}

// AppendNode appends the JSON of a node: the bytes that AppendTree makes of its tree.
func AppendNode(dst []byte, n *Node) ([]byte, error) {
	var err error
	switch n.Kind {
	case FalseNode, TrueNode:
		return strconv.AppendBool(dst, n.Kind == TrueNode), nil
	case IntNode:
		return append(dst, n.Text...), nil
	case FloatNode:
		return appendFloat(dst, n.Float(), 64)
	case StringNode:
		return appendString(dst, unsafeBytes(n.Text)), nil
	case ListNode:
		dst = append(dst, '[')
		for i := range n.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = AppendNode(dst, &n.Items[i]); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case ObjectNode:
		dst = append(dst, '{')
		for i := range n.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, unsafeBytes(n.Items[i].Name)), ':')
			if dst, err = AppendNode(dst, &n.Items[i]); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
	return append(dst, "null"...), nil
}

// Same tells at little cost that two nodes are one and the same value; not all equal ones are.
func (n *Node) Same(o *Node) bool {
	switch {
	case n.Kind != o.Kind:
		return false
	case n.Kind == ListNode || n.Kind == ObjectNode:
		return len(n.Items) == len(o.Items) && unsafe.SliceData(n.Items) == unsafe.SliceData(o.Items)
	}
	return n.Text == o.Text
}

// Equal tells whether two nodes have the same value. Numbers are compared by value, whatever their form.
func (n *Node) Equal(o *Node) bool {
	if n.Kind != o.Kind {
		return n.numeric() && o.numeric() && n.Float() == o.Float()
	}
	switch n.Kind {
	case FloatNode:
		return n.Text == o.Text || n.Float() == o.Float()
	case ListNode, ObjectNode:
		if n.Same(o) {
			return true
		}
		if len(n.Items) != len(o.Items) {
			return false
		}
		for i := range n.Items {
			if a, b := &n.Items[i], &o.Items[i]; a.Name != b.Name || !a.Equal(b) {
				return false
			}
		}
		return true
	}
	return n.Text == o.Text
}

// Compare orders nodes of whatever kinds: numbers, strings, bools, lists, objects, null.
func (n *Node) Compare(o *Node) int {
	switch {
	case n.Kind == IntNode && o.Kind == IntNode:
		return cmp.Compare(n.Int(), o.Int())
	case n.numeric() && o.numeric():
		return cmp.Compare(n.Float(), o.Float())
	case n.rank() != o.rank():
		return cmp.Compare(n.rank(), o.rank())
	case n.Kind == StringNode:
		return strings.Compare(n.Text, o.Text)
	case n.Kind == FalseNode, n.Kind == TrueNode:
		return cmp.Compare(n.Kind, o.Kind)
	}
	a, _ := AppendNode(nil, n)
	b, _ := AppendNode(nil, o)
	return bytes.Compare(a, b)
}

func (n *Node) numeric() bool { return n.Kind == IntNode || n.Kind == FloatNode }

func (n *Node) rank() int {
	switch n.Kind {
	case IntNode, FloatNode:
		return 0
	case StringNode:
		return 1
	case FalseNode, TrueNode:
		return 2
	case ListNode:
		return 3
	case ObjectNode:
		return 4
	}
	return 5
}
