package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	authenticationv1 "github.com/keelson/keelson/proto/gen/keelson/authentication/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// catchUpTimeout bounds how long a refusal waits for the graph.
const catchUpTimeout = time.Second

// Restriction is the admission plugin that looks into what nodes write.
type Restriction struct {
	graph *Graph
	// own are the audiences of the API server itself, which a projection without an audience asks for.
	own     []string
	catchUp func(context.Context) error
}

// NewRestriction returns the plugin. own are the API server's own audiences; catchUp returns once the graph holds
// everything written before the call.
func NewRestriction(graph *Graph, own []string, catchUp func(context.Context) error) *Restriction {
	return &Restriction{graph: graph, own: own, catchUp: catchUp}
}

// Name implements admission.Plugin.
func (*Restriction) Name() string { return "NodeRestriction" }

// Admit implements admission.Plugin; it changes nothing.
func (p *Restriction) Admit(context.Context, *admission.Request) error { return nil }

// Validate implements admission.Validator.
func (p *Restriction) Validate(ctx context.Context, r *admission.Request) error {
	node, ok := NodeName(r.User)
	if !ok {
		return nil
	}
	if node == "" {
		return forbidden(r, fmt.Errorf("could not determine node from user %q", r.User.Name))
	}
	var err error
	switch {
	case r.Kind.Group == "" && r.Kind.Plural == "pods":
		err = p.pod(node, r)
	case r.Kind.Group == "" && r.Kind.Plural == "nodes":
		err = restrictNode(node, r)
	case r.Kind.Group == "coordination.k8s.io" && r.Kind.Plural == "leases":
		err = restrictLease(node, r)
	}
	if err != nil {
		return forbidden(r, err)
	}
	return nil
}

func forbidden(r *admission.Request, err error) error {
	return apierrors.NewForbidden(r.Kind.Group, r.Kind.Plural, nameOf(r), err)
}

// nameOf is the name of what is written; a creation may name it in its body only.
func nameOf(r *admission.Request) string {
	if r.Name == "" && r.Object != nil {
		return r.Object.GetMetadata().GetName()
	}
	return r.Name
}

// pod lets a node make mirror pods, and delete and report on pods that run on it.
func (p *Restriction) pod(node string, r *admission.Request) error {
	old, _ := r.Old.(*corev1.Pod)
	switch {
	case r.Subresource == "" && r.Operation == admission.Create:
		pod, ok := r.Object.(*corev1.Pod)
		if !ok {
			return fmt.Errorf("unexpected object %T", r.Object)
		}
		return restrictMirrorPod(node, pod)
	case r.Subresource == "" && r.Operation == admission.Delete:
		if old.GetSpec().GetNodeName() != node {
			return fmt.Errorf("node %q can only delete pods with spec.nodeName set to itself", node)
		}
		return nil
	case r.Subresource == "status" && r.Operation == admission.Update:
		if old.GetSpec().GetNodeName() != node {
			return fmt.Errorf("node %q can only update pod status for pods with spec.nodeName set to itself", node)
		}
		if !maps.Equal(r.Object.GetMetadata().GetLabels(), old.GetMetadata().GetLabels()) {
			return fmt.Errorf("node %q cannot update labels through pod status", node)
		}
		return nil
	case r.Subresource == "":
		return fmt.Errorf("unexpected operation %q, node %q can only create and delete mirror pods", r.Operation, node)
	}
	return fmt.Errorf("unexpected pod subresource %q, only 'status' is allowed", r.Subresource)
}

func restrictMirrorPod(node string, pod *corev1.Pod) error {
	if _, mirror := pod.GetMetadata().GetAnnotations()[mirrorAnnotation]; !mirror {
		return fmt.Errorf("pod does not have %q annotation, node %q can only create mirror pods", mirrorAnnotation, node)
	}
	if pod.GetSpec().GetNodeName() != node {
		return fmt.Errorf("node %q can only create pods with spec.nodeName set to itself", node)
	}
	owners := pod.GetMetadata().GetOwnerReferences()
	if len(owners) > 1 {
		return fmt.Errorf("node %q can only create pods with a single owner reference set to itself", node)
	}
	if len(owners) == 1 && (owners[0].GetApiVersion() != "v1" || owners[0].GetKind() != "Node" || owners[0].GetName() != node) {
		return fmt.Errorf("node %q can only create pods with an owner reference set to itself", node)
	}
	for _, r := range refsOf(pod) {
		switch r.kind {
		case kindServiceAccount:
			return fmt.Errorf("node %q can not create pods that reference a service account", node)
		case kindSecret:
			return fmt.Errorf("node %q can not create pods that reference secrets", node)
		case kindConfigMap:
			return fmt.Errorf("node %q can not create pods that reference configmaps", node)
		case kindClaim:
			return fmt.Errorf("node %q can not create pods that reference persistentvolumeclaims", node)
		}
	}
	return nil
}

