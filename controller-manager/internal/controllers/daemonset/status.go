package daemonset

import (
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

// status counts nodes and the oldest pod of each.
func (p *planner) status(collisions int32) *appsv1.DaemonSetStatus {
	out := &appsv1.DaemonSetStatus{
		ObservedGeneration: p.ds.GetMetadata().GetGeneration(), Conditions: p.ds.GetStatus().GetConditions(),
	}
	if collisions > 0 {
		out.CollisionCount = proto.Int32(collisions)
	}
	for _, node := range p.nodes {
		name := node.GetMetadata().GetName()
		pods := p.on[name]
		if !p.run[name] {
			if len(pods) > 0 {
				out.NumberMisscheduled++
			}
			continue
		}
		out.DesiredNumberScheduled++
		if len(pods) == 0 {
			continue
		}
		out.CurrentNumberScheduled++
		pod := pods[0]
		if podstate.Ready(pod) {
			out.NumberReady++
			if p.available(pod) {
				out.NumberAvailable++
			}
		}
		if p.updated(pod) {
			out.UpdatedNumberScheduled++
		}
	}
	out.NumberUnavailable = out.DesiredNumberScheduled - out.NumberAvailable
	return out
}
