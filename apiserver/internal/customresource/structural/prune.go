package structural

import "strconv"

// Prune drops from the body of an object what the root schema does not know, and tells where it stood. dropped may be nil.
func (s *Schema) Prune(body map[string]any, dropped func(path string)) {
	p := pruner{dropped: dropped}
	if s == nil {
		return
	}
	p.value(body, s, true)
}

// pruner drops unknown fields. The path is kept only where somebody asks for it.
type pruner struct {
	dropped func(path string)
	path    []string
}

func (p *pruner) value(v any, s *Schema, root bool) {
	switch v := v.(type) {
	case map[string]any:
		p.object(v, s, root)
	case []any:
		var items *Schema
		if s != nil {
			items = s.Items
			if items == nil && s.PreserveUnknown {
				return
			}
		}
		for i, e := range v {
			if p.dropped != nil {
				p.path = append(p.path, "["+strconv.Itoa(i)+"]")
			}
			p.value(e, items, false)
			p.pop()
		}
	}
}

func (p *pruner) object(m map[string]any, s *Schema, root bool) {
	keep := s != nil && s.PreserveUnknown
	for name, v := range m {
		if s != nil && (s.Embedded || root) && (name == "apiVersion" || name == "kind" || name == "metadata") {
			continue
		}
		p.push(name)
		switch sub := s.Child(name); {
		case sub != nil:
			p.value(v, sub, false)
		case s != nil && s.AnyAdditional && !keep:
			p.value(v, nil, false)
		case !keep:
			if p.dropped != nil {
				p.dropped(p.join())
			}
			delete(m, name)
		}
		p.pop()
	}
}

func (p *pruner) push(name string) {
	if p.dropped != nil {
		p.path = append(p.path, name)
	}
}

func (p *pruner) pop() {
	if p.dropped != nil {
		p.path = p.path[:len(p.path)-1]
	}
}

func (p *pruner) join() string {
	out := ""
	for i, s := range p.path {
		if i > 0 && s[0] != '[' {
			out += "."
		}
		out += s
	}
	return out
}

// PruneValue is Prune for a value that need not be an object, such as a default.
func (s *Schema) PruneValue(v any, dropped func(path string)) {
	p := pruner{dropped: dropped}
	p.value(v, s, false)
}
