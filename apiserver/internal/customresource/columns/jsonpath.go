// Package columns computes the cells that `kubectl get` shows of custom objects, from the JSONPaths of their definition.
package columns

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Path is a parsed JSONPath, as kubectl knows it: ".a.b", "['a.b']", "[0]", "[-1]", "[1:3]", "[*]", "..name", and filters
// such as `[?(@.type=="Ready")]`.
type Path struct{ steps []step }

// step goes from a value to some of those inside.
type step func(v any) []any

// maxResults bounds what one path finds: only the first is shown.
const maxResults = 10000

// Parse reads a JSONPath. The surrounding braces may be left out.
func Parse(text string) (*Path, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") {
		text = text[1 : len(text)-1]
	}
	p := &Path{}
	rest := strings.TrimPrefix(text, "$")
	for rest != "" {
		s, after, err := parseStep(rest)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		if s != nil {
			p.steps = append(p.steps, s)
		}
		rest = after
	}
	return p, nil
}

// Find returns the values to which the path leads, nothing where a part of it is missing.
func (p *Path) Find(v any) []any {
	found := []any{v}
	for _, s := range p.steps {
		var next []any
		for _, v := range found {
			next = append(next, s(v)...)
			if len(next) > maxResults {
				break
			}
		}
		if found = next; len(found) == 0 {
			return nil
		}
	}
	return found
}

func parseStep(rest string) (step, string, error) {
	switch {
	case strings.HasPrefix(rest, ".."):
		name, after := field(rest[2:])
		if name == "" {
			return nil, "", errors.New("two dots without a name")
		}
		return deep(name), after, nil
	case rest[0] == '.' && strings.HasPrefix(rest, ".["):
		return parseStep(rest[1:])
	case rest[0] == '.':
		name, after := field(rest[1:])
		switch name {
		case "":
			if after == "" {
				return nil, "", nil
			}
			return nil, "", fmt.Errorf("unexpected %q", after)
		case "*":
			return all, after, nil
		}
		return member(name), after, nil
	case rest[0] == '[':
		end := closing(rest)
		if end < 0 {
			return nil, "", errors.New("unterminated array")
		}
		s, err := bracket(strings.TrimSpace(rest[1:end]))
		return s, rest[end+1:], err
	}
	name, after := field(rest)
	if name == "" {
		return nil, "", fmt.Errorf("unrecognized character: %q", rest[:1])
	}
	return member(name), after, nil
}

// field reads a name up to the next step; a backslash takes a dot into it.
func field(s string) (name, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == '.' || s[i] == '[':
			return b.String(), s[i:]
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

// closing finds the bracket that ends the one at the start, past those in quotes and filters.
func closing(s string) int {
	depth := 0
	var quote byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '[':
			depth++
		case c == ']':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func bracket(s string) (step, error) {
	switch {
	case s == "*":
		return all, nil
	case strings.HasPrefix(s, "?(") && strings.HasSuffix(s, ")"):
		return filter(strings.TrimSpace(s[2 : len(s)-1]))
	case len(s) >= 2 && (s[0] == '\'' || s[0] == '"') && s[len(s)-1] == s[0] && !strings.ContainsRune(s[1:len(s)-1], rune(s[0])):
		return member(unquote(s)), nil
	case strings.Contains(s, ","):
		return union(strings.Split(s, ","))
	case strings.Contains(s, ":"):
		return slice(s)
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return nil, fmt.Errorf("invalid array index %s", s)
	}
	return index(n), nil
}

func unquote(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\"`, `"`, `\.`, `.`).Replace(s[1 : len(s)-1])
}

func member(name string) step {
	return func(v any) []any {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		if v, ok := m[name]; ok {
			return []any{v}
		}
		return nil
	}
}

func index(n int) step {
	return func(v any) []any {
		list, ok := v.([]any)
		i := n
		if i < 0 {
			i += len(list)
		}
		if !ok || i < 0 || i >= len(list) {
			return nil
		}
		return []any{list[i]}
	}
}

func all(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case map[string]any:
		out := make([]any, 0, len(v))
		for _, k := range sorted(v) {
			out = append(out, v[k])
		}
		return out
	}
	return nil
}

func deep(name string) step {
	return func(v any) []any {
		var out []any
		var walk func(any)
		walk = func(v any) {
			if m, ok := v.(map[string]any); ok {
				if found, ok := m[name]; ok {
					out = append(out, found)
				}
			}
			if len(out) > maxResults {
				return
			}
			for _, e := range all(v) {
				walk(e)
			}
		}
		walk(v)
		return out
	}
}

func union(parts []string) (step, error) {
	var steps []step
	for _, p := range parts {
		s, err := bracket(strings.TrimSpace(p))
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return func(v any) []any {
		var out []any
		for _, s := range steps {
			out = append(out, s(v)...)
		}
		return out
	}, nil
}

func slice(s string) (step, error) {
	parts := strings.Split(s, ":")
	if len(parts) > 3 {
		return nil, fmt.Errorf("invalid array index %s", s)
	}
	var n [3]*int
	for i, p := range parts {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		v, err := strconv.Atoi(p)
		if err != nil {
			return nil, fmt.Errorf("invalid array index %s", s)
		}
		n[i] = &v
	}
	return func(v any) []any {
		list, ok := v.([]any)
		if !ok {
			return nil
		}
		at := func(p *int, none int) int {
			if p == nil {
				return none
			}
			i := *p
			if i < 0 {
				i += len(list)
			}
			return max(0, min(i, len(list)))
		}
		by := 1
		if n[2] != nil && *n[2] > 0 {
			by = *n[2]
		}
		var out []any
		for i := at(n[0], 0); i < at(n[1], len(list)); i += by {
			out = append(out, list[i])
		}
		return out
	}, nil
}
