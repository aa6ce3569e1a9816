package node

import (
	"sync"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// Pod is what is remembered of a pod.
type Pod struct {
	UID string
	// Node is empty until the pod is bound.
	Node string
	// ServiceAccount is the name of the pod's service account.
	ServiceAccount string
	// Deleted is when the pod was to be gone; zero while nobody asked for its deletion.
	Deleted time.Time
	// Audiences are those of the tokens that the pod mounts; "" is the API server's own.
	Audiences []string

	refs []ref
	// print is the fingerprint of the bytes that the pod was read from.
	print uint64
}

// edge says that a node runs a pod that refers to an object.
type edge struct {
	node, namespace string
	ref             ref
}

type podKey struct{ namespace, name string }

// Graph follows the cluster's pods. It is safe for concurrent use.
type Graph struct {
	mu    sync.RWMutex
	pods  map[podKey]*Pod
	edges map[edge]int32
}

// NewGraph returns a graph of no pods.
func NewGraph() *Graph {
	return &Graph{pods: make(map[podKey]*Pod), edges: make(map[edge]int32)}
}

// SetPod takes a pod as it is now.
func (g *Graph) SetPod(pod *corev1.Pod) { g.set(pod, 0) }

// has tells whether a pod was read from bytes with a fingerprint.
func (g *Graph) has(key podKey, print uint64) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	p := g.pods[key]
	return p != nil && p.print == print
}

func (g *Graph) set(pod *corev1.Pod, print uint64) {
	m := pod.GetMetadata()
	key := podKey{m.GetNamespace(), m.GetName()}
	p := &Pod{
		UID: m.GetUid(), Node: shared(pod.GetSpec().GetNodeName()), ServiceAccount: shared(pod.GetSpec().GetServiceAccountName()),
		Audiences: audiencesOf(pod), print: print,
	}
	if d := m.GetDeletionTimestamp(); d != nil {
		p.Deleted = time.Unix(d.GetSeconds(), int64(d.GetNanos()))
	}
	// A node writes its mirror pods itself: what they refer to proves nothing.
	if _, mirror := m.GetAnnotations()[mirrorAnnotation]; p.Node != "" && !mirror {
		p.refs = refsOf(pod)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	// First in, then out: what both have in common is never missing, were this ever done without the lock.
	g.countLocked(key, p, 1)
	if old := g.pods[key]; old != nil {
		g.countLocked(key, old, -1)
	}
	g.pods[key] = p
}

// DeletePod forgets a pod.
func (g *Graph) DeletePod(namespace, name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := podKey{namespace, name}
	if old := g.pods[key]; old != nil {
		g.countLocked(key, old, -1)
		delete(g.pods, key)
	}
}

func (g *Graph) countLocked(key podKey, p *Pod, by int32) {
	for _, r := range p.refs {
		e := edge{p.Node, key.namespace, r}
		if n := g.edges[e] + by; n != 0 {
			g.edges[e] = n
		} else {
			delete(g.edges, e)
		}
	}
}

// Pod returns what is known of a pod.
func (g *Graph) Pod(namespace, name string) (Pod, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	p := g.pods[podKey{namespace, name}]
	if p == nil {
		return Pod{}, false
	}
	return *p, true
}

// uses tells whether a pod on the node refers to the object.
func (g *Graph) uses(node, namespace string, k kind, name string) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.edges[edge{node, namespace, ref{k, name}}] > 0
}

// runs tells whether the pod is bound to the node.
func (g *Graph) runs(node, namespace, name string) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	p := g.pods[podKey{namespace, name}]
	return p != nil && p.Node == node
}
