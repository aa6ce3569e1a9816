// Package podspec turns a pod of the API into what a runtime needs: it resolves references, expands variables, merges
// security contexts and renders the files that Kubernetes promises in every container. It changes nothing on the node.
package podspec

import "strings"

// Expand replaces $(NAME) by the variable's value. $$ is a literal $; a name that lookup doesn't know stays as it is.
func Expand(s string, lookup func(string) (string, bool)) string {
	if !strings.Contains(s, "$") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		switch s[i+1] {
		case '$':
			b.WriteByte('$')
			i++
		case '(':
			end := strings.IndexByte(s[i:], ')')
			if end < 0 {
				b.WriteString("$(")
				i++
				continue
			}
			if value, ok := lookup(s[i+2 : i+end]); ok {
				b.WriteString(value)
			} else {
				b.WriteString(s[i : i+end+1])
			}
			i += end
		default:
			b.WriteByte('$')
		}
	}
	return b.String()
}