// restrictNode lets a node write its own Node object, but not what keeps pods away from it.
func restrictNode(node string, r *admission.Request) error {
	if r.Operation == admission.Delete {
		return fmt.Errorf("node %q is not allowed to delete node %q", node, r.Name)
	}
	if name := nameOf(r); name != node {
		return fmt.Errorf("node %q is not allowed to modify node %q", node, name)
	}
	obj, ok := r.Object.(*corev1.Node)
	if !ok {
		return fmt.Errorf("unexpected object %T", r.Object)
	}
	if r.Operation == admission.Create {
		if labels := forbiddenLabels(changedKeys(nil, obj.GetMetadata().GetLabels())); len(labels) > 0 {
			return fmt.Errorf("node %q is not allowed to set the following labels: %s", node, strings.Join(labels, ", "))
		}
		if len(obj.GetMetadata().GetOwnerReferences()) > 0 {
			return fmt.Errorf("node %q is not allowed to set ownerReferences", node)
		}
		return nil
	}
	old, ok := r.Old.(*corev1.Node)
	if !ok {
		return fmt.Errorf("unexpected object %T", r.Old)
	}
	if !equalLists(obj.GetSpec().GetTaints(), old.GetSpec().GetTaints()) {
		return fmt.Errorf("node %q is not allowed to modify taints", node)
	}
	if !equalLists(obj.GetMetadata().GetOwnerReferences(), old.GetMetadata().GetOwnerReferences()) {
		return fmt.Errorf("node %q is not allowed to modify ownerReferences", node)
	}
	if labels := forbiddenLabels(changedKeys(old.GetMetadata().GetLabels(), obj.GetMetadata().GetLabels())); len(labels) > 0 {
		return fmt.Errorf("is not allowed to modify labels: %s", strings.Join(labels, ", "))
	}
	return nil
}

func equalLists[T proto.Message](a, b []T) bool {
	return slices.EqualFunc(a, b, func(x, y T) bool { return proto.Equal(x, y) })
}

// Token judges a request for a token of a service account: a node asks for tokens that die with a pod that runs on it,
// for audiences that the pod mounts. Others may ask for what they like.
func (p *Restriction) Token(ctx context.Context, u *identity.User, namespace, name string, request *authenticationv1.TokenRequest) error {
	node, ok := NodeName(u)
	if !ok {
		return nil
	}
	if err := p.token(ctx, node, namespace, name, request); err != nil {
		return apierrors.NewForbidden("", "serviceaccounts", name, err)
	}
	return nil
}

func (p *Restriction) token(ctx context.Context, node, namespace, name string, request *authenticationv1.TokenRequest) error {
	bound := request.GetSpec().GetBoundObjectRef()
	if bound == nil || bound.GetApiVersion() != "v1" || bound.GetKind() != "Pod" || bound.GetName() == "" {
		return errors.New("node requested token not bound to a pod")
	}
	if bound.GetUID() == "" {
		return errors.New("node requested token with a pod binding without a uid")
	}
	judge := func() error {
		pod, ok := p.graph.Pod(namespace, bound.GetName())
		switch {
		case !ok:
			return fmt.Errorf("pod %q not found", bound.GetName())
		case pod.UID != bound.GetUID():
			return fmt.Errorf("the UID in the bound object reference (%s) does not match the UID in record. The object might have been deleted and then recreated", bound.GetUID())
		case pod.Node != node:
			return errors.New("node requested token bound to a pod scheduled on a different node")
		case pod.ServiceAccount != name:
			return errors.New("node requested token bound to a pod that runs under a different service account")
		}
		return p.checkAudiences(pod.Audiences, request.GetSpec().GetAudiences())
	}
	if judge() == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	if err := p.catchUp(ctx); err != nil {
		return err
	}
	return judge()
}

// checkAudiences refuses audiences that no token mounted by the pod is for.
func (p *Restriction) checkAudiences(mounted, asked []string) error {
	if len(asked) == 0 {
		asked = []string{""}
	}
	for _, a := range asked {
		if slices.Contains(mounted, a) || slices.Contains(p.own, a) && slices.Contains(mounted, "") {
			continue
		}
		return fmt.Errorf("audience %q not found in pod spec volume", a)
	}
	return nil
}

// restrictLease catches the creation whose name the authorizer did not know.
func restrictLease(node string, r *admission.Request) error {
	if r.Namespace != leaseNamespace || nameOf(r) != node {
		return errors.New("can only access node lease with the same name as the requesting node")
	}
	return nil
}
