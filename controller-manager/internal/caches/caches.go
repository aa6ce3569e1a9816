// Package caches says which indexes the controllers' shared informers have. Each function returns the process' one
// informer of a kind; asking for it adds its indexes, so controllers may ask in any order before the informers run.
package caches

import (
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"

	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

// Names of indexes.
const (
	// Controller finds objects by the UID of their managing controller.
	Controller = "controller"
	// Orphan finds objects without one by namespace.
	Orphan = "orphan"
	// Namespace finds objects by namespace.
	Namespace = "namespace"
	// Node finds pods by the node that they are bound to.
	Node = "node"
	// Label finds pods by namespace and one label; see LabelKey.
	Label = "label"
	// Service finds slices by the Service that they are of; see LabelKey for the form "namespace/name".
	Service = "service"
	// Finished finds pods that have finished, under the key Finished.
	Finished = "finished"
)

const labelService = "kubernetes.io/service-name"

// LabelKey is the value under which the index Label has a pod of the namespace with the label.
func LabelKey(namespace, key, value string) string { return namespace + "/" + key + "=" + value }

func byController[T client.Object](obj T) []string {
	if uid := owner.ControllerUID(obj.GetMetadata()); uid != "" {
		return []string{uid}
	}
	return nil
}

func orphans[T client.Object](obj T) []string {
	if owner.ControllerOf(obj.GetMetadata()) == nil {
		return []string{obj.GetMetadata().GetNamespace()}
	}
	return nil
}

func byNamespace[T client.Object](obj T) []string { return []string{obj.GetMetadata().GetNamespace()} }

// Pods by Controller, Orphan, Namespace, Node, Label and Finished.
func Pods(g *informer.Group) *informer.Informer[*corev1.Pod] {
	return informer.Of(g, map[string]func(*corev1.Pod) []string{
		Controller: byController[*corev1.Pod],
		Orphan:     orphans[*corev1.Pod],
		Namespace:  byNamespace[*corev1.Pod],
		Node: func(p *corev1.Pod) []string {
			if n := p.GetSpec().GetNodeName(); n != "" {
				return []string{n}
			}
			return nil
		},
		Label: func(p *corev1.Pod) []string {
			m := p.GetMetadata()
			out := make([]string, 0, len(m.GetLabels()))
			for k, v := range m.GetLabels() {
				out = append(out, LabelKey(m.GetNamespace(), k, v))
			}
			return out
		},
		Finished: func(p *corev1.Pod) []string {
			if podstate.Terminal(p) {
				return []string{Finished}
			}
			return nil
		},
	})
}

// Of is the informer of a kind, by Controller, Orphan and Namespace.
func Of[T client.Object](g *informer.Group) *informer.Informer[T] {
	return informer.Of(g, map[string]func(T) []string{
		Controller: byController[T],
		Orphan:     orphans[T],
		Namespace:  byNamespace[T],
	})
}

// ReplicaSets by Controller, Orphan and Namespace.
func ReplicaSets(g *informer.Group) *informer.Informer[*appsv1.ReplicaSet] {
	return Of[*appsv1.ReplicaSet](g)
}

// Deployments by Controller, Orphan and Namespace.
func Deployments(g *informer.Group) *informer.Informer[*appsv1.Deployment] {
	return Of[*appsv1.Deployment](g)
}

// Services by Namespace.
func Services(g *informer.Group) *informer.Informer[*corev1.Service] {
	return informer.Of(g, map[string]func(*corev1.Service) []string{Namespace: byNamespace[*corev1.Service]})
}

// EndpointSlices by Service.
func EndpointSlices(g *informer.Group) *informer.Informer[*discoveryv1.EndpointSlice] {
	return informer.Of(g, map[string]func(*discoveryv1.EndpointSlice) []string{
		Service: func(s *discoveryv1.EndpointSlice) []string {
			m := s.GetMetadata()
			if name := m.GetLabels()[labelService]; name != "" {
				return []string{m.GetNamespace() + "/" + name}
			}
			return nil
		},
	})
}

// Endpoints without indexes.
func Endpoints(g *informer.Group) *informer.Informer[*corev1.Endpoints] {
	return informer.Of[*corev1.Endpoints](g)
}

// Nodes without indexes.
func Nodes(g *informer.Group) *informer.Informer[*corev1.Node] { return informer.Of[*corev1.Node](g) }

// Namespaces without indexes.
func Namespaces(g *informer.Group) *informer.Informer[*corev1.Namespace] {
	return informer.Of[*corev1.Namespace](g)
}

// ServiceAccounts without indexes.
func ServiceAccounts(g *informer.Group) *informer.Informer[*corev1.ServiceAccount] {
	return informer.Of[*corev1.ServiceAccount](g)
}
