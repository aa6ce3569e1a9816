package codec

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string after its opening quote. The result is valid until the next call, and is valid UTF-8.
func (p *parser) string() ([]byte, error) {
	rest := p.in[p.i:]
	n, wide := plainRun(rest)
	if n < len(rest) && rest[n] == '"' && (!wide || utf8.Valid(rest[:n])) {
		p.i += n + 1
		return rest[:n:n], nil
	}
	return p.escapedString()
}

// escapedString is string's slow path: escapes, bytes that are not UTF-8, and errors.
func (p *parser) escapedString() ([]byte, error) {
	s := p.scratch[:0]
	for {
		rest := p.in[p.i:]
		n, _ := plainRun(rest)
		s = appendValid(s, rest[:n])
		p.i += n
		if n == len(rest) {
			return nil, p.syntax("in string literal")
		}
		switch rest[n] {
		case '"':
			p.i++
			p.scratch = s
			return s, nil
		case '\\':
			size, err := escape(p.in, p.i)
			if err != nil {
				return nil, err
			}
			if size == 6 {
				r := p.hexRune(p.i)
				if utf16.IsSurrogate(r) {
					if r = utf16.DecodeRune(r, p.nextHexRune(p.i+6)); r != utf8.RuneError {
						size = 12
					}
				}
				s = utf8.AppendRune(s, r)
			} else {
				s = append(s, unescaped(p.in[p.i+1]))
			}
			p.i += size
		default:
			return nil, p.syntax("in string literal")
		}
	}
}

// stable returns a string that string gave in a form that outlives the next call: most are slices of the input.
func (p *parser) stable(s []byte) []byte {
	if len(s) > 0 && cap(p.scratch) > 0 && &s[0] == &p.scratch[:1][0] {
		return bytes.Clone(s)
	}
	return s
}

// unescaped is the character that a one-letter escape stands for.
func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// hexRune reads the four digits of the \u escape at p.in[i:], which has been checked.
func (p *parser) hexRune(i int) rune {
	var r rune
	for _, c := range p.in[i+2 : i+6] {
		r = r<<4 | hexValue(c)
	}
	return r
}

// nextHexRune is hexRune where there may be no \u escape: the result is then no surrogate.
func (p *parser) nextHexRune(i int) rune {
	if i+1 < len(p.in) && p.in[i] == '\\' && p.in[i+1] == 'u' {
		if size, err := escape(p.in, i); err == nil && size == 6 {
			return p.hexRune(i)
		}
	}
	return utf8.RuneError
}
