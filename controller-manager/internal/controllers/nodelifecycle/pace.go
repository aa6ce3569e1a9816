package nodelifecycle

import (
	"sync"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/controller-manager/internal/nodestate"
)

// Pace bounds how fast nodes are emptied, so that a broken switch does not move a whole cluster.
type Pace struct {
	// Rate is how many nodes of a healthy zone may be emptied each second.
	Rate float64
	// UnhealthyRate is that of a zone of which UnhealthyShare is not ready, in clusters of more than LargeCluster
	// nodes. In smaller ones nothing more is emptied there.
	UnhealthyRate  float64
	UnhealthyShare float64
	LargeCluster   int
}

// DefaultPace is Kubernetes'.
func DefaultPace() Pace {
	return Pace{Rate: 0.1, UnhealthyRate: 0.01, UnhealthyShare: 0.55, LargeCluster: 50}
}

const (
	labelRegion = "topology.kubernetes.io/region"
	labelZone   = "topology.kubernetes.io/zone"
	// recheck is how soon a node is looked at again that may not be emptied now.
	recheck = 10 * time.Second
)

// zoneOf names the part of the cluster that is likely to fail together.
func zoneOf(node *corev1.Node) string {
	labels := node.GetMetadata().GetLabels()
	return labels[labelRegion] + "/" + labels[labelZone]
}

// interval is the time between two nodes of a zone; false where none may be emptied.
func (p Pace) interval(zone string, nodes []*corev1.Node) (time.Duration, bool) {
	ready, unready := 0, 0
	for _, n := range nodes {
		if zoneOf(n) != zone {
			continue
		}
		if nodestate.IsReady(n) {
			ready++
		} else {
			unready++
		}
	}
	rate := p.Rate
	// A zone that is gone as a whole is emptied like any other: its pods have a place elsewhere.
	if ready > 0 && unready > 2 && float64(unready)/float64(ready+unready) >= p.UnhealthyShare {
		rate = 0
		if len(nodes) > p.LargeCluster {
			rate = p.UnhealthyRate
		}
	}
	if rate <= 0 {
		return 0, false
	}
	return time.Duration(float64(time.Second) / rate), true
}

// pacer knows when the next node of each zone may be emptied.
type pacer struct {
	mu   sync.Mutex
	next map[string]time.Time
	// granted are the nodes that may be emptied: one whose taint could not be written at once need not ask again.
	granted map[string]bool
}

func newPacer() *pacer { return &pacer{next: map[string]time.Time{}, granted: map[string]bool{}} }

// take asks for a node of the zone; it returns 0 where that is granted, else how long to wait before asking again.
func (p *pacer) take(zone, node string, interval time.Duration, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.granted[node] {
		return 0
	}
	if wait := p.next[zone].Sub(now); wait > 0 {
		return wait
	}
	p.next[zone] = now.Add(interval)
	p.granted[node] = true
	return 0
}

// forget is for a node that is ready again, or gone.
func (p *pacer) forget(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.granted, node)
}
