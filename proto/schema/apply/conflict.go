package apply

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/merge"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// causeConflict is the reason of the causes of an apply conflict.
const causeConflict = "FieldManagerConflict"

// conflict words conflicts as Kubernetes does: clients show the message as it is.
func (a *applier) conflict(conflicts merge.Conflicts) error {
	var causes []*metav1.StatusCause
	byManager := map[string][]string{}
	var managers []string
	for _, c := range conflicts {
		who := a.describe(c.Manager)
		causes = append(causes, &metav1.StatusCause{Reason: causeConflict, Message: "conflict with " + who, Field: c.Path.String()})
		if byManager[c.Manager] == nil {
			managers = append(managers, c.Manager)
		}
		byManager[c.Manager] = append(byManager[c.Manager], c.Path.String())
	}
	if len(conflicts) == 1 {
		return apierrors.NewApplyConflict(causes, fmt.Sprintf("Apply failed with 1 conflict: conflict with %s: %s",
			a.describe(conflicts[0].Manager), conflicts[0].Path))
	}
	slices.Sort(managers)
	var lines []string
	for _, m := range managers {
		lines = append(lines, fmt.Sprintf("conflicts with %s:", a.describe(m)))
		for _, p := range byManager[m] {
			lines = append(lines, "- "+p)
		}
	}
	return apierrors.NewApplyConflict(causes, fmt.Sprintf("Apply failed with %d conflicts: %s", len(conflicts), strings.Join(lines, "\n")))
}

func (a *applier) describe(key string) string {
	m := a.names[key]
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
