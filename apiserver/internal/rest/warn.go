package rest

import (
	"net/http"
	"slices"
	"strings"
)

// Bounds of the warnings of an answer: clients and proxies refuse a header that is too long.
const (
	// maxWarnings bounds their bytes together.
	maxWarnings = 4 << 10
	// maxWarning is how many characters each keeps where they are more than that together.
	maxWarning = 256
)

// warn adds a Warning header for each message that is not there yet: `299 - "unknown field \"spec.foo\""`.
func warn(w http.ResponseWriter, messages []string) {
	if len(messages) == 0 {
		return
	}
	all := w.Header().Values("Warning")
	size := 0
	for _, v := range all {
		size += len(v)
	}
	for _, m := range messages {
		if m == "" {
			continue
		}
		if v := `299 - ` + quote(m); !slices.Contains(all, v) {
			all = append(all, v)
			size += len(v)
		}
	}
	if size > maxWarnings {
		all = shorter(all)
	}
	w.Header()["Warning"] = all
}

// shorter cuts warnings off, and leaves out those that there is no room for even so.
func shorter(all []string) []string {
	out, left := make([]string, 0, len(all)), maxWarnings
	for _, v := range all {
		if text := []rune(v); len(text) > maxWarning {
			v = strings.TrimSuffix(string(text[:maxWarning]), `\`) + `"`
		}
		if left -= len(v); left < 0 {
			break
		}
		out = append(out, v)
	}
	return out
}

// quote writes an HTTP quoted-string; line breaks and other control characters become spaces.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c == 0x7f:
			b.WriteByte(' ')
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
