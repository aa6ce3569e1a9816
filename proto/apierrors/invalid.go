package apierrors

import (
	"strings"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

func cause(reason, field, message string) *metav1.StatusCause {
	return &metav1.StatusCause{Reason: reason, Message: message, Field: field}
}

// NewInvalid says which fields of an object are wrong. A cause's message is without its field's path: the status'
// message puts the two together, and lists all causes at once.
func NewInvalid(group, kind, name string, causes []*metav1.StatusCause) *StatusError {
	d := about(group, kind, name)
	d.Causes = causes
	message := qualify(group, kind) + ` "` + name + `" is invalid`
	if list := describe(causes); list != "" {
		message += ": " + list
	}
	return New(ReasonInvalid, message, d)
}

// describe writes causes as Kubernetes does: one stands alone, several are in brackets, the same one is said once.
func describe(causes []*metav1.StatusCause) string {
	seen := make(map[string]bool, len(causes))
	var all []string
	for _, c := range causes {
		s := c.GetMessage()
		if f := c.GetField(); f != "" {
			s = f + ": " + s
		}
		if !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	if len(all) == 0 {
		return ""
	}
	return "[" + strings.Join(all, ", ") + "]"
}
