// Package selecting joins Services and Pods both ways: which pods a Service selects, and which Services have to be
// looked at again after a pod has changed.
package selecting

import (
	"maps"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/informer"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/backends"
	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/selector"
)

// Active reports whether endpoints are made for the Service.
func Active(svc *corev1.Service) bool { return backends.Selects(svc) }

// Pods lists the pods that the Service selects. It walks the pods of the rarest label of the selector, not of the whole
// namespace.
func Pods(pods *informer.Informer[*corev1.Pod], svc *corev1.Service) []*corev1.Pod {
	var shortest []*corev1.Pod
	first := true
	for k, v := range svc.GetSpec().GetSelector() {
		found := pods.ByIndex(caches.Label, caches.LabelKey(svc.GetMetadata().GetNamespace(), k, v))
		if first || len(found) < len(shortest) {
			shortest, first = found, false
		}
		if len(found) == 0 {
			return nil
		}
	}
	if len(svc.GetSpec().GetSelector()) == 1 {
		return shortest
	}
	sel := selector.FromMap(svc.GetSpec().GetSelector())
	out := make([]*corev1.Pod, 0, len(shortest))
	for _, pod := range shortest {
		if sel.Matches(pod.GetMetadata().GetLabels()) {
			out = append(out, pod)
		}
	}
	return out
}

// Services calls add for each Service that selects the pod.
func Services(services *informer.Informer[*corev1.Service], pod *corev1.Pod, add func(controller.Key)) {
	for _, svc := range services.ByIndex(caches.Namespace, pod.GetMetadata().GetNamespace()) {
		if Active(svc) && covers(svc.GetSpec().GetSelector(), pod.GetMetadata().GetLabels()) {
			add(controller.KeyOf(svc))
		}
	}
}

// OnPod returns a handler of pod events that calls add for the Services whose endpoints may have changed.
func OnPod(services *informer.Informer[*corev1.Service], add func(controller.Key)) func(informer.Event[*corev1.Pod]) {
	return func(e informer.Event[*corev1.Pod]) {
		if e.Old != nil && e.New != nil && same(e.Old, e.New) {
			return
		}
		if e.Old != nil && (e.New == nil || !maps.Equal(e.Old.GetMetadata().GetLabels(), e.New.GetMetadata().GetLabels())) {
			Services(services, e.Old, add)
		}
		if e.New != nil {
			Services(services, e.New, add)
		}
	}
}

// covers is a selector's match without compiling it.
func covers(selector, labels map[string]string) bool {
	for k, v := range selector {
		if have, ok := labels[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// same reports whether two states of a pod make the same endpoint.
func same(a, b *corev1.Pod) bool {
	return a.GetStatus().GetPodIP() == b.GetStatus().GetPodIP() &&
		podstate.Ready(a) == podstate.Ready(b) &&
		podstate.Terminal(a) == podstate.Terminal(b) &&
		(a.GetMetadata().GetDeletionTimestamp() == nil) == (b.GetMetadata().GetDeletionTimestamp() == nil) &&
		a.GetSpec().GetNodeName() == b.GetSpec().GetNodeName() &&
		maps.Equal(a.GetMetadata().GetLabels(), b.GetMetadata().GetLabels()) &&
		proto.Equal(&corev1.PodStatus{PodIPs: a.GetStatus().GetPodIPs()}, &corev1.PodStatus{PodIPs: b.GetStatus().GetPodIPs()})
}
