package codec

// maxNesting bounds arrays and objects in JSON that is passed on as it is, as encoding/json bounds them.
const maxNesting = 10000

// checkJSON reports whether data is exactly one JSON value, with white space around it.
func checkJSON(data []byte) error {
	i, err := skipJSON(data, space(data, 0), 0)
	if err != nil {
		return err
	}
	if i = space(data, i); i != len(data) {
		return syntaxError(data, i, "after top-level value")
	}
	return nil
}

// space returns the index of the first byte from i on that is not white space.
func space(in []byte, i int) int {
	for i < len(in) && in[i] <= ' ' && (in[i] == ' ' || in[i] == '\n' || in[i] == '\r' || in[i] == '\t') {
		i++
	}
	return i
}

// skipJSON returns the index after the JSON value at in[i:], which it checks.
func skipJSON(in []byte, i, depth int) (int, error) {
	if depth > maxNesting {
		return i, &SyntaxError{msg: "exceeded max depth", Offset: int64(i)}
	}
	if i >= len(in) {
		return i, syntaxError(in, i, "")
	}
	switch c := in[i]; c {
	case '"':
		return skipString(in, i+1)
	case '{':
		return skipObject(in, i+1, depth)
	case '[':
		return skipArray(in, i+1, depth)
	case 't':
		return literal(in, i, "true")
	case 'f':
		return literal(in, i, "false")
	case 'n':
		return literal(in, i, "null")
	default:
		if c == '-' || c-'0' <= 9 {
			i, _, err := number(in, i)
			return i, err
		}
	}
	return i, syntaxError(in, i, "looking for beginning of value")
}

func skipObject(in []byte, i, depth int) (int, error) {
	if i = space(in, i); i < len(in) && in[i] == '}' {
		return i + 1, nil
	}
	for {
		var err error
		if i >= len(in) || in[i] != '"' {
			return i, syntaxError(in, i, "looking for beginning of object key string")
		}
		if i, err = skipString(in, i+1); err != nil {
			return i, err
		}
		if i = space(in, i); i >= len(in) || in[i] != ':' {
			return i, syntaxError(in, i, "after object key")
		}
		i = space(in, i+1)
		if i+1 < len(in) && in[i] == '{' && in[i+1] == '}' { // nearly every value in managed fields
			i += 2
		} else if i, err = skipJSON(in, i, depth+1); err != nil {
			return i, err
		}
		if i = space(in, i); i >= len(in) || in[i] != ',' {
			if i < len(in) && in[i] == '}' {
				return i + 1, nil
			}
			return i, syntaxError(in, i, "after object key:value pair")
		}
		i = space(in, i+1)
	}
}

func skipArray(in []byte, i, depth int) (int, error) {
	if i = space(in, i); i < len(in) && in[i] == ']' {
		return i + 1, nil
	}
	for {
		var err error
		if i, err = skipJSON(in, i, depth+1); err != nil {
			return i, err
		}
		if i = space(in, i); i >= len(in) || in[i] != ',' {
			if i < len(in) && in[i] == ']' {
				return i + 1, nil
			}
			return i, syntaxError(in, i, "after array element")
		}
		i = space(in, i+1)
	}
}

// skipString returns the index after the string whose first character is at in[i].
func skipString(in []byte, i int) (int, error) {
	for {
		n, _ := plainRun(in[i:])
		if i += n; i >= len(in) {
			return i, syntaxError(in, i, "")
		}
		switch in[i] {
		case '"':
			return i + 1, nil
		case '\\':
			n, err := escape(in, i)
			if err != nil {
				return i, err
			}
			i += n
		default:
			return i, syntaxError(in, i, "in string literal")
		}
	}
}

// escape checks the escape sequence at in[i:] and returns its length.
func escape(in []byte, i int) (int, error) {
	if i+1 >= len(in) {
		return 0, syntaxError(in, len(in), "")
	}
	switch in[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
		for j := i + 2; j < i+6; j++ {
			if j >= len(in) || hexValue(in[j]) < 0 {
				return 0, syntaxError(in, j, `in \u hexadecimal character escape`)
			}
		}
		return 6, nil
	}
	return 0, syntaxError(in, i+1, "in string escape code")
}

func hexValue(c byte) rune {
	switch {
	case c-'0' <= 9:
		return rune(c - '0')
	case c-'a' <= 5:
		return rune(c-'a') + 10
	case c-'A' <= 5:
		return rune(c-'A') + 10
	}
	return -1
}

// literal checks that word stands at in[i:] and returns the index after it.
func literal(in []byte, i int, word string) (int, error) {
	if len(in)-i >= len(word) && string(in[i:i+len(word)]) == word {
		return i + len(word), nil
	}
	for j := range len(word) {
		if i+j >= len(in) || in[i+j] != word[j] {
			return i, syntaxError(in, i+j, "in literal "+word+" (expecting '"+word[j:j+1]+"')")
		}
	}
	return i, nil
}

// number returns the index after the number at in[i:], and whether it has neither fraction nor exponent.
func number(in []byte, i int) (end int, integer bool, err error) {
	if in[i] == '-' {
		if i++; i >= len(in) || in[i]-'0' > 9 {
			return i, false, syntaxError(in, i, "in numeric literal")
		}
	}
	if in[i] == '0' {
		i++
	} else {
		i = digits(in, i)
	}
	integer = true
	if i < len(in) && in[i] == '.' {
		integer = false
		if i++; i >= len(in) || in[i]-'0' > 9 {
			return i, false, syntaxError(in, i, "after decimal point in numeric literal")
		}
		i = digits(in, i)
	}
	if i < len(in) && (in[i] == 'e' || in[i] == 'E') {
		integer = false
		if i++; i < len(in) && (in[i] == '+' || in[i] == '-') {
			i++
		}
		if i >= len(in) || in[i]-'0' > 9 {
			return i, false, syntaxError(in, i, "in exponent of numeric literal")
		}
		i = digits(in, i)
	}
	return i, integer, nil
}

func digits(in []byte, i int) int {
	for i < len(in) && in[i]-'0' <= 9 {
		i++
	}
	return i
}
