package cel

import "strings"

// reserved words of CEL cannot be names of fields; "namespace" is the one that hurts.
var reserved = map[string]bool{
	"true": true, "false": true, "null": true, "in": true, "as": true, "break": true, "const": true, "continue": true, "else": true,
	"for": true, "function": true, "if": true, "import": true, "let": true, "loop": true, "package": true, "namespace": true,
	"return": true, "var": true, "void": true, "while": true,
}

var (
	escapes   = strings.NewReplacer("__", "__underscores__", ".", "__dot__", "-", "__dash__", "/", "__slash__")
	sequences = map[string]string{"underscores": "__", "dot": ".", "dash": "-", "slash": "/"}
)

// Escape returns the name by which expressions know a field: "namespace" is __namespace__, "a-b" is a__dash__b. ok is
// false for names that expressions cannot name.
func Escape(name string) (escaped string, ok bool) {
	if name == "" || '0' <= name[0] && name[0] <= '9' {
		return "", false
	}
	if reserved[name] {
		return "__" + name + "__", true
	}
	special := false
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '_':
			special = special || i > 0 && name[i-1] == '_'
		case c == '.', c == '-', c == '/':
			special = true
		default:
			return "", false
		}
	}
	if special {
		return escapes.Replace(name), true
	}
	return name, true
}

// Unescape is the inverse of Escape; ok is false for names with sequences that Escape does not write.
func Unescape(escaped string) (name string, ok bool) {
	if !strings.Contains(escaped, "__") {
		return escaped, true
	}
	var b strings.Builder
	for rest := escaped; ; {
		before, after, found := strings.Cut(rest, "__")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		word, next, closed := strings.Cut(after, "__")
		switch s, known := sequences[word]; {
		case !closed:
			// A pair of underscores without an end is only itself.
			b.WriteString("__" + after)
			return b.String(), true
		case known:
			b.WriteString(s)
		case reserved[word] && len(escaped) == len(word)+4:
			return word, true
		default:
			return "", false
		}
		rest = next
	}
}
