package selector

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// ParseLabels reads a label selector: "app=web,tier in (a,b),!canary,env!=dev,gen>3".
func ParseLabels(s string) (Labels, error) {
	p := &parser{s: s}
	p.scan()
	var out Labels
	for p.tok != end {
		r, err := p.requirement()
		if err != nil {
			return nil, fmt.Errorf("unable to parse requirement: %w", err)
		}
		out = append(out, r)
		switch p.tok {
		case end:
		case comma:
			p.scan()
			if p.tok != word && p.tok != not {
				return nil, fmt.Errorf("unable to parse requirement: found '%s', expected: identifier after ','", p.lit)
			}
		default:
			return nil, fmt.Errorf("unable to parse requirement: found '%s', expected: ',' or 'end of string'", p.lit)
		}
	}
	return out, nil
}

type token uint8

const (
	end token = iota
	word
	comma
	open
	shut
	equal
	unequal
	not
	greater
	less
)

type parser struct {
	s   string
	at  int
	tok token
	lit string
}

func special(b byte) bool { return strings.IndexByte("=!(),><", b) >= 0 }

func space(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

// scan reads the next token.
func (p *parser) scan() {
	for p.at < len(p.s) && space(p.s[p.at]) {
		p.at++
	}
	start := p.at
	if p.at == len(p.s) {
		p.tok, p.lit = end, ""
		return
	}
	if !special(p.s[p.at]) {
		for p.at < len(p.s) && !special(p.s[p.at]) && !space(p.s[p.at]) {
			p.at++
		}
		p.tok, p.lit = word, p.s[start:p.at]
		return
	}
	p.at++
	switch p.s[start] {
	case '=':
		p.tok = equal
		if p.at < len(p.s) && p.s[p.at] == '=' {
			p.at++
		}
	case '!':
		p.tok = not
		if p.at < len(p.s) && p.s[p.at] == '=' {
			p.at++
			p.tok = unequal
		}
	case '(':
		p.tok = open
	case ')':
		p.tok = shut
	case ',':
		p.tok = comma
	case '>':
		p.tok = greater
	case '<':
		p.tok = less
	}
	p.lit = p.s[start:p.at]
}

func (p *parser) requirement() (Requirement, error) {
	var r Requirement
	if p.tok == not {
		r.Operator = Absent
		p.scan()
	}
	if p.tok != word {
		return r, fmt.Errorf("found '%s', expected: identifier", p.lit)
	}
	r.Key = p.lit
	for _, msg := range validation.IsQualifiedName(r.Key) {
		return r, fmt.Errorf("key: Invalid value: %q: %s", r.Key, msg)
	}
	p.scan()
	if r.Operator == Absent {
		return r, nil
	}
	switch p.tok {
	case end, comma:
		r.Operator = Exists
		return r, nil
	case equal, unequal:
		r.Operator = In
		if p.tok == unequal {
			r.Operator = NotIn
		}
		p.scan()
		r.Values = []string{p.value()}
	case greater, less:
		r.Operator = GreaterThan
		if p.tok == less {
			r.Operator = LessThan
		}
		p.scan()
		r.Values = []string{p.value()}
		n, err := strconv.ParseInt(r.Values[0], 10, 64)
		if err != nil {
			return r, fmt.Errorf("values[0]: Invalid value: %q: for 'Gt', 'Lt' operators, the value must be an integer", r.Values[0])
		}
		r.number = n
	case word:
		switch p.lit {
		case "in":
			r.Operator = In
		case "notin":
			r.Operator = NotIn
		default:
			return r, fmt.Errorf("found '%s', expected: in, notin, =, ==, !=, gt, lt", p.lit)
		}
		p.scan()
		if err := p.set(&r); err != nil {
			return r, err
		}
	default:
		return r, fmt.Errorf("found '%s', expected: in, notin, =, ==, !=, gt, lt", p.lit)
	}
	for i, v := range r.Values {
		for _, msg := range validation.IsValidLabelValue(v) {
			return r, fmt.Errorf("values[%d][%s]: Invalid value: %q: %s", i, r.Key, v, msg)
		}
	}
	return r, nil
}

// value reads the value after an operator; it may be missing, which is the empty value.
func (p *parser) value() string {
	if p.tok != word {
		return ""
	}
	v := p.lit
	p.scan()
	return v
}

func (p *parser) set(r *Requirement) error {
	if p.tok != open {
		return fmt.Errorf("found '%s' expected: '('", p.lit)
	}
	p.scan()
	for {
		r.Values = append(r.Values, p.value())
		switch p.tok {
		case comma:
			p.scan()
		case shut:
			p.scan()
			slices.Sort(r.Values)
			return nil
		default:
			return fmt.Errorf("found '%s', expected: ',' or ')'", p.lit)
		}
	}
}
