// Package state holds what the scheduler knows of the cluster: nodes as a dense array of integers that pods are added
// to and taken from by difference. Nothing in it is rebuilt when an object changes.
//
// A pod is here while it holds room on a node:
//
//	            Assume                   Confirm (watch)
//	(absent) ───────────▶ assumed ───────────────────────▶ confirmed
//	    ▲                    │  Forget (binding refused)        │
//	    ├────────────────────┘                                  │
//	    └───────────────────────────────────────────────────────┘
//	                  Remove (deleted or ended)
//
// A State has no lock: its one user guards it.
package state

import (
	"maps"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// Node is one slot of the node array.
type Node struct {
	// Name is empty for a slot without a node.
	Name          string
	Labels        map[string]string
	Taints        []*corev1.Taint
	Unschedulable bool
	// Allocatable is what pods may use; Requested what they ask for; Ranked what they are taken to use.
	Allocatable, Requested, Ranked Resources
	// Ports are the host ports in use.
	Ports Ports
	// Pods are those that hold room here.
	Pods map[string]*Pod
	// Alike counts the pods of each class: replicas of one template are kept apart where nothing else decides.
	Alike map[*Class]int
}

// Pod is a pod that holds room on a node.
type Pod struct {
	UID             string
	Namespace, Name string
	Labels          map[string]string
	// Class is what decides where the pod can run.
	Class *Class
	// Node is the slot.
	Node int32
	// Assumed is true until the watch confirms the binding.
	Assumed bool
	// Terminating pods hold their room but no longer count for spreading.
	Terminating bool
}

// Listener is told of every pod that gains or loses its room, and that labels of nodes or namespaces changed.
type Listener interface {
	PodAdded(p *Pod, n *Node)
	PodRemoved(p *Pod, n *Node)
	Relabelled()
}

// State is the scheduler's picture of the cluster.
type State struct {
	nodes  []Node
	byName map[string]int32
	free   []int32
	pods   map[string]*Pod
	live   int
	// changes lists the slots that changed, oldest first; the first has the number base.
	changes   []int32
	base      int64
	listeners map[Listener]struct{}
	// namespaces are the labels of each namespace.
	namespaces map[string]map[string]string
}

// maxChanges bounds the list of changes; a reader that is further behind looks at every node.
const maxChanges = 1 << 16

// New returns an empty state.
func New() *State {
	return &State{byName: map[string]int32{}, pods: map[string]*Pod{}, listeners: map[Listener]struct{}{}, namespaces: map[string]map[string]string{}}
}

// NamespaceLabels are the labels of a namespace.
func (s *State) NamespaceLabels(name string) map[string]string { return s.namespaces[name] }

// SetNamespace keeps a namespace's labels; nil removes it. Selectors over namespaces are evaluated anew.
func (s *State) SetNamespace(name string, labels map[string]string) {
	old, known := s.namespaces[name]
	if labels == nil {
		delete(s.namespaces, name)
	} else {
		s.namespaces[name] = labels
	}
	if !known || !maps.Equal(old, labels) {
		for l := range s.listeners {
			l.Relabelled()
		}
	}
}

// Len is the number of slots, Live the number of nodes.
func (s *State) Len() int  { return len(s.nodes) }
func (s *State) Live() int { return s.live }

// Node returns a slot.
func (s *State) Node(i int32) *Node { return &s.nodes[i] }

// Pod returns the pod that holds room under the UID.
func (s *State) Pod(uid string) (*Pod, bool) {
	p, ok := s.pods[uid]
	return p, ok
}

// Pods calls f for every pod that holds room.
func (s *State) Pods(f func(*Pod, *Node)) {
	for _, p := range s.pods {
		f(p, &s.nodes[p.Node])
	}
}

// Listen registers and Unlisten removes a listener.
func (s *State) Listen(l Listener)   { s.listeners[l] = struct{}{} }
func (s *State) Unlisten(l Listener) { delete(s.listeners, l) }

// Sequence is the number of the next change.
func (s *State) Sequence() int64 { return s.base + int64(len(s.changes)) }

// Since returns the slots that changed from the given number on; ok is false where that is no longer known.
func (s *State) Since(sequence int64) (slots []int32, ok bool) {
	if sequence < s.base {
		return nil, false
	}
	return s.changes[sequence-s.base:], true
}

func (s *State) touch(slot int32) {
	if len(s.changes) >= maxChanges {
		half := len(s.changes) / 2
		s.changes = append(s.changes[:0], s.changes[half:]...)
		s.base += int64(half)
	}
	s.changes = append(s.changes, slot)
}
