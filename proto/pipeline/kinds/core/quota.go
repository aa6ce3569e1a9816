package core

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/quota"
)

// Quotas are the hooks of resource quotas. What a new one finds used is counted at once: from its creation on nothing is
// created past it, whether or not a controller runs.
func Quotas(access strategy.Access, clock func() time.Time) strategy.Hooks {
	count := func(ctx context.Context, q *corev1.ResourceQuota) {
		// A consistent read brings the cache, from which is counted, up to date. Where it fails the controller counts.
		_, _ = access.Read(ctx, "", "namespaces", "", q.GetMetadata().GetNamespace())
		q.Status = &corev1.ResourceQuotaStatus{Hard: proto.CloneOf(q.GetSpec()).GetHard(), Used: used(access, q, clock()).Quantities()}
	}
	return strategy.Hooks{
		PrepareCreate: func(ctx context.Context, obj strategy.Object) {
			if q := obj.(*corev1.ResourceQuota); q.Spec != nil {
				count(ctx, q)
			}
		},
		PrepareUpdate: func(ctx context.Context, obj, old strategy.Object) {
			q, was := obj.(*corev1.ResourceQuota), old.(*corev1.ResourceQuota)
			if !proto.Equal(q.GetSpec(), was.GetSpec()) && q.Spec != nil {
				count(ctx, q)
			}
		},
	}
}

// used counts what objects in the quota's namespace use of its resources.
func used(access strategy.Access, q *corev1.ResourceQuota, now time.Time) quota.Amounts {
	c := quota.NewCounter(q.Spec, now)
	for _, r := range countable(q.Spec) {
		for _, it := range access.Items(r[0], r[1], q.GetMetadata().GetNamespace()) {
			obj, err := it.Decode()
			if err != nil {
				continue // it can be neither read nor used
			}
			c.Add(r[0], r[1], obj)
		}
	}
	if q.Metadata.GetResourceVersion() == "" && c.Counts("", "resourcequotas") {
		c.Add("", "resourcequotas", q) // itself
	}
	return c.Used
}

// countable lists the kinds of objects that use a quota's resources, as group and plural.
func countable(s *corev1.ResourceQuotaSpec) [][2]string {
	var out [][2]string
	names := quota.Parse(s.GetHard()).Names()
	add := func(group, plural string) {
		for _, have := range out {
			if have == [2]string{group, plural} {
				return
			}
		}
		if len(quota.Relevant(group, plural, names)) > 0 {
			out = append(out, [2]string{group, plural})
		}
	}
	for _, plural := range []string{"pods", "services", "persistentvolumeclaims", "configmaps", "secrets", "replicationcontrollers", "resourcequotas"} {
		add("", plural)
	}
	for _, name := range names {
		if kind, ok := strings.CutPrefix(name, "count/"); ok {
			plural, group, _ := strings.Cut(kind, ".")
			add(group, plural)
		}
	}
	return out
}
