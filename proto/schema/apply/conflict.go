package apply

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// causeConflict is the reason of the causes of an apply conflict.
const causeConflict = "FieldManagerConflict"

// conflict is a field that another manager owns and that gets another value.
type conflict struct {
	manager manager
	path    fieldpath.Path
}

type conflicts []conflict

func (c *conflicts) add(m manager, set *fieldpath.Set) {
	set.Iterate(func(p fieldpath.Path) { *c = append(*c, conflict{m, p.Copy()}) })
}

// error words conflicts as Kubernetes does: clients show the message as it is.
func (c conflicts) error() error {
	slices.SortStableFunc(c, func(a, b conflict) int { return a.manager.compare(b.manager) })
	var causes []*metav1.StatusCause
	var lines []string
	for i, x := range c {
		who := x.manager.describe()
		causes = append(causes, &metav1.StatusCause{Reason: causeConflict, Message: "conflict with " + who, Field: x.path.String()})
		if i == 0 || c[i-1].manager != x.manager {
			lines = append(lines, fmt.Sprintf("conflicts with %s:", who))
		}
		lines = append(lines, "- "+x.path.String())
	}
	if len(c) == 1 {
		return apierrors.NewApplyConflict(causes, fmt.Sprintf("Apply failed with 1 conflict: conflict with %s: %s",
			c[0].manager.describe(), c[0].path))
	}
	return apierrors.NewApplyConflict(causes, fmt.Sprintf("Apply failed with %d conflicts: %s", len(c), strings.Join(lines, "\n")))
}

func (m manager) compare(o manager) int {
	return cmp.Or(strings.Compare(m.name, o.name), strings.Compare(m.operation, o.operation), strings.Compare(m.apiVersion, o.apiVersion),
		strings.Compare(m.subresource, o.subresource))
}

func (m manager) describe() string {
	s := fmt.Sprintf("%q", m.name)
	if m.subresource != "" {
		s = fmt.Sprintf("%s with subresource %q", s, m.subresource)
	}
	if m.operation == OperationUpdate {
		s += " using " + m.apiVersion
		// Kubernetes leaves the time out of the identity of a manager, so that its message has none either.
	}
	return s
}
