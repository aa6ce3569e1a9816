package table

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	certificatesv1 "github.com/keelson/keelson/proto/gen/keelson/certificates/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	flowcontrolv1 "github.com/keelson/keelson/proto/gen/keelson/flowcontrol/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	policyv1 "github.com/keelson/keelson/proto/gen/keelson/policy/v1"
	storagemigrationv1 "github.com/keelson/keelson/proto/gen/keelson/storagemigration/v1"
)

var (
	_ = register(budgetCells)
	_ = register(quotaCells)
	_ = register(signingCells)
	_ = register(trustBundleCells)
	_ = register(podCertificateCells)
	_ = register(flowSchemaCells)
	_ = list(flowSchemas)
	_ = register(priorityLevelCells)
	_ = register(componentCells)
	_ = register(migrationCells)
)

func budgetCells(b *policyv1.PodDisruptionBudget, now time.Time) []any {
	return []any{amount(b.GetSpec().GetMinAvailable()), amount(b.GetSpec().GetMaxUnavailable()),
		int64(b.GetStatus().GetDisruptionsAllowed()), created(b.Metadata, now)}
}

// amount prints a number or percentage that may be missing.
func amount(v *metav1.IntOrString) string {
	switch {
	case v == nil:
		return "N/A"
	case v.GetType() == 0:
		return strconv.Itoa(int(v.GetIntVal()))
	}
	return v.GetStrVal()
}

func quotaCells(q *corev1.ResourceQuota, now time.Time) []any {
	var requests, limits []string
	for _, name := range slices.Sorted(maps.Keys(q.GetStatus().GetHard())) {
		text := fmt.Sprintf("%s: %s/%s", name, quantity(q.Status.Used[name]), quantity(q.Status.Hard[name]))
		if strings.HasPrefix(name, "limits.") {
			limits = append(limits, text)
		} else {
			requests = append(requests, text)
		}
	}
	return []any{strings.Join(requests, ", "), strings.Join(limits, ", "), created(q.Metadata, now)}
}

func signingCells(c *certificatesv1.CertificateSigningRequest, now time.Time) []any {
	has := map[string]bool{}
	for _, cond := range c.GetStatus().GetConditions() {
		has[cond.Type] = true
	}
	state := "Pending"
	switch {
	case has["Denied"]:
		state = "Denied"
	case has["Approved"]:
		state = "Approved"
	}
	if has["Failed"] {
		state += ",Failed"
	}
	if len(c.GetStatus().GetCertificate()) > 0 {
		state += ",Issued"
	}
	wanted := none
	if c.GetSpec() != nil && c.Spec.ExpirationSeconds != nil {
		wanted = duration.HumanDuration(time.Duration(*c.Spec.ExpirationSeconds) * time.Second)
	}
	return []any{created(c.Metadata, now), or(c.GetSpec().GetSignerName(), none), c.GetSpec().GetUsername(), wanted, state}
}

func trustBundleCells(b *certificatesv1.ClusterTrustBundle, _ time.Time) []any {
	return []any{or(b.GetSpec().GetSignerName(), none)}
}

func podCertificateCells(r *certificatesv1.PodCertificateRequest, _ time.Time) []any {
	state := "Pending"
	for _, c := range r.GetStatus().GetConditions() {
		if c.Type == "Issued" || c.Type == "Denied" || c.Type == "Failed" {
			state = c.Type
		}
	}
	s := r.GetSpec()
	return []any{s.GetPodName(), s.GetServiceAccountName(), s.GetNodeName(), s.GetSignerName(), state, pairs(s.GetUnverifiedUserAnnotations())}
}

// flowSchemas come in the order in which they are asked.
func flowSchemas(list []*flowcontrolv1.FlowSchema) (lines []Line) {
	for i := range list {
		lines = append(lines, Line{Index: i})
	}
	slices.SortStableFunc(lines, func(a, b Line) int {
		return cmp.Compare(list[a.Index].GetSpec().GetMatchingPrecedence(), list[b.Index].GetSpec().GetMatchingPrecedence())
	})
	return lines
}

func flowSchemaCells(f *flowcontrolv1.FlowSchema, now time.Time) []any {
	s := f.GetSpec()
	dangling := "?"
	for _, c := range f.GetStatus().GetConditions() {
		if c.Type == "Dangling" {
			dangling = c.Status
		}
	}
	return []any{s.GetPriorityLevelConfiguration().GetName(), int64(s.GetMatchingPrecedence()),
		or(s.GetDistinguisherMethod().GetType(), none), created(f.Metadata, now), dangling}
}

func priorityLevelCells(p *flowcontrolv1.PriorityLevelConfiguration, now time.Time) []any {
	var shares, queues, hand, length any = none, none, none, none
	if l := p.GetSpec().GetLimited(); l != nil {
		shares = int64(l.GetNominalConcurrencyShares())
		if q := l.GetLimitResponse().GetQueuing(); q != nil {
			queues, hand, length = int64(q.Queues), int64(q.HandSize), int64(q.QueueLengthLimit)
		}
	}
	return []any{p.GetSpec().GetType(), shares, queues, hand, length, created(p.Metadata, now)}
}

func componentCells(c *corev1.ComponentStatus, _ time.Time) []any {
	i := slices.IndexFunc(c.GetConditions(), func(c *corev1.ComponentCondition) bool { return c.Type == "Healthy" })
	if i < 0 {
		return []any{"Unknown", "", ""}
	}
	cond := c.Conditions[i]
	state := map[bool]string{true: "Healthy", false: "Unhealthy"}[cond.Status == "True"]
	return []any{state, cond.Message, cmp.Or(cond.Error, "")}
}

func migrationCells(m *storagemigrationv1.StorageVersionMigration, _ time.Time) []any {
	r := m.GetSpec().GetResource()
	resource, state := r.GetResource(), "Unknown"
	if r.GetGroup() != "" {
		resource += "." + r.Group
	}
	for _, c := range m.GetStatus().GetConditions() {
		if c.Status == "True" && slices.Contains([]string{"Running", "Succeeded", "Failed"}, c.Type) {
			state = c.Type
		}
	}
	return []any{resource, state}
}
