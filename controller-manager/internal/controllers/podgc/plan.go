package podgc

import (
	"cmp"
	"slices"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"

	"github.com/keelson/keelson/controller-manager/internal/nodestate"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

// quarantine is how long a node may be missing before its pods are given up: it may be registering again.
const quarantine = 40 * time.Second

// verdict is why a pod is removed.
type verdict int

const (
	keep verdict = iota
	// neverRan: deleted before it had a node, so that no kubelet will ever finish it.
	neverRan
	// outOfService: terminating on a node whose operator says that it is off.
	outOfService
	// nodeMissing: bound to a node that the cache does not know. It has to be made sure, and to last.
	nodeMissing
)

// judge decides about a pod; node is nil where the cache does not have the pod's node.
func judge(pod *corev1.Pod, node *corev1.Node) verdict {
	terminating := pod.GetMetadata().GetDeletionTimestamp() != nil
	switch {
	case pod.GetSpec().GetNodeName() == "":
		if terminating {
			return neverRan
		}
		return keep
	case node == nil:
		return nodeMissing
	case terminating && !nodestate.IsReady(node) && nodestate.HasTaint(node, nodestate.TaintOutOfService):
		return outOfService
	}
	return keep
}

// message is what the condition DisruptionTarget says; empty where the pod had no place to be disrupted in.
func (v verdict) message() string {
	switch v {
	case nodeMissing:
		return "PodGC: node no longer exists"
	case outOfService:
		return "PodGC: node out-of-service"
	}
	return ""
}

// surplus returns the finished pods beyond the number that is kept: those evicted by their node first, then the oldest.
func surplus(finished []*corev1.Pod, most int) []*corev1.Pod {
	if most <= 0 || len(finished) <= most {
		return nil
	}
	sorted := slices.SortedFunc(slices.Values(finished), func(a, b *corev1.Pod) int {
		if ea, eb := evicted(a), evicted(b); ea != eb {
			if ea {
				return -1
			}
			return 1
		}
		ta, tb := apitime.Go(a.GetMetadata().GetCreationTimestamp()), apitime.Go(b.GetMetadata().GetCreationTimestamp())
		return cmp.Or(ta.Compare(tb), cmp.Compare(a.GetMetadata().GetName(), b.GetMetadata().GetName()))
	})
	return sorted[:len(sorted)-most]
}

func evicted(pod *corev1.Pod) bool {
	return pod.GetStatus().GetPhase() == podstate.Failed && pod.GetStatus().GetReason() == "Evicted"
}
