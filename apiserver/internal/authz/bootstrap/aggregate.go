package bootstrap

import (
	"context"
	"errors"
	"slices"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
	"github.com/keelson/keelson/proto/pipeline/selector"
)

// aggregate writes the rules of aggregated roles that are not what their parts make them. A role that changed in
// between is left: its change brings the keeper back here.
func (k *Keeper) aggregate(ctx context.Context, s Server) error {
	var errs []error
	for _, role := range k.due() {
		err := update(ctx, s, "clusterroles", role)
		if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// due returns the roles to be written, with their new rules.
func (k *Keeper) due() []*rbacv1.ClusterRole {
	k.mu.Lock()
	defer k.mu.Unlock()
	var names []string
	for name := range k.roles {
		names = append(names, name)
	}
	slices.Sort(names)
	var due []*rbacv1.ClusterRole
	for _, name := range names {
		role := k.roles[name]
		if role.GetAggregationRule() == nil {
			continue
		}
		rules, err := k.rulesLocked(role, names)
		if err != nil {
			k.logger.Warn("aggregated role cannot be computed", zap.String("clusterrole", name), zap.Error(err))
			continue
		}
		if !slices.EqualFunc(rules, role.GetRules(), sameRule) {
			changed := proto.CloneOf(role)
			changed.Rules = rules
			due = append(due, changed)
		}
	}
	return due
}

// rulesLocked collects the rules of the roles that an aggregated role selects, in the order of their names, each rule
// once.
func (k *Keeper) rulesLocked(role *rbacv1.ClusterRole, names []string) ([]*rbacv1.PolicyRule, error) {
	var rules []*rbacv1.PolicyRule
	for _, sel := range role.GetAggregationRule().GetClusterRoleSelectors() {
		labels, nothing, err := selector.Of(sel)
		if err != nil {
			return nil, err
		}
		if nothing {
			continue
		}
		for _, name := range names {
			part := k.roles[name]
			have := part.GetMetadata().GetLabels()
			if name == role.GetMetadata().GetName() ||
				!labels.Matches(func(key string) (string, bool) { v, ok := have[key]; return v, ok }) {
				continue
			}
			for _, r := range part.GetRules() {
				if !slices.ContainsFunc(rules, func(h *rbacv1.PolicyRule) bool { return sameRule(h, r) }) {
					rules = append(rules, r)
				}
			}
		}
	}
	return rules, nil
}

func sameRule(a, b *rbacv1.PolicyRule) bool { return proto.Equal(a, b) }
