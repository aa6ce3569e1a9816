package daemonset

import (
	"slices"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/nodefit"
	"github.com/keelson/keelson/controller-manager/internal/nodestate"
	"github.com/keelson/keelson/controller-manager/internal/podset"
)

const (
	labelHash = "controller-revision-hash"
	nodeField = "metadata.name"
)

// tolerationsOf are the template's, and those for what daemons have to live with.
func tolerationsOf(spec *corev1.PodSpec) []*corev1.Toleration {
	out := slices.Clone(spec.GetTolerations())
	add := func(key, effect string) {
		t := &corev1.Toleration{Key: key, Operator: "Exists", Effect: effect}
		same := func(have *corev1.Toleration) bool {
			return have.GetKey() == key && have.GetEffect() == effect && have.GetOperator() == "Exists" && have.GetValue() == ""
		}
		if i := slices.IndexFunc(out, same); i >= 0 {
			out[i] = t
			return
		}
		out = append(out, t)
	}
	add(nodestate.TaintNotReady, nodestate.NoExecute)
	add(nodestate.TaintUnreachable, nodestate.NoExecute)
	add(nodestate.TaintDiskPressure, nodestate.NoSchedule)
	add(nodestate.TaintMemoryPressure, nodestate.NoSchedule)
	add(nodestate.TaintPIDPressure, nodestate.NoSchedule)
	add(nodestate.TaintUnschedulable, nodestate.NoSchedule)
	if spec.GetHostNetwork() {
		add(nodestate.TaintNetworkUnavailable, nodestate.NoSchedule)
	}
	return out
}

// newPod makes the pod of a node.
func newPod(ds *appsv1.DaemonSet, node, hash string) *corev1.Pod {
	pod := podset.NewPod(ds, ds.GetSpec().GetTemplate())
	if pod.Metadata.Labels == nil {
		pod.Metadata.Labels = map[string]string{}
	}
	pod.Metadata.Labels[labelHash] = hash
	pod.Spec.Tolerations = tolerationsOf(pod.Spec)
	pod.Spec.Affinity = pinned(pod.Spec.GetAffinity(), node)
	return pod
}

// pinned is an affinity to one node. What the template requires of nodes has been looked at already.
func pinned(a *corev1.Affinity, node string) *corev1.Affinity {
	a = proto.CloneOf(a)
	if a == nil {
		a = &corev1.Affinity{}
	}
	if a.NodeAffinity == nil {
		a.NodeAffinity = &corev1.NodeAffinity{}
	}
	a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: []*corev1.NodeSelectorTerm{{
		MatchFields: []*corev1.NodeSelectorRequirement{{Key: nodeField, Operator: "In", Values: []string{node}}},
	}}}
	return a
}

// nodeOf is the node that a pod is on, or was made for; empty where it is for none.
func nodeOf(pod *corev1.Pod) string {
	if name := pod.GetSpec().GetNodeName(); name != "" {
		return name
	}
	terms := pod.GetSpec().GetAffinity().GetNodeAffinity().GetRequiredDuringSchedulingIgnoredDuringExecution().GetNodeSelectorTerms()
	for _, t := range terms {
		for _, f := range t.GetMatchFields() {
			if f.GetKey() == nodeField && f.GetOperator() == "In" && len(f.GetValues()) == 1 {
				return f.GetValues()[0]
			}
		}
	}
	return ""
}

// fit says whether a node should have a pod, and whether one that it has may stay.
func fit(ds *appsv1.DaemonSet, tolerations []*corev1.Toleration, node *corev1.Node) (run, stay bool) {
	spec := ds.GetSpec().GetTemplate().GetSpec()
	if name := spec.GetNodeName(); name != "" && name != node.GetMetadata().GetName() || !nodefit.Selects(spec, node) {
		return false, false
	}
	taints := node.GetSpec().GetTaints()
	if nodefit.Tolerates(tolerations, taints, nodestate.NoExecute, nodestate.NoSchedule) {
		return true, true
	}
	return false, nodefit.Tolerates(tolerations, taints, nodestate.NoExecute)
}
