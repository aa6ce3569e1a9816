package node

import (
	"context"
	"fmt"
	"strings"

	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"

	"github.com/keelson/keelson/apiserver/internal/authz/rbac"
)

// leaseNamespace holds the nodes' heartbeats.
const leaseNamespace = "kube-node-lease"

// Authorizer decides on requests of nodes; about others it has no opinion.
type Authorizer struct {
	graph *Graph
	rules *rbac.Rules
}

// NewAuthorizer returns an authorizer over a graph. The rules say what a node may ask for at all; the graph narrows that
// down where it matters whose the object is.
func NewAuthorizer(graph *Graph, rules []*rbacv1.PolicyRule) *Authorizer {
	return &Authorizer{graph: graph, rules: rbac.Compile(rules)}
}

// NodeName returns the name of the node that the user is; ok is false for users that are no nodes.
func NodeName(u *identity.User) (name string, ok bool) {
	name, ok = strings.CutPrefix(u.Name, identity.NodePrefix)
	if !ok || !u.InGroup(identity.GroupNodes) {
		return "", false
	}
	return name, true
}

// Authorize implements pipeline.Authorizer. It never denies: what it does not allow RBAC may.
func (z *Authorizer) Authorize(_ context.Context, a pipeline.Attributes) (pipeline.Decision, string, error) {
	node, ok := NodeName(a.User)
	if !ok {
		return pipeline.NoOpinion, "", nil
	}
	if node == "" {
		return pipeline.NoOpinion, fmt.Sprintf("unknown node for user %q", a.User.Name), nil
	}
	decision, reason := z.decide(node, &a)
	return decision, reason, nil
}

// name is what the request is about: lists and watches name it by a field selector.
func name(a *pipeline.Attributes) string {
	if a.Name != "" || a.FieldSelector == "" {
		return a.Name
	}
	n, _ := required(a.FieldSelector, "metadata.name")
	return n
}

func (z *Authorizer) decide(node string, a *pipeline.Attributes) (pipeline.Decision, string) {
	if a.Resource == "" {
		return z.byRules(a)
	}
	switch {
	case a.Group == "" && a.Resource == "secrets":
		return z.read(node, kindSecret, a)
	case a.Group == "" && a.Resource == "configmaps":
		return z.read(node, kindConfigMap, a)
	case a.Group == "" && a.Resource == "persistentvolumeclaims":
		return z.get(node, kindClaim, a)
	case a.Group == "" && a.Resource == "serviceaccounts":
		return z.token(node, a)
	case a.Group == "" && a.Resource == "pods":
		return z.pod(node, a)
	case a.Group == "coordination.k8s.io" && a.Resource == "leases":
		return z.lease(node, a)
	}
	// Nodes may read all Nodes: the built-in pod network routes to the other nodes' pods. What a node writes to Nodes is
	// Restriction's to judge.
	return z.byRules(a)
}

func (z *Authorizer) byRules(a *pipeline.Attributes) (pipeline.Decision, string) {
	if z.rules.Allow(rbac.Query{
		Verb: a.Verb, Group: a.Group, Resource: a.Resource, Subresource: a.Subresource,
		Namespace: a.Namespace, Name: a.Name, Path: a.Path,
	}) {
		return pipeline.Allow, ""
	}
	return pipeline.NoOpinion, ""
}

// read is for objects that a kubelet also lists and watches one by one.
func (z *Authorizer) read(node string, k kind, a *pipeline.Attributes) (pipeline.Decision, string) {
	switch a.Verb {
	case "get", "list", "watch":
	default:
		return pipeline.NoOpinion, "can only read resources of this type"
	}
	if a.Subresource != "" {
		return pipeline.NoOpinion, "cannot read subresource"
	}
	if a.Namespace == "" {
		return pipeline.NoOpinion, "can only read namespaced object of this type"
	}
	return z.related(node, k, a)
}

