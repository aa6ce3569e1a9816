package nodelifecycle

import (
	"slices"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/nodestate"
)

const (
	reasonStopped  = "NodeStatusUnknown"
	reasonNever    = "NodeStatusNeverUpdated"
	messageStopped = "Kubelet stopped posting node status."
	messageNever   = "Kubelet never posted node status."
)

// silenced are the conditions that nobody knows once a kubelet is silent.
var silenced = []string{nodestate.Ready, nodestate.MemoryPressure, nodestate.DiskPressure, nodestate.PIDPressure}

// silence returns the node's conditions once its kubelet is known to be silent, and whether any changed.
func silence(node *corev1.Node, now time.Time) ([]*corev1.NodeCondition, bool) {
	out := slices.Clone(node.GetStatus().GetConditions())
	changed := false
	for _, kind := range silenced {
		i := slices.IndexFunc(out, func(c *corev1.NodeCondition) bool { return c.GetType() == kind })
		if i < 0 {
			out = append(out, &corev1.NodeCondition{
				Type: kind, Status: nodestate.Unknown, Reason: reasonNever, Message: messageNever,
				LastHeartbeatTime: node.GetMetadata().GetCreationTimestamp(), LastTransitionTime: apitime.Of(now),
			})
			changed = true
			continue
		}
		if out[i].GetStatus() == nodestate.Unknown {
			continue
		}
		c := proto.CloneOf(out[i])
		c.Status, c.Reason, c.Message, c.LastTransitionTime = nodestate.Unknown, reasonStopped, messageStopped, apitime.Of(now)
		out[i] = c
		changed = true
	}
	return out, changed
}

// managed are the taints that follow from a node's state. A user's taint of such a key does not survive.
func managed(t *corev1.Taint) bool {
	switch t.GetKey() {
	case nodestate.TaintNotReady, nodestate.TaintUnreachable:
		return t.GetEffect() == nodestate.NoSchedule || t.GetEffect() == nodestate.NoExecute
	case nodestate.TaintUnschedulable, nodestate.TaintMemoryPressure, nodestate.TaintDiskPressure,
		nodestate.TaintPIDPressure, nodestate.TaintNetworkUnavailable:
		return t.GetEffect() == nodestate.NoSchedule
	}
	return false
}

// wanted lists the keys and effects of the taints that follow from the conditions. evict allows those that remove pods.
func wanted(node *corev1.Node, conditions []*corev1.NodeCondition, evict bool) []*corev1.Taint {
	status := func(kind string) string {
		for _, c := range conditions {
			if c.GetType() == kind {
				return c.GetStatus()
			}
		}
		return ""
	}
	var out []*corev1.Taint
	add := func(key, effect string) { out = append(out, &corev1.Taint{Key: key, Effect: effect}) }
	trouble := ""
	switch status(nodestate.Ready) {
	case nodestate.True:
	case nodestate.Unknown:
		trouble = nodestate.TaintUnreachable
	default:
		trouble = nodestate.TaintNotReady
	}
	if trouble != "" {
		add(trouble, nodestate.NoSchedule)
		if evict {
			add(trouble, nodestate.NoExecute)
		}
	}
	for _, pressure := range [][2]string{
		{nodestate.MemoryPressure, nodestate.TaintMemoryPressure},
		{nodestate.DiskPressure, nodestate.TaintDiskPressure},
		{nodestate.PIDPressure, nodestate.TaintPIDPressure},
		{nodestate.NetworkUnavailable, nodestate.TaintNetworkUnavailable},
	} {
		if status(pressure[0]) == nodestate.True {
			add(pressure[1], nodestate.NoSchedule)
		}
	}
	if node.GetSpec().GetUnschedulable() {
		add(nodestate.TaintUnschedulable, nodestate.NoSchedule)
	}
	return out
}

// taints returns the node's taints as they should be, and whether that is a change. Taints that stay keep their time:
// tolerations of some seconds count from it.
func taints(node *corev1.Node, conditions []*corev1.NodeCondition, evict bool, now time.Time) ([]*corev1.Taint, bool) {
	want := wanted(node, conditions, evict)
	out := make([]*corev1.Taint, 0, len(want))
	changed := false
	for _, have := range node.GetSpec().GetTaints() {
		if !managed(have) {
			out = append(out, have)
			continue
		}
		i := slices.IndexFunc(want, func(w *corev1.Taint) bool {
			return w.GetKey() == have.GetKey() && w.GetEffect() == have.GetEffect()
		})
		if i < 0 {
			changed = true
			continue
		}
		want = slices.Delete(want, i, i+1)
		out = append(out, have)
	}
	for _, w := range want {
		changed = true
		w.TimeAdded = apitime.Of(now)
		out = append(out, w)
	}
	return out, changed
}
