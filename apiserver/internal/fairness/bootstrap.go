package fairness

import (
	"slices"

	"google.golang.org/protobuf/proto"

	flowcontrolv1 "github.com/keelson/keelson/proto/gen/keelson/flowcontrol/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// Names of what is mandatory: both of a schema and of a level.
const (
	exempt   = "exempt"
	catchAll = "catch-all"
)

// object is what is kept: a FlowSchema or a PriorityLevelConfiguration.
type object interface {
	proto.Message
	GetMetadata() *metav1.ObjectMeta
}

// mandatoryLevels, and the functions below, return the objects that every cluster has, with Kubernetes' names and figures.
func mandatoryLevels() []*flowcontrolv1.PriorityLevelConfiguration {
	return []*flowcontrolv1.PriorityLevelConfiguration{
		newLevel(exempt, &flowcontrolv1.PriorityLevelConfigurationSpec{Type: "Exempt", Exempt: &flowcontrolv1.ExemptPriorityLevelConfiguration{
			NominalConcurrencyShares: proto.Int32(0), LendablePercent: proto.Int32(0)}}),
		newLevel(catchAll, &flowcontrolv1.PriorityLevelConfigurationSpec{Type: "Limited", Limited: &flowcontrolv1.LimitedPriorityLevelConfiguration{
			NominalConcurrencyShares: proto.Int32(5), LendablePercent: proto.Int32(0), LimitResponse: &flowcontrolv1.LimitResponse{Type: "Reject"}}}),
	}
}

func suggestedLevels() []*flowcontrolv1.PriorityLevelConfiguration {
	var out []*flowcontrolv1.PriorityLevelConfiguration
	for _, v := range []struct {
		name                  string
		shares, lends         int32
		queues, hand, longest int32
	}{
		{"global-default", 20, 50, 128, 6, 50},
		{"leader-election", 10, 0, 16, 4, 50},
		{"node-high", 40, 25, 64, 6, 50},
		{"system", 30, 33, 64, 6, 50},
		{"workload-high", 40, 50, 128, 6, 50},
		{"workload-low", 100, 90, 128, 6, 50},
	} {
		out = append(out, newLevel(v.name, &flowcontrolv1.PriorityLevelConfigurationSpec{Type: "Limited", Limited: &flowcontrolv1.LimitedPriorityLevelConfiguration{
			NominalConcurrencyShares: proto.Int32(v.shares), LendablePercent: proto.Int32(v.lends),
			LimitResponse: &flowcontrolv1.LimitResponse{Type: "Queue",
				Queuing: &flowcontrolv1.QueuingConfiguration{Queues: v.queues, HandSize: v.hand, QueueLengthLimit: v.longest}},
		}}))
	}
	return out
}

func newLevel(name string, spec *flowcontrolv1.PriorityLevelConfigurationSpec) *flowcontrolv1.PriorityLevelConfiguration {
	return &flowcontrolv1.PriorityLevelConfiguration{Metadata: &metav1.ObjectMeta{Name: name}, Spec: spec}
}

func mandatorySchemas() []*flowcontrolv1.FlowSchema {
	return []*flowcontrolv1.FlowSchema{
		newSchema(exempt, exempt, 1, "", groups(identity.GroupMasters), everything()),
		newSchema(catchAll, catchAll, 10000, byUser, groups(identity.GroupUnauthenticated, identity.GroupAuthenticated), everything()),
	}
}

func suggestedSchemas() []*flowcontrolv1.FlowSchema {
	everybody := groups(identity.GroupUnauthenticated, identity.GroupAuthenticated)
	kubeSystem := &flowcontrolv1.Subject{Kind: "ServiceAccount", ServiceAccount: &flowcontrolv1.ServiceAccountSubject{Namespace: "kube-system", Name: all}}
	leases := func(verbs ...string) *flowcontrolv1.ResourcePolicyRule {
		return resources(verbs, "coordination.k8s.io", false, "leases")
	}
	const manager, scheduler = "system:kube-controller-manager", "system:kube-scheduler"
	return []*flowcontrolv1.FlowSchema{
		newSchema("probes", exempt, 2, "", everybody, &flowcontrolv1.PolicyRulesWithSubjects{NonResourceRules: []*flowcontrolv1.NonResourcePolicyRule{
			{Verbs: []string{"get"}, NonResourceURLs: []string{"/healthz", "/readyz", "/livez"}}}}),
		newSchema("system-leader-election", "leader-election", 100, byUser, append(users(manager, scheduler), kubeSystem),
			&flowcontrolv1.PolicyRulesWithSubjects{ResourceRules: []*flowcontrolv1.ResourcePolicyRule{leases("get", "create", "update")}}),
		newSchema("system-node-high", "node-high", 400, byUser, groups(identity.GroupNodes),
			&flowcontrolv1.PolicyRulesWithSubjects{ResourceRules: []*flowcontrolv1.ResourcePolicyRule{
				resources([]string{all}, "", true, "nodes", "nodes/status"), leases(all)}}),
		newSchema("system-nodes", "system", 500, byUser, groups(identity.GroupNodes), everything()),
		newSchema("kube-controller-manager", "workload-high", 800, byNamespace, users(manager), everything()),
		newSchema("kube-scheduler", "workload-high", 800, byNamespace, users(scheduler), everything()),
		newSchema("kube-system-service-accounts", "workload-high", 900, byNamespace, []*flowcontrolv1.Subject{kubeSystem}, everything()),
		newSchema("service-accounts", "workload-low", 9000, byUser, groups(identity.GroupServiceAccounts), everything()),
		newSchema("global-default", "global-default", 9900, byUser, everybody, everything()),
	}
}

func newSchema(name, level string, precedence int32, by string, subjects []*flowcontrolv1.Subject, rules *flowcontrolv1.PolicyRulesWithSubjects) *flowcontrolv1.FlowSchema {
	rules.Subjects = subjects
	o := &flowcontrolv1.FlowSchema{Metadata: &metav1.ObjectMeta{Name: name}, Spec: &flowcontrolv1.FlowSchemaSpec{
		PriorityLevelConfiguration: &flowcontrolv1.PriorityLevelConfigurationReference{Name: level},
		MatchingPrecedence:         precedence, Rules: []*flowcontrolv1.PolicyRulesWithSubjects{rules}}}
	if by != "" {
		o.Spec.DistinguisherMethod = &flowcontrolv1.FlowDistinguisherMethod{Type: by}
	}
	return o
}

func everything() *flowcontrolv1.PolicyRulesWithSubjects {
	return &flowcontrolv1.PolicyRulesWithSubjects{
		ResourceRules:    []*flowcontrolv1.ResourcePolicyRule{resources([]string{all}, all, true, all)},
		NonResourceRules: []*flowcontrolv1.NonResourcePolicyRule{{Verbs: []string{all}, NonResourceURLs: []string{all}}},
	}
}

func resources(verbs []string, group string, cluster bool, names ...string) *flowcontrolv1.ResourcePolicyRule {
	return &flowcontrolv1.ResourcePolicyRule{Verbs: verbs, ApiGroups: []string{group}, Resources: names, Namespaces: []string{all}, ClusterScope: cluster}
}

func groups(names ...string) (out []*flowcontrolv1.Subject) {
	for _, n := range names {
		out = append(out, &flowcontrolv1.Subject{Kind: "Group", Group: &flowcontrolv1.GroupSubject{Name: n}})
	}
	return out
}

func users(names ...string) (out []*flowcontrolv1.Subject) {
	for _, n := range names {
		out = append(out, &flowcontrolv1.Subject{Kind: "User", User: &flowcontrolv1.UserSubject{Name: n}})
	}
	return out
}

// complete adds what no configuration may be without. Where there is no object at all, as before the first is read, it
// is the whole of what every cluster has.
func complete(schemas []*flowcontrolv1.FlowSchema, levels []*flowcontrolv1.PriorityLevelConfiguration) ([]*flowcontrolv1.FlowSchema, []*flowcontrolv1.PriorityLevelConfiguration) {
	if len(schemas) == 0 && len(levels) == 0 {
		schemas, levels = suggestedSchemas(), suggestedLevels()
	}
	return require(schemas, mandatorySchemas(), func(o *flowcontrolv1.FlowSchema, want *flowcontrolv1.FlowSchema) { o.Spec = want.Spec }),
		require(levels, mandatoryLevels(), func(o *flowcontrolv1.PriorityLevelConfiguration, want *flowcontrolv1.PriorityLevelConfiguration) {
			// The shares of what is mandatory are the administrator's to choose, the rest is not.
			if o.GetSpec().GetType() != want.Spec.Type || want.Spec.Limited != nil && compileLevel(o).shares == 0 {
				o.Spec = want.Spec
			}
		})
}

// require puts the mandatory objects among the others, with the UID of those that they stand for.
func require[T object](have, mandatory []T, fix func(o, want T)) []T {
	out := slices.Clone(have)
	for _, want := range mandatory {
		i := slices.IndexFunc(out, func(o T) bool { return o.GetMetadata().GetName() == want.GetMetadata().GetName() })
		if i < 0 {
			out = append(out, want)
			continue
		}
		o := proto.Clone(out[i]).(T)
		fix(o, want)
		out[i] = o
	}
	return out
}
