package table

import (
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1 "github.com/keelson/keelson/proto/gen/keelson/coordination/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	eventsv1 "github.com/keelson/keelson/proto/gen/keelson/events/v1"
	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
)

var (
	_ = register(nodeCells, "metadata.labels", "spec.unschedulable", "status.addresses", "status.conditions.type", "status.conditions.status",
		"status.nodeInfo")
	_ = register(configMapCells, "data.", "binaryData.")
	_ = register(secretCells, "type", "data.")
	_ = register(leaseCells, "spec.holderIdentity")
	_ = register(roleCells, "metadata.creationTimestamp")
	_ = register(clusterRoleCells, "metadata.creationTimestamp")
	_ = register(roleBindingCells, "roleRef", "subjects")
	_ = register(clusterRoleBindingCells, "roleRef", "subjects")
	_ = register(eventCells, "involvedObject.kind", "involvedObject.name", "involvedObject.fieldPath", "reason", "message", "type",
		"source", "firstTimestamp", "lastTimestamp", "count", "eventTime", "series", "reportingComponent", "reportingInstance")
	_ = register(newEventCells, "regarding.kind", "regarding.name", "regarding.fieldPath", "reason", "note", "type",
		"deprecatedSource", "deprecatedFirstTimestamp", "deprecatedLastTimestamp", "deprecatedCount", "eventTime", "series",
		"reportingController", "reportingInstance")
)

func nodeCells(n *corev1.Node, now time.Time) []any {
	status := "Unknown"
	for _, c := range n.GetStatus().GetConditions() {
		if c.Type == "Ready" {
			status = "NotReady"
			if c.Status == "True" {
				status = "Ready"
			}
		}
	}
	if n.GetSpec().GetUnschedulable() {
		status += ",SchedulingDisabled"
	}
	var roles []string
	for k, v := range n.GetMetadata().GetLabels() {
		role, ok := strings.CutPrefix(k, "node-role.kubernetes.io/")
		if !ok {
			role = "" // CutPrefix returned the label
			if k == "kubernetes.io/role" {
				role = v
			}
		}
		if role != "" && !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	slices.Sort(roles)
	address := func(kind string) string {
		for _, a := range n.GetStatus().GetAddresses() {
			if a.Type == kind {
				return a.Address
			}
		}
		return none
	}
	info := n.GetStatus().GetNodeInfo()
	kernel := or(info.GetKernelVersion(), unknown)
	if a := info.GetArchitecture(); a != "" {
		kernel += " (" + a + ")"
	}
	return []any{status, or(strings.Join(roles, ","), none), created(n.Metadata, now), info.GetKubeletVersion(), address("InternalIP"),
		address("ExternalIP"), or(info.GetOsImage(), unknown), kernel, or(info.GetContainerRuntimeVersion(), unknown)}
}

func configMapCells(c *corev1.ConfigMap, now time.Time) []any {
	return []any{int64(len(c.Data) + len(c.BinaryData)), created(c.Metadata, now)}
}

func secretCells(s *corev1.Secret, now time.Time) []any {
	return []any{s.Type, int64(len(s.Data)), created(s.Metadata, now)}
}

func leaseCells(l *coordinationv1.Lease, now time.Time) []any {
	return []any{l.GetSpec().GetHolderIdentity(), created(l.Metadata, now)}
}

func roleCells(r *rbacv1.Role, _ time.Time) []any {
	return []any{date(r.Metadata.GetCreationTimestamp().GetSeconds())}
}

func clusterRoleCells(r *rbacv1.ClusterRole, _ time.Time) []any {
	return []any{date(r.Metadata.GetCreationTimestamp().GetSeconds())}
}

func date(seconds int64) string {
	if seconds == 0 {
		return unknown
	}
	return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
}

func roleBindingCells(b *rbacv1.RoleBinding, now time.Time) []any {
	return bindingCells(b.RoleRef, b.Subjects, created(b.Metadata, now))
}

func clusterRoleBindingCells(b *rbacv1.ClusterRoleBinding, now time.Time) []any {
	return bindingCells(b.RoleRef, b.Subjects, created(b.Metadata, now))
}

func bindingCells(ref *rbacv1.RoleRef, subjects []*rbacv1.Subject, age string) []any {
	var users, groups, accounts []string
	for _, s := range subjects {
		switch s.Kind {
		case "User":
			users = append(users, s.Name)
		case "Group":
			groups = append(groups, s.Name)
		case "ServiceAccount":
			accounts = append(accounts, s.Namespace+"/"+s.Name)
		}
	}
	return []any{fmt.Sprintf("%s/%s", ref.GetKind(), ref.GetName()), age, strings.Join(users, ", "), strings.Join(groups, ", "),
		strings.Join(accounts, ", ")}
}

func eventCells(e *corev1.Event, now time.Time) []any {
	first := age(e.FirstTimestamp, now)
	if e.FirstTimestamp.GetSeconds() == 0 {
		first = microAge(e.EventTime, now)
	}
	last, count := first, int64(e.Count)
	if e.LastTimestamp.GetSeconds() != 0 {
		last = age(e.LastTimestamp, now)
	}
	if s := e.Series; s != nil {
		last, count = microAge(s.LastObservedTime, now), int64(s.Count)
	} else if count == 0 {
		count = 1
	}
	object := strings.ToLower(e.GetInvolvedObject().GetKind())
	if name := e.GetInvolvedObject().GetName(); name != "" {
		object += "/" + name
	}
	component, host := or(e.GetSource().GetComponent(), e.ReportingComponent), or(e.GetSource().GetHost(), e.ReportingInstance)
	source := component
	if host != "" {
		source += ", " + host
	}
	return []any{last, e.Type, e.Reason, object, e.GetInvolvedObject().GetFieldPath(), source, strings.TrimSpace(e.Message), first,
		count, e.GetMetadata().GetName()}
}

func newEventCells(e *eventsv1.Event, now time.Time) []any {
	c := &corev1.Event{Metadata: e.Metadata, InvolvedObject: e.Regarding, Reason: e.Reason, Message: e.Note, Type: e.Type,
		Source: e.DeprecatedSource, FirstTimestamp: e.DeprecatedFirstTimestamp, LastTimestamp: e.DeprecatedLastTimestamp,
		Count: e.DeprecatedCount, EventTime: e.EventTime, ReportingComponent: e.ReportingController, ReportingInstance: e.ReportingInstance}
	if s := e.Series; s != nil {
		c.Series = &corev1.EventSeries{Count: s.Count, LastObservedTime: s.LastObservedTime}
	}
	return eventCells(c, now)
}
