package plugins

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	nodev1 "github.com/keelson/keelson/proto/gen/keelson/node/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// RuntimeClass adds to a pod what its runtime class needs of the machine, and where its nodes are.
type RuntimeClass struct{ Access strategy.Access }

// Name implements admission.Plugin.
func (*RuntimeClass) Name() string { return "RuntimeClass" }

// pod returns the pod that is created; nil for any other request.
func (*RuntimeClass) pod(r *admission.Request) *corev1.Pod {
	pod, ok := r.Object.(*corev1.Pod)
	if !ok || r.Operation != admission.Create || r.Subresource != "" || pod.GetSpec() == nil {
		return nil
	}
	return pod
}

// class returns the pod's class; nil where it names none.
func (p *RuntimeClass) class(ctx context.Context, pod *corev1.Pod) (*nodev1.RuntimeClass, error) {
	name := pod.Spec.RuntimeClassName
	if name == nil || *name == "" {
		return nil, nil
	}
	it, err := strategy.Find(ctx, p.Access, "node.k8s.io", "runtimeclasses", "", *name)
	if apierrors.IsNotFound(err) {
		return nil, rejected(pod, fmt.Errorf("pod rejected: RuntimeClass %q not found", *name))
	} else if err != nil {
		return nil, err
	}
	msg, err := it.Decode()
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return msg.(*nodev1.RuntimeClass), nil
}

func rejected(pod *corev1.Pod, err error) error {
	return apierrors.NewForbidden("", "pods", pod.GetMetadata().GetName(), err)
}

// Admit implements admission.Plugin.
func (p *RuntimeClass) Admit(ctx context.Context, r *admission.Request) error {
	pod := p.pod(r)
	if pod == nil {
		return nil
	}
	class, err := p.class(ctx, pod)
	if err != nil {
		return err
	}
	if fixed := class.GetOverhead().GetPodFixed(); len(fixed) > 0 {
		if len(pod.Spec.Overhead) > 0 && !sameAmounts(pod.Spec.Overhead, fixed) {
			return rejected(pod, errors.New("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"))
		}
		pod.Spec.Overhead = proto.Clone(class.Overhead).(*nodev1.Overhead).PodFixed
	}
	if class.GetScheduling() == nil {
		return nil
	}
	return schedule(pod, class.Scheduling)
}

// Validate implements admission.Validator: a pod has the overhead of its class and no other.
func (p *RuntimeClass) Validate(ctx context.Context, r *admission.Request) error {
	pod := p.pod(r)
	if pod == nil {
		return nil
	}
	class, err := p.class(ctx, pod)
	if err != nil {
		return err
	}
	fixed := class.GetOverhead().GetPodFixed()
	switch {
	case len(fixed) == 0 && len(pod.Spec.Overhead) > 0:
		return rejected(pod, errors.New("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"))
	case len(fixed) > 0 && !sameAmounts(pod.Spec.Overhead, fixed):
		return rejected(pod, errors.New("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"))
	}
	return nil
}

func sameAmounts(a, b map[string]*metav1.Quantity) bool {
	return maps.EqualFunc(a, b, func(x, y *metav1.Quantity) bool {
		p, errP := resource.ParseQuantity(x.GetString_())
		q, errQ := resource.ParseQuantity(y.GetString_())
		return errP == nil && errQ == nil && p.Cmp(q) == 0
	})
}

// schedule sends the pod to the class's nodes.
func schedule(pod *corev1.Pod, s *nodev1.Scheduling) error {
	for _, k := range slices.Sorted(maps.Keys(s.NodeSelector)) {
		v := s.NodeSelector[k]
		if have, ok := pod.Spec.NodeSelector[k]; ok && have != v {
			return rejected(pod, fmt.Errorf("conflict: runtimeClass.scheduling.nodeSelector[%s] = %s; pod.spec.nodeSelector[%s] = %s", k, v, k, have))
		}
		if pod.Spec.NodeSelector == nil {
			pod.Spec.NodeSelector = map[string]string{}
		}
		pod.Spec.NodeSelector[k] = v
	}
	for _, t := range s.Tolerations {
		if !slices.ContainsFunc(pod.Spec.Tolerations, func(o *corev1.Toleration) bool { return proto.Equal(o, t) }) {
			pod.Spec.Tolerations = append(pod.Spec.Tolerations, proto.Clone(t).(*corev1.Toleration))
		}
	}
	return nil
}
