package daemonset

import (
	"cmp"
	"maps"
	"slices"
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"

	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/shares"
)

// state is what a decision about one DaemonSet depends on.
type state struct {
	ds    *appsv1.DaemonSet
	nodes []*corev1.Node
	pods  []*corev1.Pod
	// hash is that of the present template.
	hash string
	now  time.Time
	// mayReplace says whether a failed pod of a node may be replaced yet, and how long until it may.
	mayReplace func(node string) time.Duration
}

// decision is what to do now.
type decision struct {
	// create has the nodes that get a pod.
	create []string
	remove []*corev1.Pod
	// failed and succeeded are those of remove that have ended, which daemons should not.
	failed, succeeded []*corev1.Pod
	again             time.Duration
}

func (d *decision) later(wait time.Duration) {
	if wait > 0 && (d.again == 0 || wait < d.again) {
		d.again = wait
	}
}

// planner walks through nodes and pods.
type planner struct {
	state
	out decision
	// on has the pods by node; run and stay, the nodes that should have one and that may keep one.
	on        map[string][]*corev1.Pod
	run, stay map[string]bool
	surge     int
	// most is how many pods may be unavailable while the template is rolled out.
	most int
}

func newPlanner(s state) *planner {
	p := &planner{state: s, on: map[string][]*corev1.Pod{}, run: map[string]bool{}, stay: map[string]bool{}}
	tolerations := tolerationsOf(s.ds.GetSpec().GetTemplate().GetSpec())
	for _, node := range s.nodes {
		name := node.GetMetadata().GetName()
		run, stay := fit(s.ds, tolerations, node)
		if run {
			p.run[name] = true
		}
		if stay {
			p.stay[name] = true
		}
	}
	for _, pod := range s.pods {
		name := nodeOf(pod)
		p.on[name] = append(p.on[name], pod)
	}
	for _, pods := range p.on {
		slices.SortFunc(pods, older)
	}
	update := s.ds.GetSpec().GetUpdateStrategy().GetRollingUpdate()
	if rolls(s.ds) {
		// Validation has refused what is no share.
		p.surge, _ = shares.Of(update.GetMaxSurge(), len(p.run), true)
		p.most = 1
		if update.GetMaxUnavailable() != nil {
			p.most, _ = shares.Of(update.GetMaxUnavailable(), len(p.run), true)
		}
		if p.surge == 0 {
			p.most = max(p.most, 1)
		}
	}
	return p
}

func rolls(ds *appsv1.DaemonSet) bool {
	return ds.GetSpec().GetUpdateStrategy().GetType() != "OnDelete"
}

// older orders pods: bound ones first, then by age.
func older(a, b *corev1.Pod) int {
	if x, y := a.GetSpec().GetNodeName() == "", b.GetSpec().GetNodeName() == ""; x != y {
		if y {
			return -1
		}
		return 1
	}
	return cmp.Or(
		apitime.Go(a.GetMetadata().GetCreationTimestamp()).Compare(apitime.Go(b.GetMetadata().GetCreationTimestamp())),
		cmp.Compare(a.GetMetadata().GetName(), b.GetMetadata().GetName()))
}

func deleting(pod *corev1.Pod) bool { return pod.GetMetadata().GetDeletionTimestamp() != nil }

func (p *planner) updated(pod *corev1.Pod) bool {
	return pod.GetMetadata().GetLabels()[labelHash] == p.hash
}

// available reports whether the pod has been ready for long enough.
func (p *planner) available(pod *corev1.Pod) bool {
	ok, wait := podstate.Available(pod, time.Duration(p.ds.GetSpec().GetMinReadySeconds())*time.Second, p.now)
	p.out.later(wait)
	return ok
}

// plan decides about pods; of a DaemonSet that is being deleted they are left to the garbage collector.
func (p *planner) plan() decision {
	if p.ds.GetMetadata().GetDeletionTimestamp() != nil {
		return p.out
	}
	for _, name := range slices.Sorted(maps.Keys(p.run)) {
		if len(p.on[name]) == 0 {
			p.out.create = append(p.out.create, name)
		}
	}
	exists := map[string]bool{}
	for _, node := range p.nodes {
		exists[node.GetMetadata().GetName()] = true
	}
	for _, name := range slices.Sorted(maps.Keys(p.on)) {
		switch {
		case p.stay[name]:
			p.tidy(name)
		case exists[name]:
			p.removeAll(p.on[name])
		default:
			// Pods that were bound to a node that is gone are for pod garbage collection; others would never be bound.
			for _, pod := range p.on[name] {
				if pod.GetSpec().GetNodeName() == "" {
					p.removeAll([]*corev1.Pod{pod})
				}
			}
		}
	}
	if rolls(p.ds) {
		p.roll()
	}
	return p.out
}

func (p *planner) removeAll(pods []*corev1.Pod) {
	for _, pod := range pods {
		if !deleting(pod) && !slices.Contains(p.out.remove, pod) {
			p.out.remove = append(p.out.remove, pod)
		}
	}
}

// tidy removes pods that have ended and those that a node has too many of. While the template is rolled out with a surge
// a node may have one pod of each template, until the new one is available.
func (p *planner) tidy(node string) {
	var running []*corev1.Pod
	for _, pod := range p.on[node] {
		switch {
		case deleting(pod):
		case pod.GetStatus().GetPhase() == podstate.Failed:
			if wait := p.mayReplace(node); wait > 0 {
				p.out.later(wait)
				continue
			}
			p.out.failed = append(p.out.failed, pod)
			p.removeAll([]*corev1.Pod{pod})
		case pod.GetStatus().GetPhase() == podstate.Succeeded:
			p.out.succeeded = append(p.out.succeeded, pod)
			p.removeAll([]*corev1.Pod{pod})
		default:
			running = append(running, pod)
		}
	}
	if p.surge == 0 {
		p.removeAll(running[min(1, len(running)):])
		return
	}
	if len(running) == 0 && p.run[node] && len(p.on[node]) > 0 {
		p.out.create = append(p.out.create, node)
		return
	}
	var fresh, old *corev1.Pod
	for _, pod := range running {
		switch {
		case p.updated(pod) && fresh == nil:
			fresh = pod
		case !p.updated(pod) && old == nil:
			old = pod
		default:
			p.removeAll([]*corev1.Pod{pod})
		}
	}
	if fresh != nil && old != nil && (!podstate.Ready(old) || p.available(fresh)) {
		p.removeAll([]*corev1.Pod{old})
	}
}
