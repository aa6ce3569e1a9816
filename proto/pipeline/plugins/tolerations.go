package plugins

import (
	"context"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
)

const (
	taintNotReady    = "node.kubernetes.io/not-ready"
	taintUnreachable = "node.kubernetes.io/unreachable"
	// tolerationSeconds is how long a pod stays on a node that has gone silent.
	tolerationSeconds = 300
)

// DefaultTolerationSeconds lets pods stay for five minutes on nodes that are not ready or not reachable.
type DefaultTolerationSeconds struct{}

// Name implements admission.Plugin.
func (DefaultTolerationSeconds) Name() string { return "DefaultTolerationSeconds" }

// Admit implements admission.Plugin.
func (DefaultTolerationSeconds) Admit(_ context.Context, r *admission.Request) error {
	pod, ok := r.Object.(*corev1.Pod)
	if !ok || r.Subresource != "" || pod.GetSpec() == nil || r.Operation == admission.Delete {
		return nil
	}
	for _, key := range []string{taintNotReady, taintUnreachable} {
		if !tolerates(pod.Spec.Tolerations, key) {
			pod.Spec.Tolerations = append(pod.Spec.Tolerations, &corev1.Toleration{
				Key: key, Operator: "Exists", Effect: "NoExecute", TolerationSeconds: proto.Int64(tolerationSeconds),
			})
		}
	}
	return nil
}

func tolerates(list []*corev1.Toleration, key string) bool {
	for _, t := range list {
		if (t.Key == key || t.Key == "") && (t.Effect == "NoExecute" || t.Effect == "") {
			return true
		}
	}
	return false
}

// TaintNodesByCondition keeps pods off a new node until it has said that it is ready; the node life-cycle controller
// takes the taint away.
type TaintNodesByCondition struct{}

// Name implements admission.Plugin.
func (TaintNodesByCondition) Name() string { return "TaintNodesByCondition" }

// Admit implements admission.Plugin.
func (TaintNodesByCondition) Admit(_ context.Context, r *admission.Request) error {
	node, ok := r.Object.(*corev1.Node)
	if !ok || r.Operation != admission.Create || r.Subresource != "" {
		return nil
	}
	if node.Spec == nil {
		node.Spec = &corev1.NodeSpec{}
	}
	for _, t := range node.Spec.Taints {
		if t.Key == taintNotReady && t.Effect == "NoSchedule" {
			return nil
		}
	}
	node.Spec.Taints = append(node.Spec.Taints, &corev1.Taint{Key: taintNotReady, Effect: "NoSchedule"})
	return nil
}