// get is for objects that a kubelet only gets.
func (z *Authorizer) get(node string, k kind, a *pipeline.Attributes) (pipeline.Decision, string) {
	if a.Verb != "get" {
		return pipeline.NoOpinion, "can only get individual resources of this type"
	}
	if a.Subresource != "" {
		return pipeline.NoOpinion, "cannot get subresource"
	}
	return z.related(node, k, a)
}

func (z *Authorizer) related(node string, k kind, a *pipeline.Attributes) (pipeline.Decision, string) {
	name := name(a)
	if name == "" {
		return pipeline.NoOpinion, "No Object name found"
	}
	if !z.graph.uses(node, a.Namespace, k, name) {
		return pipeline.NoOpinion, noRelationship(node)
	}
	return pipeline.Allow, ""
}

func noRelationship(node string) string {
	return fmt.Sprintf("no relationship found between node '%s' and this object", node)
}

// token lets a node ask for tokens of the service accounts of its pods.
func (z *Authorizer) token(node string, a *pipeline.Attributes) (pipeline.Decision, string) {
	if a.Verb != "create" || a.Name == "" {
		return pipeline.NoOpinion, "can only create tokens for individual service accounts"
	}
	if a.Subresource != "token" {
		return pipeline.NoOpinion, "can only create token subresource of service account"
	}
	return z.related(node, kindServiceAccount, a)
}

// pod lets a node read the pods bound to it; what it writes is Restriction's to judge.
func (z *Authorizer) pod(node string, a *pipeline.Attributes) (pipeline.Decision, string) {
	if a.Subresource != "" {
		switch {
		case a.Verb == "get":
			return pipeline.NoOpinion, "can only get pods directly, not via subresource"
		case a.Subresource == "eviction" && !z.graph.runs(node, a.Namespace, a.Name):
			return pipeline.NoOpinion, noRelationship(node)
		}
		return z.byRules(a)
	}
	switch a.Verb {
	case "get":
		if z.graph.runs(node, a.Namespace, a.Name) {
			return pipeline.Allow, ""
		}
		return pipeline.NoOpinion, noRelationship(node)
	case "list", "watch":
		if on, ok := required(a.FieldSelector, "spec.nodeName"); ok && on == node {
			return pipeline.Allow, ""
		}
		if name := name(a); name != "" && z.graph.runs(node, a.Namespace, name) {
			return pipeline.Allow, ""
		}
		return pipeline.NoOpinion, "can only list/watch pods with spec.nodeName field selector"
	}
	return z.byRules(a)
}

// lease lets a node keep its own heartbeat.
func (z *Authorizer) lease(node string, a *pipeline.Attributes) (pipeline.Decision, string) {
	switch a.Verb {
	case "get", "create", "update", "patch", "delete":
	case "list", "watch":
		// A watch of the own lease tells a kubelet that somebody else holds it.
		if name(a) == node && a.Namespace == leaseNamespace {
			return pipeline.Allow, ""
		}
		fallthrough
	default:
		return pipeline.NoOpinion, "can only get, create, update, patch, or delete a node lease"
	}
	if a.Namespace != leaseNamespace {
		return pipeline.NoOpinion, fmt.Sprintf("can only access leases in the %q system namespace", leaseNamespace)
	}
	if a.Verb == "create" && a.Name == "" {
		return pipeline.Allow, "" // the name is in the object, which Restriction sees
	}
	if a.Name != node {
		return pipeline.NoOpinion, "can only access node lease with the same name as the requesting node"
	}
	return pipeline.Allow, ""
}

// required returns the value that a field selector demands of a field.
func required(selector, field string) (value string, ok bool) {
	for selector != "" {
		var term string
		term, selector, _ = strings.Cut(selector, ",")
		key, value, found := strings.Cut(term, "=")
		if !found || key != field {
			continue
		}
		value = strings.TrimPrefix(value, "=")
		if strings.ContainsRune(value, '\\') {
			continue // escaped characters occur in no name
		}
		return value, true
	}
	return "", false
}
